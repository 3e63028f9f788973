"""What the page knows and what follows from what happens: pure, and told the time."""

from __future__ import annotations

from . import texts
from .devices import AUDIO, VIDEO, Device

__all__ = ["GUEST", "HOST", "Other", "PageState"]

# Phases of the page.
LOADING = "loading"
START = "start"
CONNECTING = "connecting"
SESSION = "session"
ENDED = "ended"
FAILED = "failed"

NEXT = {
    LOADING: (START, FAILED),
    START: (CONNECTING,),
    CONNECTING: (SESSION, START, FAILED),
    SESSION: (ENDED, FAILED),
    ENDED: (START,),
    FAILED: (START, CONNECTING),
}
"""The phases that may follow a phase."""

# Stages of a session, which follow from the others in it.
WAITING = "waiting"
CALLING = "calling"
CONNECTED = "connected"

HOST = "host"
GUEST = "guest"

CALLING_LONG_AFTER = 8.0
"""Seconds without a path after which the person is told that the search goes on."""

RESTART_AFTER = 3.0
"""Seconds of interruption after which new paths are sought; shorter ones mostly pass by themselves."""

GIVE_UP_AFTER = 30.0
"""Seconds without a connection after which the other person is taken to be out of reach.

A browser that has no candidates at all never says that it failed.
"""


class Other:
    """Another person in the call.

    Attributes:
        user: who.
        connection: the state of the peer connection with them (WebRTC 1.0 `RTCPeerConnectionState`).
        was_connected: whether it ever was `connected`.
        gone: whether the server no longer knows of them, while the call with them goes on.
        since: seconds of the page's clock when they came, or the connection was made or interrupted.
        restarted: whether new paths were sought since then.

    """

    def __init__(self, user: str, now: float) -> None:
        self.user = user
        self.connection = "new"
        self.was_connected = False
        self.gone = False
        self.since = now
        self.restarted = False


