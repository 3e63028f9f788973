"""The state of the whole page and its transitions; the caller passes the time. It does not touch the browser."""

from __future__ import annotations

from . import layout, texts
from .call_summary import CallSummary
from .local_devices import LocalDevices
from .network_state import NetworkState
from .notices import Notices
from .participants import Participants
from .remote_peer import RemotePeer
from .session_details import SessionDetails
from .stage_layout import StageLayout

__all__ = ["BRAND", "GUEST", "HOST", "PageState"]

BRAND = "signald"
"""The name of the service in the page's title, unless its operator chose another one."""

# These are the phases of the page.
LOADING = "loading"
START = "start"
CONNECTING = "connecting"
SESSION = "session"
ENDED = "ended"
FAILED = "failed"
TEST = "test"

NEXT = {
    LOADING: (START, TEST),
    START: (CONNECTING, TEST),
    CONNECTING: (SESSION, START, FAILED),
    SESSION: (ENDED, FAILED, CONNECTING),
    ENDED: (START, CONNECTING),
    FAILED: (START, CONNECTING),
    TEST: (START,),
}
"""The phases that may follow a phase. `PageState._enter` alone changes the phase, by this table."""

# These are the stages of a session, which follow from its remote participants.
WAITING = "waiting"
CALLING = "calling"
CONNECTED = "connected"

HOST = "host"
GUEST = "guest"

CALLING_LONG_AFTER = 8.0
"""Seconds without a connection after which the page says that the search for one goes on."""


