"""A call from its beginning to its end: the signaling client, the peer connections, and what the page is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from signald_client.signaling import client, events, messages

from ..model import call_urls, join_flow, mesh, texts
from ..model.join_flow import JoinFlow
from ..model.page_state import GUEST, HOST, SESSION
from ..model.remote_peer import RemotePeer
from . import storage
from .bridge import get, now, window
from .peer_connections import PeerConnections
from .signaling_connection import SignalingConnection

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from signald_client.signaling.wire import Message, Value

    from ..model.page_state import PageState
    from ..model.peer_messaging import PeerMessaging
    from .local_media import LocalMedia
    from .screen_share import ScreenShare

__all__ = ["Call", "ice_servers"]

UNREACHABLE_AFTER = 10.0
"""Seconds after which a server that does not answer is given up."""


class Call:
    """One call.

    Attributes:
        peers: the peer connections.
        over: whether the call has ended.
        reconnects: how often the connection to the server came back.

    """

    def __init__(
        self,
        state: PageState,
        media: LocalMedia,
        screen: ScreenShare,
        messaging: PeerMessaging,
        changed: Callable[[], None],
        log: Callable[[str], None],
        name: str,
        password: str = "",
        kept: str = "",
        lobby: bool = False,
    ) -> None:
        """Connect to the server, and open or join the session that `state` says.

        Args:
            state: the page's.
            media: the own tracks.
            screen: what the person shows of their screen.
            messaging: what the pages say to each other.
            changed: called when `state` or `peers` changed.
            log: takes lines for whoever looks for a fault.
            name: what the person calls themselves; empty for nothing.
            password: of the session, if it has one, or is to have one.
            kept: who the page was before it was loaded anew; empty for nobody.
            lobby: whether a session that is opened has a lobby.

        """
        self.peers = PeerConnections(state, media, screen, messaging, self._send, self._settle, log)
        self.over = False
        self.reconnects = 0
        self._state = state
        self._changed = changed
        self._log = log
        self._name = name
        self._password = password
        self._lobby = lobby
        self._begun = now()
        self._devices_settled = False
        self._entry = JoinFlow(bool(kept))
        address = call_urls.socket_address(get(window, "location", "href"))
        self._signaling = SignalingConnection(address, self._happened, kept, storage.token(state.session))
        self._client = self._signaling.client
        self._perform(self._client.connect())

    @property
    def server(self) -> str:
        """What the server calls itself; empty before it was reached."""
        return "" if self._client.welcome is None else self._client.welcome.server

    # What the page tells

    def devices_settled(self) -> None:
        """The person has their devices, or goes without them; a guest joins only then."""
        self._devices_settled = True
        self._enter()

    def tick(self) -> None:
        """Time goes on: call it about once a second."""
        time = now()
        self._perform(self._client.tick(time))
        if self._client.welcome is None and time - self._begun > UNREACHABLE_AFTER:
            self._state.server_lost(texts.SERVER_UNREACHABLE)
        if self._entry.forgotten(time):
            self._outside()
            self._enter()
        self.peers.seek_paths(self._state.tick(time))
        self._settle()

    def hurry(self, moved: bool) -> None:
        """Find out now what still works; `moved`: the network is another one."""
        if moved:
            self._state.network_changed()
        for other in self._state.others:
            other.hurry()
        self._perform(self._client.probe_connection(now()))

    def answer_knock(self, user: str, admitted: bool) -> None:
        """The person lets somebody in, or does not."""
        ask = self._client.admit_user if admitted else self._client.refuse_user
        self._perform(ask(self._state.session, user))

    def change(self, locked: bool | None = None, lobby: bool | None = None) -> None:
        """The host opens or shuts the door."""
        self._perform(self._client.change_session(self._state.session, locked=locked, lobby=lobby))

    def remove(self, user: str) -> None:
        """The host removes somebody."""
        self._perform(self._client.remove_member(self._state.session, user))

    def hand_over(self, user: str) -> None:
        """The host makes somebody the host."""
        self._perform(self._client.make_host(self._state.session, user))

    def end(self) -> None:
        """Leave, the host by ending the session for all, and release everything but the own devices."""
        if self.over:
            return
        self.over = True
        storage.forget_call()
        if self._state.session and self._client.state == client.READY:
            wish = self._client.end_session if self._state.role == HOST else self._client.leave_session
            self._signaling.perform(wish(self._state.session))
        self._signaling.perform(self._client.disconnect())
        self.peers.close_all()

    # What the server and the browser tell

    def _perform(self, effects: list[Value]) -> None:
        self._signaling.perform(effects)
        self._settle()

    def _happened(self, event: Value) -> None:
        if self.over:
            return
        if isinstance(event, events.Negotiate):
            self.peers.run(event.user, event.commands)
            return
        self._connection_to_server(event)
        self._of_session(event)
        self._of_members(event)
        self._settle()

    def _connection_to_server(self, event: Value) -> None:
        state = self._state
        if isinstance(event, messages.Welcome):
            self._welcomed(event)
        elif isinstance(event, messages.IceServers):
            self._supply()
        elif isinstance(event, events.Interrupted):
            if self._client.welcome is not None:
                state.interrupted_server()
        elif isinstance(event, events.Resumed):
            self.reconnects += 1
            if event.survival != events.EVERYTHING:
                self._entry.resumed(event.survival == events.MEMBERSHIP, now())
            if event.survival == events.NOTHING:
                self._outside()
            state.reached_server()
            self._enter()
        elif isinstance(event, events.Disconnected):
            if event.code == client.REPLACED_CODE:
                state.taken_over()
            else:
                state.server_lost(texts.refusal(event.reason, texts.SERVER_LOST))
        elif isinstance(event, events.Refused):
            self._refused(event)
        elif isinstance(event, events.InvalidMessage):
            self._log(event.sentence)

    def _of_session(self, event: Value) -> None:
        state = self._state
        if isinstance(event, messages.Opened):
            if event.host_key is not None:
                kept = (event.host_key, self._password, event.lobby, event.relay_only)
                storage.keep_host_key(event.session, *kept)
            self._entered(event, HOST)
            state.settings(event.locked, event.lobby)
        elif isinstance(event, messages.Joined):
            self._entered(event, event.role)
            state.settings(event.locked, event.lobby)
        elif isinstance(event, messages.Changed):
            state.settings(event.locked, event.lobby, True)
            key = storage.host_key(event.session)
            if key and state.role == HOST:
                self._lobby = event.lobby
                storage.keep_host_key(event.session, key, self._password, self._lobby, state.relayed)
        elif isinstance(event, messages.Waiting):
            self._entry.entered()
            state.waiting(event.reason)
        elif isinstance(event, messages.NotAdmitted):
            state.turned_away(event.reason)
        elif isinstance(event, messages.Ended):
            state.session_ended(event.reason)
        elif isinstance(event, messages.HostChanged):
            state.handed_over(event.user, self._client.user)
        elif isinstance(event, messages.Knock):
            state.knocked(event.user, event.name or "")
        elif isinstance(event, messages.KnockOver):
            state.knock_over(event.user)

    def _of_members(self, event: Value) -> None:
        state = self._state
        if isinstance(event, messages.MemberJoined):
            state.arrived(_other(event.member))
            self._connect(event.session, event.member)
        elif isinstance(event, messages.MemberLeft):
            state.departed(event.user, event.reason)
        elif isinstance(event, messages.MemberAway):
            state.presence(event.user, True)
        elif isinstance(event, messages.MemberBack):
            state.presence(event.user, False)
        elif isinstance(event, messages.MemberRenewed):
            self.peers.close([event.member.user])
            state.renewed(event.member.user)
            self._connect(event.session, event.member)

    def _refused(self, refusal: events.Refused) -> None:
        state = self._state
        follows = self._entry.refused(refusal.about, refusal.code, bool(state.session))
        if follows == join_flow.AS_GUEST:
            storage.keep_host_key(state.session, "")
            state.role = GUEST
        if follows in (join_flow.AS_GUEST, join_flow.AGAIN):
            self._enter()
        elif follows == join_flow.TOLD:
            state.refused(refusal.about, refusal.code, texts.refusal(refusal.code, refusal.sentence))
        else:
            # Mostly what was said to a member who left in that moment.
            self._log(f"{refusal.about}: {refusal.code}")

    def _welcomed(self, welcome: messages.Welcome) -> None:
        self._supply()
        self._state.reached_server()
        if welcome.resumed is None:
            self._enter()

    def _supply(self) -> None:
        """Use the STUN and TURN servers that the server names now."""
        servers = ice_servers(self._client.ice_servers)
        self._state.turn = any(url.startswith("turn") for server in servers for url in server["urls"])
        self.peers.supply(servers)

    def _outside(self) -> None:
        """The server does not know the person in the session any more."""
        self.peers.close_all()
        # Who was in the call already has their devices, or goes without them.
        self._devices_settled = self._devices_settled or self._state.phase == SESSION
        self._state.left_behind()

    def _enter(self) -> None:
        """Open or join, once everything that this takes is there."""
        if self.over or self._client.state != client.READY:
            return
        state = self._state
        key = storage.host_key(state.session) if state.session else ""
        welcome = self._client.welcome
        # A host's token for this session takes the place of a key.
        granted = bool(welcome and state.session and welcome.role == HOST and welcome.session == state.session)
        opens = state.role == HOST or granted
        request = self._entry.request(opens, state.session, key or ("token" if granted else ""), self._devices_settled)
        if request == join_flow.OPEN:
            state.progress = texts.OPENING
            again = state.session or None
            capacity = min(mesh.CAPACITY, welcome.limits.session_members) if welcome else 2
            self._perform(
                self._client.open_session(
                    capacity,
                    self._name or None,
                    password=self._password or None,
                    lobby=self._lobby,
                    keep=True,
                    relay_only=state.relayed,
                    session=again,
                    host_key=key or None,
                )
            )
        elif request == join_flow.JOIN:
            state.progress = texts.JOINING
            self._perform(self._client.join_session(state.session, self._name or None, self._password or None))

    def _entered(self, entered: messages.Opened | messages.Joined, role: str) -> None:
        """The person is in the session, or begins anew in it."""
        session, members = entered.session, entered.members or []
        self._state.relayed = entered.relay_only
        href = get(window, "location", "href")
        self._entry.entered()
        self.peers.close_all()
        self._state.own = bool(storage.host_key(session))
        self._state.password = self._password if self._state.own else ""
        self._state.link = call_urls.invitation(href, session)
        self._state.link_only_here = call_urls.only_here(get(window, "location", "hostname"))
        self._state.joined(session, role, [_other(member) for member in members])
        for member in members:
            self._connect(session, member)

    def _connect(self, session: str, member: messages.Member) -> None:
        negotiator = self._client.negotiator(session, member.user)
        if negotiator is not None and self._state.other(member.user) is not None:
            self.peers.connect(negotiator, member.offers_first)

    def _send(self, message: Message) -> None:
        self._perform(self._client.send_request(message))

    # What follows

    def _settle(self) -> None:
        """Let the peer connections follow the state, and what a reload needs be kept."""
        state = self._state
        self.peers.follow()
        if not self.over and self._entry.inside and self._signaling.kept:
            storage.keep_call(state.role, state.session, self._signaling.kept)
        self._changed()


def ice_servers(named: list[messages.IceServer]) -> list[dict[str, Any]]:
    """Return the STUN and TURN servers that the server names, as W3C `RTCIceServer` dicts."""
    servers = []
    for server in named:
        known = {"urls": server.urls, "username": server.username, "credential": server.credential}
        servers.append({key: value for key, value in known.items() if value is not None})
    return servers


def _other(member: messages.Member) -> RemotePeer:
    other = RemotePeer(member.user, member.name or "")
    other.away = member.away
    other.host = member.role == HOST
    return other
