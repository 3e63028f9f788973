"""The switchboard: connections on one side, the hub on the other."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from signald.auth.passwords import PasswordLink
from signald.core.actions import Close, Send
from signald.core.errors import ErrorCode
from signald.core.hub import Hub
from signald.core.limits import Limits
from signald.core.messages import Pong
from signald.core.reconnect_window import ReconnectWindow
from signald.core.registry import MemoryRegistry
from signald.core.users import PeerId
from signald.dialects.dialect import Dialect
from signald.dialects.native import Native
from signald.dialects.serde import Serde
from signald.server.switchboard import Switchboard
from tests.support.access import find_link, open_access
from tests.support.world import HOME, HOST_SECRET, counting_bytes


class FakeConnection:
    """Notes what is sent and how it is closed.

    Attributes:
        frames: what was sent.
        closed: with which code and reason.
        on_send: called with each frame; what a connection does that breaks while it is written to.

    """

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.closed: list[tuple[int, str]] = []
        self.on_send: Callable[[bytes], None] = lambda _: None

    def send(self, frame: bytes) -> None:
        """Note a frame."""
        self.frames.append(frame)
        self.on_send(frame)

    def close(self, code: int, reason: str) -> None:
        """Note the closing."""
        self.closed.append((code, reason))

    def last(self) -> Any:
        """The last frame's JSON."""
        return json.loads(self.frames[-1])


def run_at_once(call: Callable[[], str]) -> Deferred[str]:
    """Call it here and now, in the place of a thread."""
    return maybeDeferred(call)


def make_switchboard(clock: Clock, limits: Limits | None = None) -> Switchboard:
    """A switchboard with an empty hub."""
    limits = limits or Limits()
    hub = Hub(limits=limits, server="signald/test")
    registry = MemoryRegistry(counting_bytes(), limits, HOST_SECRET)
    return Switchboard(hub, registry, open_access(registry, run_at_once), clock)


