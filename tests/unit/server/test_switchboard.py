"""The switchboard connects the clients' connections with the hub."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from signald.auth.passwords import PasswordLink
from signald.core.actions import Close, Decide, Send
from signald.core.decisions import EndIdentity
from signald.core.errors import ErrorCode
from signald.core.limits import Limits
from signald.core.messages import Event, ForwardedMessage, LeaveReason, Ping, Pong, UserId
from signald.core.reconnect_window import ReconnectWindow
from signald.core.users import DecisionId
from signald.dialects.dialect import CloseFrame, Dialect
from signald.dialects.native import Native
from signald.dialects.serde import Serde
from tests.support.access import find_link
from tests.support.connections import MemoryConnection, make_switchboard


class SwitchboardTests(SynchronousTestCase):
    """The switchboard reports facts to the hub and carries out its actions."""

    def setUp(self) -> None:
        """Create an empty switchboard."""
        self.clock = Clock()
        self.switchboard = make_switchboard(self.clock, Limits(message_burst=20))

    def open(self, dialect: Dialect | None = None) -> MemoryConnection:
        """Open a connection, in the native dialect unless another one is given."""
        return MemoryConnection(self.switchboard, dialect)

    def host(self) -> tuple[MemoryConnection, str]:
        """Open a native connection that hosts a session; return the connection and the session's id."""
        connection = self.open()
        connection.say(type="hello", version=1)
        connection.say(type="open")
        return connection, connection.last()["session"]

    def test_a_request_is_answered(self) -> None:
        """A request is answered in the dialect of its connection."""
        connection = self.open()
        connection.say(type="ping", id="1")
        self.assertEqual(connection.frames, [b'{"type":"pong","id":"1"}'])

    def test_a_dialect_may_speak_first(self) -> None:
        """Clients of the original protocol get their welcome as soon as they connect, without a request."""
        connection = self.open(Serde())
        self.assertEqual(connection.frames, [b'{"NewUser":"00000000000000000000000001"}'])

    def test_a_malformed_frame_is_answered_and_nobody_else_hears(self) -> None:
        """The error names the request and its id as far as they can be read, and other members are sent nothing."""
        host, _ = self.host()
        other, _ = self.host()
        heard = len(other.frames)
        host.say(type="join", id="9")
        self.assertEqual(host.last()["code"], "bad-message")
        self.assertEqual((host.last()["id"], host.last()["about"]), ("9", "join"))
        self.assertEqual(len(other.frames), heard)
        self.assertEqual(host.closed, [])

    def test_an_error_may_close(self) -> None:
        """An error closes the connection if the dialect has no message for it, or if a rate limit is exceeded."""
        connection = self.open(Serde())
        connection.receive(b"{")
        self.assertEqual(connection.closed, [(1007, "bad-message")])
        flooder = self.open()
        for _ in range(21):
            flooder.say(type="ping")
        self.assertEqual(flooder.closed, [(1008, "too-many-messages")])

    def test_a_closed_connection_is_forgotten(self) -> None:
        """The other members get an event, the connection's state is deleted, and late frames are ignored."""
        host, session = self.host()
        guest = self.open()
        guest.say(type="hello", version=1)
        guest.say(type="join", session=session)
        guest.disconnect()
        guest.disconnect()
        self.assertEqual(host.last()["type"], "member-left")
        heard = len(guest.frames)
        guest.receive(b'{"type":"ping"}')
        self.assertEqual(len(guest.frames), heard)
        host.disconnect()
        self.assertEqual((self.switchboard.hub.peers, self.switchboard.hub.users), ({}, {}))

    def test_a_connection_that_breaks_while_it_is_written_to(self) -> None:
        """The hub processes a connection's end after the actions under way; all other members get both in order."""
        host, session = self.host()
        guest = self.open()
        guest.say(type="hello", version=1)
        guest.on_send = lambda _: guest.disconnect()
        guest.say(type="join", session=session)
        self.assertEqual([json.loads(frame)["type"] for frame in host.frames[-2:]], ["member-joined", "member-left"])

    def test_time_passes(self) -> None:
        """Each tick checks the deadlines."""
        connection = self.open()
        self.clock.advance(11)
        self.switchboard.tick()
        self.assertEqual(connection.closed, [(1008, "hello-timeout")])

    def test_debug_writes_a_line_without_ids(self) -> None:
        """The line contains the number of users and of sessions, and no ids."""
        events: list[LogEvent] = []
        observer = cast(ILogObserver, events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        connection = self.open(Serde())
        connection.receive(b'"Debug"')
        [event] = [event for event in events if "counts" in (event.get("log_format") or "")]
        self.assertEqual((event["users"], event["sessions"]), (1, 0))
        self.assertEqual(len(connection.frames), 1)

    def test_how_a_connection_ends_says_what_becomes_of_its_user(self) -> None:
        """The close code decides whether the user left or can resume.

        1000 is a leave, 1001 a page that may reload, and anything else a lost connection (RFC 6455 §7.4.1).
        """
        for code, seconds in ((1000, 0.0), (1001, 5.0), (1006, 30.0), (None, 30.0)):
            host, session = self.host()
            guest = self.open()
            guest.say(type="hello", version=1, instance="one")
            guest.say(type="join", session=session)
            guest.disconnect(code)
            if seconds:
                self.assertEqual(host.last()["type"], "member-away")
                self.clock.advance(seconds - 0.1)
                self.switchboard.tick()
                self.assertEqual(host.last()["type"], "member-away")
                self.clock.advance(0.2)
                self.switchboard.tick()
            self.assertEqual(host.last()["type"], "member-left")
            self.assertEqual(host.last()["reason"], "gone" if seconds else "left")
            host.disconnect()

    def test_who_is_welcomed_is_told_that_the_server_stops(self) -> None:
        """Each welcomed client gets `going-away` with its own delay, so that not all reconnect at once.

        Serde clients get nothing, since their dialect has no such message.
        """
        jitters = iter((0.25, 0.5, 0.75))
        first, _ = self.host()
        second, _ = self.host()
        silent = self.open()
        serde = self.open(Serde())
        heard = len(serde.frames)
        self.switchboard.announce_stop(ReconnectWindow(2.0, 4.0), lambda: next(jitters))
        self.assertEqual(first.last(), {"type": "going-away", "after": 3.0})
        self.assertEqual(second.last(), {"type": "going-away", "after": 4.0})
        self.assertEqual((silent.frames, len(serde.frames)), ([], heard))

    def test_a_password_is_checked_elsewhere_and_others_go_on(self) -> None:
        """A password is checked outside the reactor, and other clients are served.

        Requests that the same peer sends meanwhile are handled afterwards, in order.
        """
        calls: list[Callable[[], object]] = []
        find_link(self.switchboard.access, PasswordLink).run = lambda call: held(calls, call)
        host = self.open()
        host.say(type="hello", version=1)
        host.say(type="open", id="1", password="sesame")
        host.say(type="ping", id="2")
        other, _ = self.host()
        self.assertEqual((host.last()["type"], other.last()["type"]), ("welcome", "opened"))
        calls.pop()()
        opened, pong = (json.loads(frame) for frame in host.frames[-2:])
        self.assertEqual((opened["id"], pong["id"]), ("1", "2"))
        guest = self.open()
        guest.say(type="hello", version=1)
        for password, expected in (("guess", "wrong-password"), ("sesame", None)):
            guest.say(type="join", session=opened["session"], password=password)
            calls.pop()()
            self.assertEqual(guest.last().get("code"), expected)

    def test_a_check_that_fails_is_told_and_logged(self) -> None:
        """If a password check fails with an exception, its client gets `internal-error` and can continue."""

        def broken(_: Callable[[], str]) -> Deferred[str]:
            return fail(RuntimeError("no thread"))

        find_link(self.switchboard.access, PasswordLink).run = broken
        connection = self.open()
        connection.say(type="hello", version=1)
        connection.say(type="open", id="1", password="sesame")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual((connection.last()["code"], connection.last()["id"]), ("internal-error", "1"))
        connection.say(type="open", id="2")
        self.assertEqual(connection.last()["type"], "opened")

    def test_a_decision_that_cannot_be_begun_is_told_and_logged(self) -> None:
        """If a decision cannot be started, its client gets `internal-error` and can continue."""
        connection = self.open()
        connection.say(type="hello", version=1)
        access, self.switchboard.access = self.switchboard.access, cast(Any, None)
        connection.say(type="open", id="1")
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 1)
        self.assertEqual((connection.last()["code"], connection.last()["id"]), ("internal-error", "1"))
        self.switchboard.access = access
        connection.say(type="open", id="2")
        self.assertEqual(connection.last()["type"], "opened")

    def test_what_is_for_a_connection_that_is_gone_is_passed_over(self) -> None:
        """A frame or a close for a disconnected connection is ignored, even if its user still exists."""
        connection = self.open()
        connection.disconnect()
        self.switchboard._act([Send(connection.peer, Pong()), Close(connection.peer, ErrorCode.REPLACED)])
        self.assertEqual((connection.frames, connection.closed), ([], []))


