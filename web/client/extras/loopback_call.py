"""One side of a loopback call, in which the page calls itself through the server."""

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
from ..model.mesh import LEAST_HEIGHT
from ..model.page_state import CONNECTED, GUEST, HOST, PageState
from ..model.peer_messaging import PeerMessaging
from ..model.remote_peer import RemotePeer

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from signald_client.signaling.wire import Message, Value

__all__ = ["LoopbackPeer"]

ECHOES = 3
"""The number of messages to the other side; the fastest answer counts."""


class LoopbackPeer:
    """A connection to the server, and a peer connection with the other side, without camera or microphone.

    Attributes:
        welcomed: whether the server accepted the connection.
        ice_servers: the ICE servers that the server names, as W3C `RTCIceServer` dicts.
        problem: why the server refused a request, as a sentence; empty while it did not.
        lost: whether the connection to the server was lost or could not be established.
        session: the id of the session that this side is in; empty for none.
        round_trip: the round-trip time to the other side in seconds; None before it is known.

    """

    def __init__(self, log: Callable[[str], None]) -> None:
        """Connect to the server; `log` takes lines for diagnosis."""
        self.welcomed = False
        self.ice_servers: list[dict[str, Any]] = []
        self.problem = ""
        self.lost = False
        self.session = ""
        self.round_trip: float | None = None
        self._sent_at = 0.0
        self._round_trips: list[float] = []
        self._state = PageState()
        self._state.show_start("")
        self._messaging = PeerMessaging(BrowserJson(), self._send_text)
        self._messaging.on_ready(self._ping)
        self._messaging.on_message("echo", self._answer)
        self._messaging.on_message("echoed", self._answered)
        self._peers = PeerConnections(
            self._state,
            LocalMedia(self._state, DeviceChoices({}), _ignore, _ignore),
            ScreenShare(self._state, _ignore, _ignore),
            self._messaging,
            lambda user: LEAST_HEIGHT,
            self._send,
            _ignore,
            log,
        )
        address = call_urls.signaling_url(get(window, "location", "href"))
        self._signaling = SignalingConnection(address, self._handle, "", storage.token(""), list)
        self._client = self._signaling.client
        self._perform(self._client.connect())

    # Calls from the test

    def tick(self) -> None:
        """Run what is due; call it once a second or more often."""
        self._perform(self._client.tick(now()))

    def ping(self) -> float:
        """Probe the connection to the server, and return the time of the probe."""
        asked = now()
        self._perform(self._client.probe_connection(asked))
        return asked

    @property
    def received_at(self) -> float:
        """The time in seconds at which the server last sent something."""
        return self._signaling.received_at

    def open(self, relay_only: bool) -> None:
        """Open a session; with `relay_only` its connections use a TURN server only."""
        self._start(HOST, relay_only)
        self._perform(self._client.open_session())

    def join(self, session: str, relay_only: bool) -> None:
        """Join the other side's session, with `relay_only` as in `open`."""
        self._start(GUEST, relay_only)
        self._perform(self._client.join_session(session))

    def _start(self, role: str, relay_only: bool) -> None:
        self._state.network.relay_only = relay_only
        self._state.start_call(role)
        self.round_trip = None
        self._round_trips = []

    @property
    def connected(self) -> bool:
        """Whether there is a connection to the other side."""
        return self._state.stage == CONNECTED

    @property
    def failed(self) -> bool:
        """Whether the browser gave up on the connection."""
        return bool(self._state.notices.problem)

    async def statistics(self) -> list[dict[str, Any]]:
        """Return the entries of the connection's statistics; an empty list without a connection."""
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

    def close(self) -> None:
        """Leave the session and disconnect from the server."""
        self.leave()
        self._perform(self._client.disconnect())

    # Events of the server and of the other side

    def _perform(self, effects: list[Value]) -> None:
        self._signaling.perform(effects)

    def _send(self, message: Message) -> None:
        self._perform(self._client.send_request(message))

    def _handle(self, event: Value) -> None:
        if isinstance(event, events.Negotiate):
            self._peers.run(event.user, event.commands)
        elif isinstance(event, messages.Welcome):
            self.welcomed = True
            self._use_servers(event.ice_servers)
        elif isinstance(event, messages.IceServers):
            self._use_servers(event.ice_servers)
        elif isinstance(event, events.Refused) and event.about in ("hello", "open", "join"):
            self.problem = texts.refusal(event.code, event.sentence)
        elif isinstance(event, (events.Interrupted, events.Disconnected)):
            self.lost = True
        elif isinstance(event, messages.Opened):
            self._enter(event, HOST)
        elif isinstance(event, messages.Joined):
            self._enter(event, GUEST)
        elif isinstance(event, messages.MemberJoined):
            self._state.member_joined(RemotePeer(event.member.user))
            self._connect(event.session, event.member)

    def _use_servers(self, named: list[messages.IceServer]) -> None:
        self.ice_servers = ice_servers(named)
        self._peers.set_ice_servers(self.ice_servers)

    def _enter(self, entered: messages.Opened | messages.Joined, role: str) -> None:
        session, members = entered.session, entered.members or []
        self.session = session
        self._state.session.relay_only = entered.relay_only
        self._state.session_joined(session, role, [RemotePeer(member.user) for member in members])
        for member in members:
            self._connect(session, member)

    def _connect(self, session: str, member: messages.Member) -> None:
        negotiator = self._client.negotiator(session, member.user)
        if negotiator is not None:
            self._peers.connect(negotiator, member.offers_first, member.connected)

    def _send_text(self, user: str, text: str) -> bool:
        return self._peers.send_text(user, text)

    def _ping(self, user: str) -> None:
        self._sent_at = now()
        self._messaging.send(user, {"type": "echo"})

    def _answer(self, user: str, message: dict[str, Any]) -> None:
        self._messaging.send(user, {"type": "echoed"})

    def _answered(self, user: str, message: dict[str, Any]) -> None:
        self._round_trips.append(now() - self._sent_at)
        if len(self._round_trips) < ECHOES:
            self._ping(user)
        else:
            self.round_trip = min(self._round_trips)


def _ignore(*args: Any) -> None:
    """Ignore a notification."""
