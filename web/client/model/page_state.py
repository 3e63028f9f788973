"""What the page knows and what follows from what happens: pure, and told the time."""

from __future__ import annotations

from . import layout, texts
from .devices import AUDIO, VIDEO, Device
from .remote_peer import GIVE_UP_AFTER, RemotePeer

__all__ = ["GUEST", "HOST", "PageState"]

# Phases of the page.
LOADING = "loading"
START = "start"
CONNECTING = "connecting"
SESSION = "session"
ENDED = "ended"
FAILED = "failed"
TEST = "test"

NEXT = {
    LOADING: (START, FAILED, TEST),
    START: (CONNECTING, TEST),
    CONNECTING: (SESSION, START, FAILED),
    SESSION: (ENDED, FAILED, CONNECTING),
    ENDED: (START,),
    FAILED: (START, CONNECTING),
    TEST: (START,),
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


NEWS_FOR = 8.0
"""Seconds for which the person is told what changed in a call, where it can be seen elsewhere as well."""


class PageState:
    """Everything that the page shows follows from this.

    Attributes:
        phase: one of the phases above.
        role: `host` or `guest` of the session that was last begun.
        session: its canonical id, empty until it is known.
        link: the invitation to it.
        link_only_here: whether the link works on this computer only.
        invited: the id that the page's address named, or empty.
        own: whether this person has the host key of the call that it names.
        progress: what is being done while connecting.
        notice: what has happened in the session, if it is worth saying.
        problem: what went wrong, in a sentence; empty while nothing did.
        alarm: a danger in the call, in a sentence, until the person has read it.
        outcome: how the session ended.
        others: the other people, in the order in which they came.
        adrift: whether the server has lost sight of a call that goes on.
        offline: seconds for which the connection to the server has been lost; None while there is one.
        password_wanted: whether the call that the person joins has a password.
        password: what those who join have to know, where this person chose it; else empty.
        leaving: the user whom this person makes the host so as to leave then; empty for nobody.
        locked: whether nobody may join any more.
        lobby: whether the host lets in each who joins.
        can_share: whether the browser can show the screen.
        can_flip: whether there is a camera that looks the other way.
        full_screen: whether the page fills the screen.
        sharing: whether the own screen is shown to the others.
        relay_only: whether the person hides their address: connections from now on go through a TURN server alone.
        relayed: whether everybody in the session connects through a TURN server alone; before the session is opened,
            whether this person wants it so.
        knocks: those who wait to be let in by this person, by user, and what they call themselves.
        turn: whether the server names a TURN server.
        browser: the browser's family (`devices.browser_family`).
        microphone: the own one.
        camera: the own one.
        hints: whether the person wants to be told when they talk while muted, which keeps the microphone on.
        talking: whether they do.
        front_camera: whether the camera looks at the person, who then sees themselves as in a mirror.
        pinned: the picture that the person wants large (`layout`); empty for none.
        arrangement: `GRID` or `SPOTLIGHT` of `layout`, if the person wants one of them; else empty.
        speaker: the user who speaks, or spoke last; empty for nobody.
        swapped: whether the own picture is the large one.
        corner: where the own picture is (`layout`).
        side: what is shown beside the call: `chat`, `people`, or empty for nothing.
        preview: whether the person asked to see themselves before a call.
        sound_blocked: whether the browser wants a click before it plays sound.
        device_problem: what is wrong with them, in a sentence, until the person has read it.
        unread: how many messages the person has not seen.
        copied: whether the link was copied a moment ago.

    """

    def __init__(self) -> None:
        self.phase = LOADING
        self.role = ""
        self.session = ""
        self.link = ""
        self.link_only_here = False
        self.invited = ""
        self.own = False
        self.progress = ""
        self.notice = ""
        self.problem = ""
        self.alarm = ""
        self.outcome = ""
        self.others: list[RemotePeer] = []
        self.adrift = False
        self.offline: float | None = None
        self.password_wanted = False
        self.password = ""
        self.leaving = ""
        self._news = ""
        self._news_until = 0.0
        self.locked = False
        self.lobby = False
        self.can_share = False
        self.can_flip = False
        self.full_screen = False
        self.sharing = False
        self.relay_only = False
        self.relayed = False
        self.knocks: dict[str, str] = {}
        self.turn = False
        self._moved = False
        self._ticked = 0.0
        self.browser = "chromium"
        self.microphone = Device(AUDIO)
        self.camera = Device(VIDEO)
        self.hints = True
        self.talking = False
        self.front_camera = True
        self.pinned = ""
        self.arrangement = ""
        self.speaker = ""
        self.swapped = False
        self.corner = layout.CORNERS[0]
        self.side = ""
        self.preview = False
        self.sound_blocked = False
        self.device_problem = ""
        self.unread = 0
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

    def ready(self, invited: str, problem: str = "", own: bool = False) -> None:
        """The start screen works; `invited` is the id in the page's address, or `problem` says what is wrong there."""
        if self.phase in (LOADING, START, TEST):
            self.phase = START
            self.invited = invited
            self.own = own
            self.problem = problem

    def test(self) -> bool:
        """The person wants to see whether calls work here; False when this is not the moment, or that is shown."""
        if self.phase not in (LOADING, START):
            return False
        self.phase = TEST
        self.dismissed()
        self.preview = False
        return True

    def begin(self, role: str, session: str = "") -> bool:
        """A call is to be started or joined; False when this is not the moment."""
        if not self._enter(CONNECTING):
            return False
        self.role = role
        self.session = session
        self.link = self.notice = self.problem = self.alarm = self.outcome = ""
        self.others = []
        self.adrift = False
        self.offline = None
        self.knocks = {}
        self.password = self.leaving = self._news = ""
        self.locked = self.lobby = False
        self.sound_blocked = self.talking = self.swapped = False
        self.arrangement = self.pinned = self.speaker = self.side = ""
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

    def joined(self, session: str, role: str, others: list[RemotePeer]) -> None:
        """The person is in the session, and these are there already; also after the connections begin anew."""
        if self.phase == SESSION or self._enter(SESSION):
            self.session = session
            self.role = role
            self.others = others
            self.password_wanted = False
            self.knocks = {}
            self.leaving = ""

    def waiting(self, reason: str) -> None:
        """The person is not in the session yet: the host is not there, or has to let them in."""
        if self.phase == CONNECTING:
            self.progress = texts.WAITING_FOR.get(reason, texts.JOINING)

    def turned_away(self, reason: str) -> None:
        """The person waits no longer, and is not let in."""
        if self._enter(START):
            self.problem = texts.TURNED_AWAY.get(reason, texts.CALL_OVER)

    def refused(self, about: str | None, code: str, sentence: str) -> None:
        """The server refused a request; a call that cannot be opened or joined goes back to the start screen."""
        if about == "hand-over":
            self.leaving = ""
        if self.phase == CONNECTING:
            if about in ("hello", "resume"):
                self._fail(sentence)
            else:
                self._enter(START)
                self.password_wanted = code in ("password-needed", "wrong-password")
        self.problem = sentence

    def arrived(self, other: RemotePeer) -> None:
        """Somebody joined."""
        if self.phase != SESSION:
            return
        # Whoever the server no longer knows makes room.
        self.others = [known for known in self.others if not known.gone and known.user != other.user]
        self.others.append(other)
        self._go_on()

    def renewed(self, user: str) -> None:
        """Somebody is back without what they knew: the connection with them begins anew."""
        other = self.other(user)
        if other is not None:
            other.away = False
            other.renewed()

    def presence(self, user: str, away: bool) -> None:
        """Somebody lost the connection to the server, or is back."""
        other = self.other(user)
        if other is not None:
            other.away = away
            if not away:
                other.hurry()

    def knocked(self, user: str, name: str) -> None:
        """Somebody wants to be let in by this person."""
        self.knocks[user] = name

    def knock_over(self, user: str) -> None:
        """They want it no longer, or are in."""
        self.knocks.pop(user, None)

    def handed_over(self, user: str, me: str | None) -> None:
        """Somebody is the host now."""
        if self.phase != SESSION:
            return
        self.role = HOST if user == me else GUEST
        self.knocks = {}
        news = texts.YOU_ARE_HOST
        for other in self.others:
            other.host = other.user == user
            if other.host:
                news = texts.IS_HOST.format(other.name or texts.SOMEBODY)
        self.news(news)
        leaving, self.leaving = self.leaving, ""
        if leaving == user:
            self.outcome = texts.HUNG_UP + " " + news
            self._end()

    def settings(self, locked: bool, lobby: bool, changed: bool = False) -> None:
        """The session is locked or not, and has a lobby or not; `changed`: the host has just seen to that."""
        if changed and locked != self.locked:
            self.news(texts.LOCKED if locked else texts.UNLOCKED)
        self.locked = locked
        self.lobby = lobby

    def news(self, sentence: str) -> None:
        """The person is to be told this for a few seconds."""
        self.notice = self._news = sentence
        self._news_until = self._ticked + NEWS_FOR

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

    def interrupted_server(self) -> None:
        """The connection to the server is lost, and comes back by itself."""
        if self.offline is None:
            self.offline = 0.0

    def reached_server(self) -> None:
        """The connection to the server is there; what broke meanwhile is mended at once."""
        self.offline = None
        for other in self.others:
            other.hurry()
            if self._moved:
                other.moved()
        self._moved = False

    def network_changed(self) -> None:
        """The browser says so: when the server is reached again, new paths are sought to everybody."""
        self._moved = True

    def left_behind(self) -> None:
        """The server does not know this person any more, who joins anew."""
        if self.phase == SESSION and self._enter(CONNECTING):
            self.others = []
            self.knocks = {}

    def taken_over(self) -> None:
        """Another tab is this person now."""
        if self.phase in (CONNECTING, SESSION):
            self._fail(texts.TAKEN_OVER)

    # What the browser says

    def connection_changed(self, user: str, connection: str) -> None:
        """The peer connection with somebody is in another state."""
        other = self.other(user)
        if other is None or other.connection == connection:
            return
        other.changed(connection)
        if connection == "connected":
            self._go_on()
        if connection in ("disconnected", "failed", "closed"):
            if other.gone or self.adrift:
                self._drop(other)
            elif connection == "failed" and not other.was_connected and not other.away and self.offline is None:
                self._give_up(other)

    def disagreed(self, user: str) -> None:
        """A negotiation with somebody came to nothing; where there is a connection, it goes on as it was."""
        other = self.other(user)
        if other is not None and not other.was_connected:
            self._without(other, texts.NEGOTIATION_FAILED)

    def presented(self, user: str, microphone: bool | None, camera: bool | None, screen: bool) -> None:
        """Somebody's page tells which of their devices it sends."""
        other = self.other(user)
        if other is not None:
            other.microphone = microphone
            other.camera = camera
            if screen and not other.showed and self.arrangement == layout.GRID:
                # Once: nobody takes the person's choice away again and again.
                self.arrangement = ""
            other.showed = other.showed or screen
            other.screen = screen

    def screen_refused(self) -> None:
        """The browser cannot show the screen, though the person wanted it."""
        self.problem = texts.SCREEN_REFUSED

    def tick(self, now: float) -> list[str]:
        """Time goes on. Return the users with whom new paths are to be sought."""
        seconds, self._ticked = now - self._ticked, now
        if self._news and now >= self._news_until:
            if self.notice == self._news:
                self.notice = ""
            self._news = ""
        if self.offline is not None:
            self.offline += seconds
        wanted = []
        for other in self.others[:]:
            other.count(seconds)
            # Without the server, on either side, nothing could be agreed.
            if other.away or (self.offline is not None and not self.adrift):
                continue
            if other.tick(seconds):
                wanted.append(other.user)
            # Without a server to hide behind, who hides their address has none to offer.
            hopeless = self.hides and not self.turn and not other.was_connected
            if other.waited >= GIVE_UP_AFTER or hopeless:
                self._give_up(other)
            elif not other.was_connected and other.waited >= CALLING_LONG_AFTER and self.stage == CALLING:
                self.notice = texts.CALLING_LONG
        return wanted

    # What the person does

    def devices_changed(self) -> None:
        """The camera or the microphone does something else now."""
        self.device_problem = texts.devices_problem(self.microphone, self.camera, self.browser)

    def dismissed(self) -> None:
        """The person has read what went wrong."""
        self.problem = self.device_problem = self.alarm = ""

    def pin(self, picture: str) -> None:
        """The person wants this picture large, or no longer."""
        self.pinned = "" if self.pinned == picture else picture
        self.swapped = False

    def change_layout(self) -> None:
        """The person wants one picture large, or all alike."""
        self.arrangement = layout.GRID if self.pictures[1] else layout.SPOTLIGHT
        self.pinned = ""

    def swap(self) -> None:
        """The person wants their own picture large, or small again."""
        self.swapped = not self.swapped

    def show_side(self, side: str) -> None:
        """The person opens what is beside the call, or closes it."""
        self.side = "" if self.side == side else side

    def hung_up(self) -> None:
        """The person ended their part."""
        if self.phase == CONNECTING:
            self._enter(START)
        elif self.phase == SESSION:
            self.outcome = texts.HUNG_UP
            if self.role == HOST:
                self.outcome = texts.HUNG_UP_HOST if self.own else texts.YOU_ENDED
            self._end()

    # Questions

    def other(self, user: str) -> RemotePeer | None:
        """Return the other person who is this user; None when nobody is."""
        for other in self.others:
            if other.user == user:
                return other
        return None

    @property
    def pictures(self) -> tuple[list[str], str]:
        """The pictures of the others, and the large one (`layout.arrange`)."""
        return layout.arrange(self.others, self.pinned, self.arrangement, self.speaker)

    @property
    def leads(self) -> bool:
        """Whether this person is the host of others, whom the server can tell what becomes of the call."""
        return self.in_session and self.role == HOST and not self.adrift and bool(self.others)

    @property
    def in_session(self) -> bool:
        """Whether the person is in a session, be it alone."""
        return self.phase == SESSION

    @property
    def hides(self) -> bool:
        """Whether connections go through a TURN server alone."""
        return self.relay_only or self.relayed

    @property
    def interrupted(self) -> bool:
        """Whether nothing comes at present from somebody with whom there was a connection."""
        return any(other.interrupted for other in self.others)

    # What follows

    def _go_on(self) -> None:
        """What was wrong is over; news are told to their end."""
        self.problem = ""
        self.notice = self._news

    def _drift(self) -> bool:
        """Keep those with whom there is a connection, without the server; False when there is none."""
        self.others = [other for other in self.others if other.connection == "connected"]
        self.adrift = bool(self.others)
        return self.adrift

    def _drop(self, other: RemotePeer) -> None:
        """Somebody whom the server no longer knows is out of reach, too."""
        self.others.remove(other)
        self.notice = texts.LOST_WAITING
        if self.others or not self.adrift:
            return
        if self.outcome:
            self._end()
        else:
            self._fail(texts.SERVER_LOST)

    def _give_up(self, other: RemotePeer) -> None:
        """There is no path to somebody."""
        if other.was_connected:
            self._without(other, texts.OTHER_LOST)
        else:
            no_turn = texts.NO_PATH_RELAY_ONLY if self.relay_only and not self.relayed else texts.NO_PATH
            self._without(other, texts.NO_PATH_WITH_TURN if self.turn else no_turn)

    def _without(self, other: RemotePeer, problem: str) -> None:
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