class FailingDialect(Native):
    """The native dialect, but encoding a message raises."""

    def encode(self, event: Event) -> list[bytes | CloseFrame]:
        """Raise for a message."""
        if isinstance(event, ForwardedMessage):
            raise ArithmeticError("encode")
        return super().encode(event)


class FailingConnection(MemoryConnection):
    """A connection of which some methods raise.

    Attributes:
        fails: the names of the methods that raise.

    """

    fails: frozenset[str] = frozenset()

    def send(self, frame: bytes) -> None:
        """Raise, or record a frame."""
        self._maybe_fail("send")
        super().send(frame)

    def close_for_error(self, code: ErrorCode) -> None:
        """Raise, or record a close."""
        self._maybe_fail("close_for_error")
        super().close_for_error(code)

    def abort(self) -> None:
        """Record that the connection was aborted, and perhaps raise."""
        super().abort()
        self._maybe_fail("abort")

    def _maybe_fail(self, name: str) -> None:
        if name in self.fails:
            raise ArithmeticError(name)


class FailingPart:
    """Replaces a part of the switchboard or the hub: one method raises, and all else is delegated to the part."""

    def __init__(self, part: object, fails: str) -> None:
        self._part = part
        self._fails = fails

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the part, or a function that raises for the method that fails."""
        return self._raise if name == self._fails else getattr(self._part, name)

    def _raise(self, *_: object) -> None:
        raise ArithmeticError(self._fails)


class IsolationTests(SynchronousTestCase):
    """One failing connection in a session of three: A sends a message, B fails to receive it, and C receives it."""

    def meet(self, failing: FailingConnection | None = None) -> None:
        """Let A, B and C join one session; `failing` is B's connection, of which no method raises yet."""
        self.a, self.b, self.c = (
            MemoryConnection(self.switchboard),
            failing or FailingConnection(self.switchboard),
            MemoryConnection(self.switchboard),
        )
        for member in (self.a, self.b, self.c):
            member.say(type="hello", version=1)
        self.a.say(type="open", capacity=3)
        self.session = self.a.last()["session"]
        for member in (self.b, self.c):
            member.say(type="join", session=self.session)

    def setUp(self) -> None:
        """Create an empty switchboard."""
        self.clock = Clock()
        self.switchboard = make_switchboard(self.clock)

    def send_message(self) -> None:
        """A sends a message, which C receives at once; A is sent no error, and neither A nor C is closed."""
        for member in (self.a, self.b, self.c):
            member.frames.clear()
        self.a.say(type="message", session=self.session, content="fine")
        self.assertEqual([message["type"] for message in self.c.take_messages()], ["message"])
        self.assertEqual((self.a.frames, self.a.closed, self.c.closed), ([], [], []))

    def assert_isolated(self) -> None:
        """B is closed with 1011, once, and gets nothing more; one exception is logged, and the hub awaits B's end."""
        self.send_message()
        self.assertEqual(self.b.closed, [(1011, "internal-error")])
        self.assertEqual(len(self.flushLoggedErrors(ArithmeticError)), 1)
        self.send_message()
        self.b.say(type="ping")
        self.assertEqual((self.b.frames, self.b.closed), ([], [(1011, "internal-error")]))
        self.assertIn(self.b.peer, self.switchboard.hub.peers)
        self.b.disconnect()
        self.assertEqual([message["type"] for message in self.c.take_messages()], ["member-left"])
        self.assertNotIn(self.b.peer, self.switchboard.hub.peers)

    def assert_gone(self) -> None:
        """B was aborted, one exception was logged, and the hub and the other members know that B is gone."""
        self.assertTrue(self.b.aborted)
        self.assertEqual(len(self.flushLoggedErrors(ArithmeticError)), 1)
        self.assertNotIn(self.b.peer, self.switchboard.hub.peers)
        for member in (self.a, self.c):
            self.assertEqual([message["type"] for message in member.take_messages()][-1], "member-left")
            self.assertEqual(member.closed, [])

    def test_a_receiver_whose_encode_raises_is_closed_alone(self) -> None:
        """The sender and the third member get no error."""
        self.meet(FailingConnection(self.switchboard, FailingDialect()))
        self.assert_isolated()

    def test_a_receiver_whose_send_raises_is_closed_alone(self) -> None:
        """The sender and the third member get no error."""
        self.meet()
        self.b.fails = frozenset({"send"})
        self.assert_isolated()

    def test_a_receiver_that_can_neither_send_nor_close_is_aborted(self) -> None:
        """The hub is informed of the peer's end at once, since such a connection may never report its end."""
        self.meet()
        self.b.fails = frozenset({"send", "close_for_error"})
        self.a.say(type="message", session=self.session, content="fine")
        self.assertIn("message", [message["type"] for message in self.c.take_messages()])
        self.c.say(type="message", session=self.session, content="fine")
        self.assertEqual(len(self.flushLoggedErrors(ArithmeticError)), 1)
        self.assertTrue(self.b.aborted)
        self.assertEqual([message["type"] for message in self.a.take_messages()][-2:], ["member-left", "message"])

    def test_a_connection_whose_close_raises_is_aborted(self) -> None:
        """If closing raises, only this connection is aborted.

        The hub asked for the close, and is informed that the peer is gone.
        """
        self.meet()
        self.b.fails = frozenset({"close_for_error"})
        for _ in range(Limits().message_burst + 1):
            self.b.say(type="ping")
        self.assert_gone()

    def test_a_connection_whose_abort_raises_too_is_forgotten(self) -> None:
        """If aborting raises too, the hub is still informed that the peer is gone."""
        self.meet()
        self.b.fails = frozenset({"close_for_error", "abort"})
        for _ in range(Limits().message_burst + 1):
            self.b.say(type="ping")
        self.assert_gone()

    def test_a_sender_whose_request_the_hub_cannot_process_is_closed_alone(self) -> None:
        """The exception does not leave the switchboard, and the requests behind it are not received."""
        self.meet()
        hub = self.switchboard.hub
        requests, hub.requests = hub.requests, cast(Any, FailingPart(hub.requests, "handle"))
        self.switchboard.receive_requests(self.b.peer, [Ping(), Ping()])
        hub.requests = requests
        self.assert_isolated()

    def test_a_connection_that_the_hub_cannot_take_is_closed(self) -> None:
        """A connection that the hub could not register is closed, and its later frames do not reach the hub."""
        hub, self.switchboard.hub = self.switchboard.hub, cast(Any, FailingPart(self.switchboard.hub, "connected"))
        connection = MemoryConnection(self.switchboard, Serde())
        self.switchboard.hub = hub
        connection.receive(b'"SessionNew"')
        connection.receive(b"{")
        self.assertEqual((connection.closed, connection.frames), ([(1011, "internal-error")], []))
        self.assertEqual(len(self.flushLoggedErrors(ArithmeticError)), 1)

    def test_an_end_that_the_hub_cannot_process_is_logged(self) -> None:
        """The exception is logged, and the other members continue."""
        self.meet()
        hub, self.switchboard.hub = self.switchboard.hub, cast(Any, FailingPart(self.switchboard.hub, "disconnected"))
        self.b.disconnect()
        self.switchboard.hub = hub
        self.assertEqual(len(self.flushLoggedErrors(ArithmeticError)), 1)
        self.send_message()

    def test_a_decision_whose_outcome_the_hub_cannot_process_ends_one_connection(self) -> None:
        """The client that sent the request is closed, so that its next request does not wait for ever."""
        self.meet()
        hub = self.switchboard.hub
        replicas, hub.replicas = hub.replicas, cast(Any, FailingPart(hub.replicas, "apply_change"))
        self.b.say(type="leave", session=self.session)
        hub.replicas = replicas
        self.assertEqual(self.switchboard.hub.decisions.by_id, {})
        self.assertEqual((self.a.closed, self.b.closed, self.c.closed), ([], [(1011, "internal-error")], []))
        self.assertEqual(len(self.flushLoggedErrors(ArithmeticError)), 1)
        self.a.say(type="ping")
        self.assertEqual(self.a.last()["type"], "pong")

    def test_an_action_for_no_connection_that_raises_is_logged(self) -> None:
        """An exception for an action without a connection is logged.

        An example is a decision that the hub does not know; the actions behind it are carried out.
        """
        connection = MemoryConnection(self.switchboard)
        connection.say(type="hello", version=1)
        decide = Decide(DecisionId(7), EndIdentity(UserId("nobody"), LeaveReason.GONE))
        self.switchboard._act([decide, Send(connection.peer, Pong())])
        self.assertEqual(connection.last()["type"], "pong")
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)


def held(calls: list[Callable[[], object]], call: Callable[[], str]) -> Deferred[str]:
    """Hold a call back until the test runs it."""
    done: Deferred[str] = Deferred()
    calls.append(lambda: maybeDeferred(call).chainDeferred(done))
    return done
