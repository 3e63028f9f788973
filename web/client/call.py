"""A call from its beginning to its end: the signaling client, the peer connections, and what the page is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from signald_client.signaling import client, messages

from . import addresses, texts
from .browser import BrowserJson, get, now, window
from .peer import Peer
from .state import HOST
from .websocket import Socket

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from signald_client.signaling.wire import Message, Value

    from .media import Media
    from .state import PageState

__all__ = ["Call"]

PERSONS = (None, "hello", "open", "join")
"""What a person asked for, so that a refusal of it has to be told; None: the server cannot say what it was."""

UNREACHABLE_AFTER = 10.0
"""Seconds after which a server that does not answer is given up."""


class Call:
    """One call.

    Attributes:
        peers: the peer connections, by user.
        over: whether the call has ended.

    """

    def __init__(self, state: PageState, media: Media, changed: Callable[[], None], log: Callable[[str], None]) -> None:
        """Connect to the server, and open or join the session that `state` says.

        Args:
            state: the page's.
            media: the own tracks.
            changed: called when `state` or `peers` changed.
            log: takes lines for whoever looks for a fault.

        """
        self.peers: dict[str, Peer] = {}
        self.over = False
        self._state = state
        self._media = media
        self._changed = changed
        self._log = log
        self._begun = now()
        self._devices_settled = False
        self._asked = False
        self._member = False
        self._ice_servers: list[dict[str, Any]] = []
        self._client = client.SignalingClient(BrowserJson(), "signald-page")
        self._socket = Socket(
            addresses.socket_address(get(window, "location", "href")),
            client.SUBPROTOCOL,
            lambda: self._carry_out(self._client.socket_opened()),
            lambda text: self._carry_out(self._client.frame_received(text)),
            self._socket_closed,
        )

    # What the page tells

    def devices_settled(self) -> None:
        """The person has their devices, or goes without them; a guest joins only then."""
        self._devices_settled = True
        self._enter()

    def replace_track(self, kind: str) -> None:
        """The own track of this kind is another one, or none."""
        for peer in list(self.peers.values()):
            peer.replace_track(kind)

    def tick(self) -> None:
        """Time goes on: call it about once a second."""
        time = now()
        self._carry_out(self._client.tick(time))
        if self._client.welcome is None and time - self._begun > UNREACHABLE_AFTER:
            self._socket.close(1000, "")
        for user in self._state.tick(time):
            if user in self.peers:
                self.peers[user].run(self.peers[user].negotiator.restart_ice())
        self._settle()

    def end(self) -> None:
        """Leave, and release everything but the own devices."""
        if self.over:
            return
        self.over = True
        if self._member and self._client.state == client.READY:
            self._carry_out(self._client.leave(self._state.session))
        self._socket.close(1000, "")
        self._close_peers(list(self.peers))

    # What the server and the browser tell

    def _carry_out(self, effects: list[Value]) -> None:
        for effect in effects:
            if isinstance(effect, client.SendFrame):
                self._socket.send(effect.text)
            elif isinstance(effect, client.CloseSocket):
                self._socket.close(effect.code, effect.reason)
            elif isinstance(effect, client.Negotiate):
                if effect.user in self.peers:
                    self.peers[effect.user].run(effect.commands)
            else:
                self._happened(effect)
        self._settle()

    def _happened(self, event: Value) -> None:
        state = self._state
        if isinstance(event, messages.Welcome):
            self._welcomed(event)
        elif isinstance(event, messages.Opened):
            href = get(window, "location", "href")
            hostname = get(window, "location", "hostname")
            self._member = True
            state.opened(event.session, addresses.invitation(href, event.session), addresses.only_here(hostname))
        elif isinstance(event, messages.Joined):
            users = [member.user for member in event.members]
            self._member = True
            state.joined(event.session, users, now())
            for user in users:
                self._connect(event.session, user, True)
        elif isinstance(event, messages.MemberJoined):
            state.arrived(event.member.user, now())
            self._connect(event.session, event.member.user, False)
        elif isinstance(event, messages.MemberLeft):
            state.departed(event.user, event.reason)
        elif isinstance(event, messages.Ended):
            state.session_ended(event.reason)
        elif isinstance(event, client.Refused):
            self._refused(event)
        elif isinstance(event, client.Misunderstood):
            self._log(event.sentence)

    def _refused(self, refusal: client.Refused) -> None:
        if refusal.about in PERSONS:
            self._state.refused(refusal.about, texts.refusal(refusal.code, refusal.sentence))
        else:
            # Mostly what was said to a member who left in that moment.
            self._log(f"{refusal.about}: {refusal.code}")

    def _welcomed(self, welcome: messages.Welcome) -> None:
        for server in welcome.ice_servers:
            known = {"urls": server.urls, "username": server.username, "credential": server.credential}
            self._ice_servers.append({key: value for key, value in known.items() if value is not None})
        urls = [url for server in welcome.ice_servers for url in server.urls]
        self._state.turn = any(url.startswith(("turn:", "turns:")) for url in urls)
        self._enter()

    def _enter(self) -> None:
        """Open or join, once everything that this takes is there."""
        if self._asked or self.over or self._client.state != client.READY:
            return
        if self._state.role == HOST:
            self._asked = True
            self._state.progress = texts.OPENING
            self._carry_out(self._client.open())
        elif self._devices_settled:
            self._asked = True
            self._state.progress = texts.JOINING
            self._carry_out(self._client.join(self._state.session))

    def _connect(self, session: str, user: str, calls: bool) -> None:
        negotiator = self._client.negotiator(session, user)
        if negotiator is None:
            return
        self.peers[user] = Peer(
            negotiator,
            self._ice_servers,
            self._media,
            calls,
            self._send,
            self._connection_changed,
            self._negotiation_failed,
            self._log,
        )

    def _send(self, message: Message) -> None:
        self._carry_out(self._client.send(message))

    def _connection_changed(self, user: str, connection: str) -> None:
        self._state.connection_changed(user, connection, now())
        self._settle()

    def _negotiation_failed(self, user: str) -> None:
        self._state.disagreed(user)
        self._settle()

    def _socket_closed(self, code: int, reason: str) -> None:
        if self.over:
            return
        welcomed = self._client.welcome is not None
        self._client.socket_closed(code, reason)
        self._state.server_lost(texts.refusal(reason, texts.SERVER_LOST if welcomed else texts.SERVER_UNREACHABLE))
        self._settle()

    # What follows

    def _settle(self) -> None:
        """Let the peer connections follow the state."""
        self._close_peers([user for user in self.peers if self._state.other(user) is None])
        self._changed()

    def _close_peers(self, users: list[str]) -> None:
        for user in users:
            self.peers.pop(user).close()