class SwitchboardTests(SynchronousTestCase):
    """Facts in, actions carried out."""

    def setUp(self) -> None:
        """An empty switchboard."""
        self.clock = Clock()
        self.switchboard = make_switchboard(self.clock, Limits(message_burst=20))

    def open(self, dialect: Dialect) -> tuple[FakeConnection, PeerId]:
        """Open a connection."""
        connection = FakeConnection()
        return connection, self.switchboard.opened(connection, dialect, HOME)

    def host(self) -> tuple[FakeConnection, PeerId, str]:
        """A native connection that hosts a session."""
        connection, peer = self.open(Native())
        self.switchboard.received(peer, b'{"type":"hello","version":1}')
        self.switchboard.received(peer, b'{"type":"open"}')
        return connection, peer, connection.last()["session"]

    def test_a_request_is_answered(self) -> None:
        """In the connection's own dialect."""
        connection, peer = self.open(Native())
        self.switchboard.received(peer, b'{"type":"ping","id":"1"}')
        self.assertEqual(connection.frames, [b'{"type":"pong","id":"1"}'])

    def test_a_dialect_may_speak_first(self) -> None:
        """The original's clients are welcomed as soon as they connect."""
        connection, _ = self.open(Serde())
        self.assertEqual(connection.frames, [b'{"NewUser":"00000000000000000000000001"}'])

    def test_a_malformed_frame_is_answered_and_nobody_else_hears(self) -> None:
        """With what could be read of it."""
        host, peer, _ = self.host()
        other, _, _ = self.host()
        heard = len(other.frames)
        self.switchboard.received(peer, b'{"type":"join","id":"9"}')
        self.assertEqual(host.last()["code"], "bad-message")
        self.assertEqual((host.last()["id"], host.last()["about"]), ("9", "join"))
        self.assertEqual(len(other.frames), heard)
        self.assertEqual(host.closed, [])

    def test_an_error_may_close(self) -> None:
        """Where the dialect cannot say it, and where a budget is used up."""
        connection, peer = self.open(Serde())
        self.switchboard.received(peer, b"{")
        self.assertEqual(connection.closed, [(1007, "bad-message")])
        flooder, peer = self.open(Native())
        for _ in range(21):
            self.switchboard.received(peer, b'{"type":"ping"}')
        self.assertEqual(flooder.closed, [(1008, "too-many-messages")])

    def test_a_closed_connection_is_forgotten(self) -> None:
        """The others are told, its state is gone, and late frames are passed over."""
        host, host_peer, session = self.host()
        guest, guest_peer = self.open(Native())
        self.switchboard.received(guest_peer, b'{"type":"hello","version":1}')
        self.switchboard.received(guest_peer, json.dumps({"type": "join", "session": session}).encode())
        self.switchboard.closed(guest_peer)
        self.switchboard.closed(guest_peer)
        self.assertEqual(host.last()["type"], "member-left")
        heard = len(guest.frames)
        self.switchboard.received(guest_peer, b'{"type":"ping"}')
        self.assertEqual(len(guest.frames), heard)
        self.switchboard.closed(host_peer)
        self.assertEqual((self.switchboard.hub.peers, self.switchboard.hub.users), ({}, {}))

    def test_a_connection_that_breaks_while_it_is_written_to(self) -> None:
        """Its end is the next fact, after the actions that are under way; all others hear both in order."""
        host, _, session = self.host()
        guest, guest_peer = self.open(Native())
        self.switchboard.received(guest_peer, b'{"type":"hello","version":1}')
        guest.on_send = lambda _: self.switchboard.closed(guest_peer)
        self.switchboard.received(guest_peer, json.dumps({"type": "join", "session": session}).encode())
        self.assertEqual([json.loads(frame)["type"] for frame in host.frames[-2:]], ["member-joined", "member-left"])

    def test_time_passes(self) -> None:
        """Deadlines are looked at in each tick."""
        connection, _ = self.open(Native())
        self.clock.advance(11)
        self.switchboard.tick()
        self.assertEqual(connection.closed, [(1008, "hello-timeout")])

    def test_debug_writes_a_line_without_ids(self) -> None:
        """How many users and sessions there are, and nothing else."""
        events: list[LogEvent] = []
        observer = cast(ILogObserver, events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        connection, peer = self.open(Serde())
        self.switchboard.received(peer, b'"Debug"')
        [event] = [event for event in events if "counts" in (event.get("log_format") or "")]
        self.assertEqual((event["users"], event["sessions"]), (1, 0))
        self.assertEqual(len(connection.frames), 1)

    def test_how_a_connection_ends_says_what_becomes_of_its_user(self) -> None:
        """1000 leaves, 1001 is a page that may be loaded anew, all else a loss (RFC 6455 §7.4.1)."""
        for code, seconds in ((1000, 0.0), (1001, 5.0), (1006, 30.0), (None, 30.0)):
            host, host_peer, session = self.host()
            _, guest_peer = self.open(Native())
            self.say(guest_peer, type="hello", version=1, instance="one")
            self.say(guest_peer, type="join", session=session)
            self.switchboard.closed(guest_peer, code)
            if seconds:
                self.assertEqual(host.last()["type"], "member-away")
                self.clock.advance(seconds - 0.1)
                self.switchboard.tick()
                self.assertEqual(host.last()["type"], "member-away")
                self.clock.advance(0.2)
                self.switchboard.tick()
            self.assertEqual(host.last()["type"], "member-left")
            self.assertEqual(host.last()["reason"], "gone" if seconds else "left")
            self.switchboard.closed(host_peer)

    def say(self, peer: PeerId, **message: object) -> None:
        """Say a message in the native dialect."""
        self.switchboard.received(peer, json.dumps(message).encode())

    def test_who_is_welcomed_is_told_that_the_server_stops(self) -> None:
        """Each another time, so that not all come back at once; serde clients could not hear it."""
        jitters = iter((0.25, 0.5, 0.75))
        first, _, _ = self.host()
        second, _, _ = self.host()
        silent, _ = self.open(Native())
        serde, _ = self.open(Serde())
        heard = len(serde.frames)
        self.switchboard.stopping(ReconnectWindow(2.0, 4.0), lambda: next(jitters))
        self.assertEqual(first.last(), {"type": "going-away", "after": 3.0})
        self.assertEqual(second.last(), {"type": "going-away", "after": 4.0})
        self.assertEqual((silent.frames, len(serde.frames)), ([], heard))

    def test_a_password_is_checked_elsewhere_and_others_go_on(self) -> None:
        """What the same peer says meanwhile waits in order."""
        calls: list[Callable[[], object]] = []
        find_link(self.switchboard.access, PasswordLink).run = lambda call: held(calls, call)
        host, peer = self.open(Native())
        self.say(peer, type="hello", version=1)
        self.say(peer, type="open", id="1", password="sesame")
        self.say(peer, type="ping", id="2")
        other, _, _ = self.host()
        self.assertEqual((host.last()["type"], other.last()["type"]), ("welcome", "opened"))
        calls.pop()()
        opened, pong = (json.loads(frame) for frame in host.frames[-2:])
        self.assertEqual((opened["id"], pong["id"]), ("1", "2"))
        guest, guest_peer = self.open(Native())
        self.say(guest_peer, type="hello", version=1)
        for password, expected in (("guess", "wrong-password"), ("sesame", None)):
            self.say(guest_peer, type="join", session=opened["session"], password=password)
            calls.pop()()
            self.assertEqual(guest.last().get("code"), expected)

    def test_a_check_that_fails_is_told_and_logged(self) -> None:
        """The one who asked gets `internal-error`, and can go on."""

        def broken(_: Callable[[], str]) -> Deferred[str]:
            return fail(RuntimeError("no thread"))

        find_link(self.switchboard.access, PasswordLink).run = broken
        connection, peer = self.open(Native())
        self.say(peer, type="hello", version=1)
        self.say(peer, type="open", id="1", password="sesame")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual((connection.last()["code"], connection.last()["id"]), ("internal-error", "1"))
        self.say(peer, type="open", id="2")
        self.assertEqual(connection.last()["type"], "opened")

    def test_a_decision_that_cannot_be_begun_is_told_and_logged(self) -> None:
        """The one who asked gets `internal-error`, and can go on."""
        connection, peer = self.open(Native())
        self.say(peer, type="hello", version=1)
        access, self.switchboard.access = self.switchboard.access, cast(Any, None)
        self.say(peer, type="open", id="1")
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 1)
        self.assertEqual((connection.last()["code"], connection.last()["id"]), ("internal-error", "1"))
        self.switchboard.access = access
        self.say(peer, type="open", id="2")
        self.assertEqual(connection.last()["type"], "opened")

    def test_what_is_for_a_connection_that_is_gone_is_passed_over(self) -> None:
        """Its user may be there still; neither a frame nor a closing has anywhere to go."""
        connection, peer = self.open(Native())
        self.switchboard.closed(peer)
        self.switchboard._act([Send(peer, Pong()), Close(peer, ErrorCode.REPLACED)])
        self.assertEqual((connection.frames, connection.closed), ([], []))


def held(calls: list[Callable[[], object]], call: Callable[[], str]) -> Deferred[str]:
    """Hold a call back until the test makes it."""
    done: Deferred[str] = Deferred()
    calls.append(lambda: maybeDeferred(call).chainDeferred(done))
    return done
