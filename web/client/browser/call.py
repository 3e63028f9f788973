"""One call: passes the events of the signaling client to the page's state and the peer connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from signald_client.signaling import client, events, messages

from ..model import call_urls, join_flow, texts
from ..model.join_flow import JoinFlow
from ..model.page_state import GUEST, HOST
from ..model.remote_peer import RemotePeer
from . import storage
from .bridge import get, now, random_float, window
from .call_signals import CallSignals
from .peer_connections import PeerConnections
from .session_entry import SessionEntry
from .signaling_connection import SignalingConnection

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from signald_client.signaling.wire import Message, Value

    from ..model.page_state import PageState
    from ..model.peer_messaging import PeerMessaging
    from .crash_copy import CrashCopy
    from .local_media import LocalMedia
    from .screen_share import ScreenShare

__all__ = ["Call", "ice_servers"]

UNREACHABLE_AFTER = 10.0
"""Seconds without a response after which the server counts as unreachable."""


class Call:
    """One call, from connecting until hanging up.

    Attributes:
        peers: the peer connections.
        signals: the sounds of what others do.
        ended: whether the call has ended.
        reconnects: how often the signaling connection was restored.

    """

    def __init__(
        self,
        *,
        state: PageState,
        media: LocalMedia,
        screen: ScreenShare,
        messaging: PeerMessaging,
        height_for: Callable[[str], int],
        refresh: Callable[[], None],
        log: Callable[[str], None],
        speaker_id: Callable[[], str],
        name: str,
        password: str,
        lobby: bool,
        identity: str,
        ticket: str,
        crash_copy: CrashCopy,
    ) -> None:
        """Connect to the server, and open or join the session that `state` names.

        Arguments:
            state: the page's state.
            media: the local camera and microphone.
            screen: the local shared screen.
            messaging: the messages between the pages.
            height_for: returns the height in pixels in which a user shows the local picture.
            refresh: called when `state` or `peers` changed.
            log: receives log lines for diagnosis.
            speaker_id: returns the device id of the chosen loudspeaker.
            name: the person's name; empty for none.
            password: the password of the session, existing or new; empty for none.
            lobby: whether a session that is opened has a lobby.
            identity: the stored identity with which the signaling client resumes after a reload; empty for a new
                identity.
            ticket: the stored rejoin ticket for the session; empty for none.
            crash_copy: stores the call for another tab.

        """
        self.peers = PeerConnections(
            state=state,
            media=media,
            screen=screen,
            messaging=messaging,
            height_for=height_for,
            send=self._send,
            refresh=self._settle,
            log=log,
        )
        self.signals = CallSignals(state, speaker_id)
        self.ended = False
        self.reconnects = 0
        self._state = state
        self._refresh = refresh
        self._log = log
        self._entry = SessionEntry(state, name, password, lobby, ticket)
        self._crash_copy = crash_copy
        self._started_at = now()
        # The first tick of the call must not count the time before it.
        state.tick(self._started_at)
        self._relock = self._entered_again = False
        self._join_flow = JoinFlow(bool(identity), random_float)
        self._handlers = self._event_handlers()
        address = call_urls.signaling_url(get(window, "location", "href"))
        self._signaling = SignalingConnection(
            address, self._handle, identity, storage.token(state.session.id), lambda: self.peers.connected_users
        )
        self._client = self._signaling.client
        self._perform(self._client.connect())

    @property
    def server(self) -> str:
        """The name and version that the server sent; empty until the server has sent its welcome."""
        return "" if self._client.welcome is None else self._client.welcome.server

    @property
    def user(self) -> str:
        """The user id of this person; empty until the server has given it."""
        return self._client.user or ""

    # Calls from the page

    def devices_settled(self) -> None:
        """Let a guest join, because the person has their devices or continues without them."""
        self._entry.devices_settled = True
        self._request_entry()

    def tick(self) -> None:
        """Run the timers of the call; the page calls this method about once a second."""
        time = now()
        self._perform(self._client.tick(time))
        if self._client.welcome is None and time - self._started_at > UNREACHABLE_AFTER:
            self._state.server_lost(texts.SERVER_UNREACHABLE)
        if self._join_flow.session_lost(time):
            self._membership_lost()
            self._request_entry()
        todo = self._join_flow.tick(time)
        if todo == join_flow.RETRY:
            self._request_entry()
        elif todo == join_flow.GIVE_UP:
            self._state.return_ended(self._entered_again)
        self.peers.restart_ice(self._state.tick(time))
        self._settle()

    def probe_network(self, network_changed: bool) -> None:
        """Check every connection now, because the network changed or the page is visible again."""
        if network_changed:
            self._state.network.changed = True
        for member in self._state.participants.members:
            member.retry()
        self._perform(self._client.probe_connection(now()))

    def answer_knock(self, user: str, admitted: bool) -> None:
        """Admit or refuse a visitor who waits in the lobby."""
        request = self._client.admit_user if admitted else self._client.refuse_user
        self._perform(request(self._state.session.id, user))

    def change(self, locked: bool | None = None, lobby: bool | None = None) -> None:
        """Change the session's settings, as its host."""
        self._perform(self._client.change_session(self._state.session.id, locked=locked, lobby=lobby))

    def remove(self, user: str) -> None:
        """Remove a participant, as the host."""
        self._perform(self._client.remove_member(self._state.session.id, user))

    def hand_over(self, user: str) -> None:
        """Make another participant the host."""
        self._perform(self._client.make_host(self._state.session.id, user))

    def end(self) -> None:
        """Leave the session, or as the host end it for all, and close every connection."""
        if self.ended:
            return
        self.ended = True
        storage.clear_call()
        self._crash_copy.clear()
        session_id = self._state.session.id
        if session_id and self._client.state == client.READY:
            request = self._client.end_session if self._state.role == HOST else self._client.leave_session
            self._signaling.perform(request(session_id))
        self._signaling.perform(self._client.disconnect())
        self.peers.close_all()

    # Events of the signaling client

    def _event_handlers(self) -> dict[type[Value], Callable[[Any], None]]:
        """Return the method that handles each class of events; events of other classes change nothing here."""
        state = self._state
        return {
            messages.Welcome: self._welcomed,
            messages.IceServers: self._ice_servers_changed,
            messages.Opened: self._opened,
            messages.Joined: lambda event: self._entered(event, event.role),
            messages.Changed: self._settings_changed,
            messages.Waiting: self._waiting,
            messages.NotAdmitted: lambda event: state.admission_refused(event.reason),
            messages.Ended: lambda event: state.session_ended(event.reason),
            messages.HostChanged: lambda event: state.host_changed(event.user, self._client.user),
            messages.Knock: lambda event: state.participants.knocked(event.user, event.name or ""),
            messages.KnockOver: lambda event: state.participants.knock_over(event.user),
            messages.MemberJoined: self._member_joined,
            messages.MemberLeft: lambda event: state.member_left(event.user, event.reason),
            messages.MemberAway: lambda event: state.participants.set_away(event.user, True),
            messages.MemberBack: lambda event: state.participants.set_away(event.user, False),
            messages.MemberRenewed: self._member_renewed,
            messages.ForwardedIceError: lambda event: state.failure_reported(event.sender),
            events.Interrupted: self._interrupted,
            events.Resumed: self._resumed,
            events.Disconnected: self._disconnected,
            events.Refused: self._refused,
            events.InvalidMessage: lambda event: self._log(event.sentence),
        }

    def _handle(self, event: Value) -> None:
        if self.ended:
            return
        if isinstance(event, events.Negotiate):
            # Dozens of candidates arrive at a time, and a candidate changes nothing that the page shows.
            self.peers.run(event.user, event.commands)
            return
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)
        self._settle()

    def _welcomed(self, welcome: messages.Welcome) -> None:
        self._ice_servers_changed(welcome)
        self._state.server_connected()
        self._state.network.reference = welcome.reference or ""
        if welcome.resumed is None:
            self._request_entry()

    def _ice_servers_changed(self, event: Value) -> None:
        servers = ice_servers(self._client.ice_servers)
        self._state.network.turn_available = any(url.startswith("turn") for server in servers for url in server["urls"])
        self.peers.set_ice_servers(servers)

    def _interrupted(self, event: events.Interrupted) -> None:
        if self._client.welcome is not None:
            self._state.network.interrupted()

    def _resumed(self, event: events.Resumed) -> None:
        self.reconnects += 1
        if event.survival == events.MEMBERSHIP:
            self._join_flow.resumed(True, now())
        elif event.survival == events.NOTHING:
            self._forgotten()
        self._state.server_connected()
        self._request_entry()

    def _disconnected(self, event: events.Disconnected) -> None:
        if event.code == client.REPLACED_CODE:
            self._state.replaced_elsewhere()
        else:
            self._state.server_lost(texts.refusal(event.reason, texts.SERVER_LOST), event.reason)

    def _refused(self, refusal: events.Refused) -> None:
        state = self._state
        reaction = self._join_flow.refused(refusal.about, refusal.code, bool(state.session.id), now())
        if reaction == join_flow.AS_GUEST:
            storage.save_host_key(state.session.id, "")
            state.role = GUEST
        if reaction in (join_flow.AS_GUEST, join_flow.RETRY):
            self._request_entry()
        elif reaction == join_flow.GIVE_UP:
            self._join_flow.return_ended()
            state.return_ended(False)
        elif reaction == join_flow.REPORT:
            state.request_refused(refusal.about, refusal.code, texts.refusal(refusal.code, refusal.sentence))
        else:
            # Most of these errors refuse a message to a member who left at the same moment.
            self._log(f"{refusal.about}: {refusal.code}")

    def _opened(self, opened: messages.Opened) -> None:
        if opened.host_key is not None:
            storage.save_host_key(
                opened.session, opened.host_key, self._entry.password, opened.lobby, opened.relay_only
            )
        self._entered(opened, HOST)
        if self._relock:
            # The server has forgotten that the session was locked.
            self._relock = False
            self.change(locked=True)

    def _settings_changed(self, changed: messages.Changed) -> None:
        state = self._state
        state.settings_changed(changed.locked, changed.lobby, True)
        key = storage.host_key(changed.session)
        if key and state.role == HOST:
            self._entry.lobby = changed.lobby
            storage.save_host_key(
                changed.session, key, self._entry.password, self._entry.lobby, state.session.relay_only
            )

    def _waiting(self, waiting: messages.Waiting) -> None:
        self._join_flow.entered()
        self._state.admission_pending(waiting.reason)

    def _member_joined(self, joined: messages.MemberJoined) -> None:
        if joined.member.connected and self._state.participants.find(joined.member.user) is not None:
            self._state.member_returned(_remote_peer(joined.member))
        else:
            self._state.member_joined(_remote_peer(joined.member))
        self._connect(joined.session, joined.member)

    def _member_renewed(self, renewed: messages.MemberRenewed) -> None:
        if renewed.member.connected:
            self._state.member_returned(_remote_peer(renewed.member))
        else:
            self._state.participants.connection_reset(renewed.member.user)
        self._connect(renewed.session, renewed.member)

    # Entering the session

    def _forgotten(self) -> None:
        """Come back into the session of which the server knows nothing any more, with the peer connections."""
        state = self._state
        if self._entry.ticket(self._client) and state.server_restarted():
            self._relock = state.role == HOST and state.session.locked
            self._entry.devices_settled = True
            self._entered_again = False
            self._join_flow.return_started(now())
        else:
            self._join_flow.resumed(False, now())
            self._membership_lost()

    def _membership_lost(self) -> None:
        """Close the peer connections, because the server no longer has this user's membership."""
        self.peers.close_all()
        # A person who was in the call has already decided about their devices.
        self._entry.devices_settled = self._entry.devices_settled or self._state.in_session
        self._state.membership_lost()

    def _request_entry(self) -> None:
        """Open or join the session, once everything that the request needs is available."""
        if not self.ended:
            self._perform(self._entry.next_request(self._join_flow, self._client))

    def _entered(self, entered: messages.Opened | messages.Joined, role: str) -> None:
        """Connect to the members of the session, which this user has entered for the first time or again."""
        session_id, members = entered.session, entered.members or []
        state, session = self._state, self._state.session
        session.relay_only = entered.relay_only
        self._join_flow.entered()
        self._entered_again = True
        session.has_host_key = bool(storage.host_key(session_id))
        session.password = self._entry.password if session.has_host_key else ""
        if not session.link:
            session.link = call_urls.invitation_url(get(window, "location", "href"), session_id)
        session.link_is_local = call_urls.is_loopback(get(window, "location", "hostname"))
        kept = tuple([member.user for member in members if member.connected])
        state.session_joined(session_id, role, [_remote_peer(member) for member in members], kept)
        state.settings_changed(entered.locked, entered.lobby)
        for member in members:
            self._connect(session_id, member)

    def _connect(self, session_id: str, member: messages.Member) -> None:
        negotiator = self._client.negotiator(session_id, member.user)
        if negotiator is not None and self._state.participants.find(member.user) is not None:
            self.peers.connect(negotiator, member.offers_first, member.connected)

    # Consequences

    def _perform(self, effects: list[Value]) -> None:
        self._signaling.perform(effects)
        self._settle()

    def _send(self, message: Message) -> None:
        self._perform(self._client.send_request(message))

    def _settle(self) -> None:
        """Adapt the peer connections to the state, and store the data that a reload needs."""
        state = self._state
        self.peers.match_participants()
        if not state.network.returning:
            self._join_flow.return_ended()
        if not self.ended and self._join_flow.active and self._signaling.identity:
            saved = state.role, state.session.id, self._signaling.identity, self._entry.ticket(self._client)
            storage.save_call(*saved)
            self._crash_copy.save(*saved)
        self._refresh()


def ice_servers(configured: list[messages.IceServer]) -> list[dict[str, Any]]:
    """Return the STUN and TURN servers that the server sent, as W3C `RTCIceServer` dicts."""
    servers = []
    for server in configured:
        entry = {"urls": server.urls, "username": server.username, "credential": server.credential}
        servers.append({key: value for key, value in entry.items() if value is not None})
    return servers


def _remote_peer(member: messages.Member) -> RemotePeer:
    peer = RemotePeer(member.user, member.name or "")
    peer.away = member.away
    peer.host = member.role == HOST
    return peer
