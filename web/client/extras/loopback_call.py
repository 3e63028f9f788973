"""A call of the page with itself, through the server: one of its two sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from signald_client.signaling import client, events, messages

from ..browser import storage
from ..browser.bridge import BrowserJson, get, now, window
from ..browser.call import ice_servers
from ..browser.local_media import LocalMedia
from ..browser.peer_connections import PeerConnections
from ..browser.screen_share import ScreenShare
from ..browser.signaling_connection import SignalingConnection
from ..model import call_urls, texts
from ..model.device_choices import DeviceChoices
from ..model.page_state import CONNECTED, GUEST, HOST, PageState
from ..model.peer_messaging import PeerMessaging
from ..model.remote_peer import RemotePeer

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from signald_client.signaling.wire import Message, Value

__all__ = ["LoopbackPeer"]

ECHOES = 3
"""Messages to the other side, of which the fastest answer counts."""


class LoopbackPeer:
    """A connection to the server, and a peer connection with the other side, without camera or microphone.

    Attributes:
        welcomed: whether the server is reached.
        ice_servers: those that it names, W3C `RTCIceServer` dicts.
        problem: why it refused something, in a sentence; empty while it did not.
        lost: whether the connection to the server was lost, or could not be made.
        session: the session that this side is in; empty for none.
        round_trip: seconds from a message to the other side until its answer; None before it is known.

    """

    def __init__(self, log: Callable[[str], None]) -> None:
        """Connect to the server; `log` takes lines for whoever looks for a fault."""
        self.welcomed = False
        self.ice_servers: list[dict[str, Any]] = []
        self.problem = ""
        self.lost = False
        self.session = ""
        self.round_trip: float | None = None
        self._asked = 0.0
        self._answered: list[float] = []
        self._state = PageState()
        self._state.show_start("")
        self._messaging = PeerMessaging(BrowserJson(), self._tell)
        self._messaging.begun(self._begun)
        self._messaging.hear("echo", self._echo)
        self._messaging.hear("echoed", self._echoed)
        self._peers = PeerConnections(
            self._state,
            LocalMedia(self._state, DeviceChoices({}), _nothing, _nothing),
            ScreenShare(self._state, _nothing, _nothing),
            self._messaging,
            self._send,
            _nothing,
            log,
        )
        address = call_urls.socket_address(get(window, "location", "href"))
        self._signaling = SignalingConnection(address, self._happened, "", storage.token(""))
        self._client = self._signaling.client
        self._perform(self._client.connect())

    # What the test wants

    def tick(self) -> None:
        """Time goes on: call it once a second or more often."""
        self._perform(self._client.tick(now()))

    def ping(self) -> float:
        """Ask the server whether it is there, and return the time of the question."""
        asked = now()
        self._perform(self._client.probe_connection(asked))
        return asked

    @property
    def heard(self) -> float:
        """When the server said something last, in seconds."""
        return self._signaling.received_at

    def open(self, relay_only: bool) -> None:
        """Open a session; `relay_only`: with no path but through a TURN server."""
        self._begin(HOST, relay_only)
        self._perform(self._client.open_session())

    def join(self, session: str, relay_only: bool) -> None:
        """Join the other side's session, as in `open`."""
        self._begin(GUEST, relay_only)
        self._perform(self._client.join_session(session))

    def _begin(self, role: str, relay_only: bool) -> None:
        self._state.network.relay_only = relay_only
        self._state.start_call(role)
        self.round_trip = None
        self._answered = []

    @property
    def connected(self) -> bool:
        """Whether there is a path to the other side."""
        return self._state.stage == CONNECTED

    @property
    def failed(self) -> bool:
        """Whether the browser gave up to look for one."""
        return bool(self._state.notices.problem)

    async def statistics(self) -> list[dict[str, Any]]:
        """Return the entries of the connection's statistics; none where there is no connection."""
        for peer in self._peers.by_user.values():
            return await peer.statistics()
        return []

    def leave(self) -> None:
        """Leave the session."""
        if self.session and self._client.state == client.READY:
            self._perform(self._client.leave_session(self.session))
        self.session = ""
        self._peers.close_all()
        self._state.hung_up()
        self._state.return_to_start()

    def end(self) -> None:
        """Release everything."""
        self.leave()
        self._perform(self._client.disconnect())

    # What the server and the other side tell

    def _perform(self, effects: list[Value]) -> None:
        self._signaling.perform(effects)

    def _send(self, message: Message) -> None:
        self._perform(self._client.send_request(message))

    def _happened(self, event: Value) -> None:
        if isinstance(event, events.Negotiate):
            self._peers.run(event.user, event.commands)
        elif isinstance(event, messages.Welcome):
            self.welcomed = True
            self._supply(event.ice_servers)
        elif isinstance(event, messages.IceServers):
            self._supply(event.ice_servers)
        elif isinstance(event, events.Refused) and event.about in ("hello", "open", "join"):
            self.problem = texts.refusal(event.code, event.sentence)
        elif isinstance(event, (events.Interrupted, events.Disconnected)):
            self.lost = True
        elif isinstance(event, messages.Opened):
            self._entered(event, HOST)
        elif isinstance(event, messages.Joined):
            self._entered(event, GUEST)
        elif isinstance(event, messages.MemberJoined):
            self._state.member_joined(RemotePeer(event.member.user))
            self._connect(event.session, event.member)

    def _supply(self, named: list[messages.IceServer]) -> None:
        self.ice_servers = ice_servers(named)
        self._peers.set_ice_servers(self.ice_servers)

    def _entered(self, entered: messages.Opened | messages.Joined, role: str) -> None:
        session, members = entered.session, entered.members or []
        self.session = session
        self._state.session.relay_only = entered.relay_only
        self._state.session_joined(session, role, [RemotePeer(member.user) for member in members])
        for member in members:
            self._connect(session, member)

    def _connect(self, session: str, member: messages.Member) -> None:
        negotiator = self._client.negotiator(session, member.user)
        if negotiator is not None:
            self._peers.connect(negotiator, member.offers_first)

    def _tell(self, user: str, text: str) -> bool:
        return self._peers.send_text(user, text)

    def _begun(self, user: str) -> None:
        self._asked = now()
        self._messaging.tell(user, {"type": "echo"})

    def _echo(self, user: str, message: dict[str, Any]) -> None:
        self._messaging.tell(user, {"type": "echoed"})

    def _echoed(self, user: str, message: dict[str, Any]) -> None:
        self._answered.append(now() - self._asked)
        if len(self._answered) < ECHOES:
            self._begun(user)
        else:
            self.round_trip = min(self._answered)


def _nothing(*args: Any) -> None:
    """Whoever is told needs not know."""