class PageState:
    """Everything that the page shows follows from this.

    Attributes:
        phase: one of the phases above.
        role: `host` or `guest` of the session that was last begun.
        session: its canonical id, empty until it is known.
        link: the invitation to it.
        link_only_here: whether the link works on this computer only.
        invited: the id that the page's address named, or empty.
        progress: what is being done while connecting.
        notice: what has happened in the session, if it is worth saying.
        problem: what went wrong, in a sentence; empty while nothing did.
        outcome: how the session ended.
        others: the other people, in the order in which they came.
        adrift: whether the server has lost sight of a call that goes on.
        turn: whether the server names a TURN server.
        microphone: the own one.
        camera: the own one.
        preview: whether the person asked to see themselves before a call.
        sound_blocked: whether the browser wants a click before it plays sound.
        device_problem: what is wrong with them, in a sentence, until the person has read it.
        copied: whether the link was copied a moment ago.

    """

    def __init__(self) -> None:
        self.phase = LOADING
        self.role = ""
        self.session = ""
        self.link = ""
        self.link_only_here = False
        self.invited = ""
        self.progress = ""
        self.notice = ""
        self.problem = ""
        self.outcome = ""
        self.others: list[Other] = []
        self.adrift = False
        self.turn = False
        self.microphone = Device(AUDIO)
        self.camera = Device(VIDEO)
        self.preview = False
        self.sound_blocked = False
        self.device_problem = ""
        self.copied = False

    @property
    def stage(self) -> str:
        """What the page as a whole shows: the phase, or how far the session is."""
        if self.phase != SESSION:
            return self.phase
        if not self.others:
            return WAITING
        return CONNECTED if self._any_connected() else CALLING

    def _any_connected(self) -> bool:
        return any(other.was_connected for other in self.others)

    def _enter(self, phase: str) -> bool:
        """Change the phase if it may follow; else nothing happens."""
        if phase not in NEXT[self.phase]:
            return False
        self.phase = phase
        return True

    # Before a call

    def ready(self, invited: str, problem: str = "") -> None:
        """The start screen works; `invited` is the id in the page's address, or `problem` says what is wrong there."""
        if self.phase in (LOADING, START):
            self.phase = START
            self.invited = invited
            self.problem = problem

    def begin(self, role: str, session: str = "") -> bool:
        """A call is to be started or joined; False when this is not the moment."""
        if not self._enter(CONNECTING):
            return False
        self.role = role
        self.session = session
        self.link = self.notice = self.problem = self.outcome = ""
        self.others = []
        self.adrift = False
        self.sound_blocked = False
        return True

    def restart(self) -> None:
        """Back to the start screen."""
        if self._enter(START):
            self.dismissed()
            self.preview = False

    def cannot_call(self, problem: str) -> None:
        """The browser cannot make calls at all."""
        self._enter(FAILED)
        self.problem = problem

    # What the server says

    def opened(self, session: str, link: str, only_here: bool) -> None:
        """The session is open, with this person as its host."""
        if self._enter(SESSION):
            self.session = session
            self.link = link
            self.link_only_here = only_here

    def joined(self, session: str, users: list[str], now: float) -> None:
        """The person is a guest now, and these are there already."""
        if self._enter(SESSION):
            self.session = session
            self.others = [Other(user, now) for user in users]

    def refused(self, about: str | None, sentence: str) -> None:
        """The server refused a request; a call that cannot be opened or joined goes back to the start screen."""
        if self.phase == CONNECTING:
            if about == "hello":
                self._fail(sentence)
            else:
                self._enter(START)
        self.problem = sentence

    def arrived(self, user: str, now: float) -> None:
        """Somebody joined."""
        if self.phase != SESSION:
            return
        # Whoever the server no longer knows makes room.
        self.others = [other for other in self.others if not other.gone]
        self.others.append(Other(user, now))
        self.notice = self.problem = ""

    def departed(self, user: str, reason: str) -> None:
        """Somebody left, or the server lost sight of them; what goes on between the browsers is left alone."""
        other = self.other(user)
        if other is None:
            return
        if reason == "gone" and other.connection == "connected":
            other.gone = True
            self.notice = texts.OTHER_LOST_SERVER
            return
        self.others.remove(other)
        self.notice = texts.LOST_WAITING if reason == "gone" else texts.LEFT_WAITING

    def session_ended(self, reason: str) -> None:
        """The session is no more; a call with a host who only lost the server goes on."""
        if self.phase != SESSION:
            return
        self.outcome = texts.ENDED.get(reason, texts.CALL_OVER)
        if reason == "host-gone" and self._drift():
            self.notice = texts.OTHER_LOST_SERVER
        else:
            self._end()

    def server_lost(self, problem: str) -> None:
        """The connection to the server is over; a call that is connected goes on."""
        if self.phase == SESSION and self._drift():
            self.outcome = ""
            self.notice = texts.SERVER_LOST_CONNECTED
        elif self.phase in (CONNECTING, SESSION):
            self._fail(problem)

    # What the browser says

    def connection_changed(self, user: str, connection: str, now: float) -> None:
        """The peer connection with somebody is in another state."""
        other = self.other(user)
        if other is None or other.connection == connection:
            return
        if "connected" in (other.connection, connection):
            # An interruption is one, whatever its steps.
            other.since = now
        other.connection = connection
        if connection == "connected":
            other.was_connected = True
            other.restarted = False
            self.problem = self.notice = ""
        if connection in ("disconnected", "failed", "closed"):
            if other.gone or self.adrift:
                self._drop(other)
            elif connection == "failed" and not other.was_connected:
                self._give_up(other)

    def disagreed(self, user: str) -> None:
        """A negotiation with somebody came to nothing; where there is a connection, it goes on as it was."""
        other = self.other(user)
        if other is not None and not other.was_connected:
            self._without(other, texts.NEGOTIATION_FAILED)

    def tick(self, now: float) -> list[str]:
        """Time goes on. Return the users with whom new paths are to be sought."""
        wanted = []
        for other in self.others[:]:
            waited = now - other.since
            if other.connection == "connected":
                continue
            if waited >= GIVE_UP_AFTER:
                self._give_up(other)
            elif not other.was_connected:
                if waited >= CALLING_LONG_AFTER and self.stage == CALLING:
                    self.notice = texts.CALLING_LONG
            elif waited >= RESTART_AFTER and not other.restarted:
                other.restarted = True
                wanted.append(other.user)
        return wanted

    # What the person does

    def devices_changed(self) -> None:
        """The camera or the microphone does something else now."""
        self.device_problem = texts.devices_problem(self.microphone, self.camera)

    def dismissed(self) -> None:
        """The person has read what went wrong."""
        self.problem = self.device_problem = ""

    def hung_up(self) -> None:
        """The person ended their part."""
        if self.phase == CONNECTING:
            self._enter(START)
        elif self.phase == SESSION:
            self.outcome = texts.HUNG_UP_HOST if self.role == HOST else texts.HUNG_UP
            self._end()

    # Questions

    def other(self, user: str) -> Other | None:
        """Return the other person who is this user; None when nobody is."""
        for other in self.others:
            if other.user == user:
                return other
        return None

    @property
    def interrupted(self) -> bool:
        """Whether nothing comes at present from somebody with whom there was a connection."""
        return any(other.was_connected and other.connection != "connected" for other in self.others)

    # What follows

    def _drift(self) -> bool:
        """Keep those with whom there is a connection, without the server; False when there is none."""
        self.others = [other for other in self.others if other.connection == "connected"]
        self.adrift = bool(self.others)
        return self.adrift

    def _drop(self, other: Other) -> None:
        """Somebody whom the server no longer knows is out of reach, too."""
        self.others.remove(other)
        self.notice = texts.LOST_WAITING
        if self.others or not self.adrift:
            return
        if self.outcome:
            self._end()
        else:
            self._fail(texts.SERVER_LOST)

    def _give_up(self, other: Other) -> None:
        """There is no path to somebody."""
        if other.was_connected:
            self._without(other, texts.OTHER_LOST)
        else:
            self._without(other, texts.NO_PATH_WITH_TURN if self.turn else texts.NO_PATH)

    def _without(self, other: Other, problem: str) -> None:
        """Somebody cannot be reached. A guest leaves, so as to join anew; a host keeps the session open for that."""
        self.problem = problem
        if self.role == HOST or len(self.others) > 1:
            self.others.remove(other)
            self.notice = ""
        else:
            self._fail(self.problem)

    def _end(self) -> None:
        self._enter(ENDED)
        self.others = []
        self.problem = ""

    def _fail(self, problem: str) -> None:
        self._enter(FAILED)
        self.others = []
        self.problem = problem