class PageState:
    """The state from which everything follows that the page shows.

    Attributes:
        role: `host` or `guest` of the session that was last started or joined.
        session: the session's identity, invitation and settings.
        participants: the other people, and those who wait to be admitted.
        network: the connection to the server.
        devices: the local camera, microphone, loudspeaker and screen.
        layout: how the person arranged pictures and panels.
        notices: the messages to the person.
        summary: the duration and the quality of the last call.
        brand: the name of the service in the page's title.
        returnable: whether the person can go back into the call that has ended.

    """

    def __init__(self) -> None:
        self._phase = LOADING
        self.role = ""
        self.session = SessionDetails()
        self.participants = Participants()
        self.network = NetworkState()
        self.devices = LocalDevices()
        self.layout = StageLayout()
        self.notices = Notices()
        self.summary = CallSummary()
        self.returnable = False
        self.brand = BRAND
        self._ticked = 0.0

    @property
    def phase(self) -> str:
        """One of the phases above."""
        return self._phase

    @property
    def stage(self) -> str:
        """The phase, or within a session how far the call with the others is."""
        if self.phase != SESSION:
            return self.phase
        if not self.participants.members:
            return WAITING
        return CONNECTED if self.participants.any_connected else CALLING

    @property
    def pictures(self) -> tuple[list[str], str]:
        """The pictures of the others and of the own screen, and the large one (`layout.arrange`)."""
        participants, stage_layout, devices = self.participants, self.layout, self.devices
        return layout.arrange(
            participants.members,
            stage_layout.pinned,
            stage_layout.arrangement,
            participants.speaker,
            devices.sharing and devices.screen_shown,
        )

    @property
    def leads(self) -> bool:
        """Whether this person is the host of others, and the server can forward what becomes of the call."""
        return self.in_session and self.role == HOST and not self.network.detached and bool(self.participants.members)

    @property
    def in_session(self) -> bool:
        """Whether the person is in a session, possibly alone."""
        return self.phase == SESSION

    @property
    def relay_only(self) -> bool:
        """Whether connections use a TURN server only, by this person's choice or by the session's."""
        return self.network.relay_only or self.session.relay_only

    def _enter(self, phase: str) -> bool:
        """Change the phase and return True if it may follow the present one."""
        if phase not in NEXT[self._phase]:
            return False
        self._phase = phase
        return True

    # Before a call

    def show_start(self, invited_id: str, problem: str = "", has_host_key: bool = False, inviter: str = "") -> None:
        """Show the start screen.

        Arguments:
            invited_id: the session id in the page's address; empty when it names none.
            problem: what is wrong with the address, in a sentence.
            has_host_key: whether this browser stores the session's host key.
            inviter: the person who invites, as the address says; empty for nobody.

        """
        if self.phase == START or (self.phase in (LOADING, TEST) and self._enter(START)):
            self.session.invited_id = invited_id
            self.session.inviter = inviter
            self.session.has_host_key = has_host_key
            self.notices.problem = problem

    def leave_off(self, microphone: bool, camera: bool) -> None:
        """Start the next call without these devices; in a call, what the person chose stays."""
        if self.phase not in (CONNECTING, SESSION):
            devices = self.devices
            devices.microphone.wanted = devices.microphone.wanted and not microphone
            devices.camera.wanted = devices.camera.wanted and not camera

    def show_test(self) -> bool:
        """Show the connectivity test; False when it is shown already or a call is on."""
        if not self._enter(TEST):
            return False
        self.dismiss()
        self.devices.previewing = False
        return True

    def start_call(self, role: str, session_id: str = "") -> bool:
        """Start or join a call; False when another one is on."""
        if not self._enter(CONNECTING):
            return False
        self.role = role
        self.session.reset(session_id)
        self.participants.reset()
        self.network.reset()
        self.devices.reset()
        self.layout.reset()
        self.notices.reset()
        self.summary.reset()
        return True

    def return_to_start(self) -> None:
        """Return from the end of a call to the start screen."""
        if self._enter(START):
            self.dismiss()
            self.devices.previewing = False

    # Events from the server

    def session_joined(self, session_id: str, role: str, members: list[RemotePeer], kept: tuple[str, ...] = ()) -> None:
        """Enter the session of these participants; also after a lost connection.

        Those users who are in `kept` keep their peer connection.
        """
        if self.phase == SESSION or self._enter(SESSION):
            self.session.id = session_id
            self.session.password_required = False
            self.role = role
            self.participants.replace(members, kept)
            self.participants.knocks = {}
            self.participants.successor = ""
            self._check_returned()

    def admission_pending(self, reason: str) -> None:
        """Say why the person is not in the session yet: the host is absent, or has to admit them."""
        if self.phase == CONNECTING:
            self.notices.progress = texts.WAITING_FOR.get(reason, texts.JOINING)

    def admission_refused(self, reason: str) -> None:
        """Return to the start screen, because the person was not admitted."""
        if self._enter(START):
            self.notices.problem = texts.TURNED_AWAY.get(reason, texts.CALL_OVER)

    def request_refused(self, about: str | None, code: str, sentence: str) -> None:
        """Say that the server refused a request; a refused open or join returns to the start screen."""
        if about == "hand-over":
            self.participants.successor = ""
        if self.phase == CONNECTING:
            if about in ("hello", "resume"):
                self._fail(sentence, code)
            else:
                self._enter(START)
                self.session.password_required = code in ("password-needed", "wrong-password")
        self.notices.refused(code, sentence)

    def member_joined(self, member: RemotePeer) -> None:
        """Add somebody who joined."""
        if self.phase == SESSION:
            self.participants.add(member)
            self.notices.recovered()
            self._check_returned()

    def member_returned(self, member: RemotePeer) -> None:
        """Go on with somebody who is back with the peer connection."""
        earlier = self.participants.find(member.user)
        if earlier is not None:
            earlier.returned(member)
            self.notices.recovered()
            self._check_returned()

    def host_changed(self, user: str, local_user: str | None) -> None:
        """Make somebody the host; a host who handed over in order to leave has left with that."""
        if self.phase != SESSION:
            return
        participants = self.participants
        self.role = HOST if user == local_user else GUEST
        participants.knocks = {}
        news = texts.YOU_ARE_HOST
        for member in participants.members:
            member.host = member.user == user
            if member.host:
                news = texts.IS_HOST.format(member.name or texts.SOMEBODY)
        self.notices.announce(news)
        successor, participants.successor = participants.successor, ""
        if successor == user:
            self.notices.outcome = texts.HUNG_UP + " " + news
            self._end(True)

    def settings_changed(self, locked: bool, lobby: bool, announced: bool = False) -> None:
        """Store the session's settings; `announced`: the host has just changed them, which the others are told."""
        if announced and locked != self.session.locked:
            self.notices.announce(texts.LOCKED if locked else texts.UNLOCKED)
        self.session.locked = locked
        self.session.lobby = lobby

    def member_left(self, user: str, reason: str) -> None:
        """Remove somebody who left; a peer connection with one whom only the server lost goes on."""
        member = self.participants.find(user)
        if member is None:
            return
        if reason == "gone" and member.connection == "connected":
            member.gone = True
            self.notices.notice = texts.OTHER_LOST_SERVER
            return
        self.participants.members.remove(member)
        self.notices.notice = texts.LOST_WAITING if reason == "gone" else texts.LEFT_WAITING

    def session_ended(self, reason: str) -> None:
        """End the call, unless the host has only lost its signaling connection: then the call continues."""
        if self.phase != SESSION:
            return
        self.notices.outcome = texts.ENDED.get(reason, texts.CALL_OVER)
        if reason == "host-gone" and self._detach():
            self.notices.notice = texts.OTHER_LOST_SERVER
        else:
            self._end(self._reopens or reason == "host-gone")

    def server_lost(self, problem: str, code: str = "") -> None:
        """Fail, because the connection to the server is over; a call that is connected goes on without it.

        Arguments:
            problem: why, as a sentence.
            code: the protocol's code for that; empty for none.

        """
        if self.phase == SESSION and self._detach():
            self.notices.outcome = ""
            self.notices.notice = texts.SERVER_LOST_CONNECTED
        elif self.phase in (CONNECTING, SESSION):
            self._fail(problem, code)

    def server_connected(self) -> None:
        """Seek new paths at once where connections broke, or the network changed, while the server was lost."""
        self.network.offline_for = None
        for member in self.participants.members:
            member.retry()
            if self.network.changed:
                member.restart()
        self.network.changed = False

    def server_restarted(self) -> bool:
        """Wait for the others to come back, because the server has forgotten the session; False outside of one."""
        if self.phase != SESSION:
            return False
        self.participants.server_restarted()
        self.network.returning = True
        return True

    def return_ended(self, entered: bool) -> None:
        """Stop to wait for those who have not come back; `entered`: whether this person is in the session again."""
        self.network.returning = False
        for member in self.participants.members[:]:
            if member.expected:
                member.expected = False
                if member.connection != "connected":
                    self._drop(member)
        if not entered:
            self.server_lost(texts.SERVER_LOST)

    def membership_lost(self) -> None:
        """Join again, because the server does not know this person any more."""
        if self.phase == SESSION and self._enter(CONNECTING):
            self.participants.members = []
            self.participants.knocks = {}

    def replaced_elsewhere(self) -> None:
        """Fail, because another tab took over this person's connection."""
        if self.phase in (CONNECTING, SESSION):
            self._fail(texts.TAKEN_OVER, "replaced")

    # Events from the browser

    def connection_changed(self, user: str, connection: str) -> None:
        """Store the state of the peer connection with somebody, and give up one that cannot come about."""
        member = self.participants.find(user)
        if member is None or member.connection == connection:
            return
        member.set_connection(connection)
        network = self.network
        if connection == "connected":
            self.notices.recovered()
        if connection in ("disconnected", "failed", "closed"):
            if member.expected:
                # Their connection cannot be repaired before they are back.
                return
            if member.gone or network.detached:
                self._drop(member)
            elif (
                connection == "failed" and not member.was_connected and not member.away and network.offline_for is None
            ):
                self._give_up(member)

    def negotiation_failed(self, user: str) -> None:
        """Remove somebody with whom a negotiation failed, unless there is a connection: that goes on as it was."""
        member = self.participants.find(user)
        if member is not None and not member.was_connected:
            self._remove_unreachable(member, texts.NEGOTIATION_FAILED)

    def connection_refused(self, user: str) -> None:
        """Remove somebody to whom this browser refuses to open a connection."""
        member = self.participants.find(user)
        if member is not None:
            self._remove_unreachable(member, texts.CONNECTION_REFUSED)

    def failure_reported(self, user: str) -> None:
        """Note that somebody's program reported an ICE failure."""
        member = self.participants.find(user)
        if member is not None and not member.was_connected:
            member.reported_failure = True

    def sound_negotiated(self, user: str, direction: str) -> None:
        """Store in which direction sound goes between this person and somebody (`RTCRtpTransceiverDirection`)."""
        member = self.participants.find(user)
        if member is not None:
            member.sound = direction

    def media_status_received(self, user: str, microphone: bool | None, camera: bool | None, screen: bool) -> None:
        """Store which of their devices somebody sends."""
        member = self.participants.find(user)
        if member is not None:
            member.microphone = microphone
            member.camera = camera
            if screen and not member.shared and self.layout.arrangement == layout.GRID:
                # Only the first shared screen overrides the person's choice of a grid.
                self.layout.arrangement = ""
            member.shared = member.shared or screen
            member.screen = screen

    def tick(self, now: float) -> list[str]:
        """Advance the time, and return the users to whom new paths are to be sought."""
        seconds, self._ticked = now - self._ticked, now
        self.notices.tick(now)
        network = self.network
        members = self.participants.members
        if self.stage == CONNECTED:
            offline = network.offline_for is not None
            self.summary.add(seconds, [member.rating(members, offline)[0] for member in members])
        if network.offline_for is not None:
            network.offline_for += seconds
        wanted = []
        for member in members[:]:
            member.elapse(seconds)
            if member.away or member.expected or not network.can_negotiate:
                continue
            if member.tick(seconds):
                wanted.append(member.user)
            # With relaying required and no TURN server there is no candidate to offer.
            hopeless = self.relay_only and not network.turn_available and not member.was_connected
            if member.unreachable or hopeless:
                self._give_up(member)
            elif not member.was_connected and member.waited >= CALLING_LONG_AFTER and self.stage == CALLING:
                self.notices.notice = texts.CALLING_LONG
        return wanted

    # Actions of the person

    def dismiss(self) -> None:
        """Clear the problems, because the person has read them."""
        self.notices.dismiss()
        self.devices.problem = ""

    def change_layout(self) -> None:
        """Switch between one large picture and a grid of equals."""
        self.layout.arrangement = layout.GRID if self.pictures[1] else layout.SPOTLIGHT
        self.layout.pinned = ""

    def hung_up(self) -> None:
        """End the call, because the person left it."""
        if self.phase == CONNECTING:
            self._enter(START)
        elif self.phase == SESSION:
            outcome = texts.HUNG_UP
            if self.role == HOST:
                outcome = texts.HUNG_UP_HOST if self.session.has_host_key else texts.YOU_ENDED
            self.notices.outcome = outcome
            self._end(self.role != HOST or self._reopens)

    # Consequences

    def _check_returned(self) -> None:
        """Note when nobody is expected to come back any more."""
        self.network.returning = self.network.returning and self.participants.any_expected

    def _detach(self) -> bool:
        """Go on without the server with those to whom there is a connection; False when there is none."""
        self.network.detached = self.participants.keep_connected()
        return self.network.detached

    def _drop(self, member: RemotePeer) -> None:
        """Remove a participant who is no longer a member of the session, and whose peer connection is lost as well."""
        members = self.participants.members
        members.remove(member)
        self.notices.notice = texts.LOST_WAITING
        if members or not self.network.detached:
            return
        if self.notices.outcome:
            self._end(True)
        else:
            self._fail(texts.SERVER_LOST)

    def _give_up(self, member: RemotePeer) -> None:
        """Stop the search for a path to somebody, and say why there is none."""
        if member.was_connected:
            self._remove_unreachable(member, texts.OTHER_LOST)
        elif member.reported_failure:
            self._remove_unreachable(member, texts.OTHER_REFUSED)
        else:
            own_choice = self.network.relay_only and not self.session.relay_only
            no_turn = texts.NO_PATH_RELAY_ONLY if own_choice else texts.NO_PATH
            self._remove_unreachable(member, texts.NO_PATH_WITH_TURN if self.network.turn_available else no_turn)

    def _remove_unreachable(self, member: RemotePeer, problem: str) -> None:
        """Remove somebody who cannot be reached; a guest who is alone with them fails, so that they can join again."""
        self.notices.problem = problem
        if self.role == HOST or len(self.participants.members) > 1:
            self.participants.members.remove(member)
            self.notices.notice = ""
        else:
            self._fail(problem)

    @property
    def _reopens(self) -> bool:
        """Whether this person can open the session again as its host."""
        return self.role == HOST and self.session.has_host_key

    def _end(self, returnable: bool) -> None:
        self.returnable = returnable
        self._close(ENDED)

    def _fail(self, problem: str, code: str = "") -> None:
        self._close(FAILED, problem, code)

    def _close(self, phase: str, problem: str = "", code: str = "") -> None:
        if self._enter(phase):
            self.participants.members = []
            self.notices.refused(code, problem)
