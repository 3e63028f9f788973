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
from signald.core.actions import Close, Decide, ReportError, Send
from signald.core.budgets import SLOW_START_MESSAGES
from signald.core.decisions import EndIdentity, Refused
from signald.core.errors import ErrorCode
from signald.core.limits import Limits
from signald.core.messages import Event, ForwardedMessage, LeaveReason, Open, Ping, Pong, Traits, UserId
from signald.core.reconnect_window import ReconnectWindow
from signald.core.users import DecisionId
from signald.dialects.dialect import CloseFrame, Dialect
from signald.dialects.native import Native
from signald.dialects.serde import Serde
from signald.monitoring.metrics import Metrics
from signald.server.forward_batch import ForwardBatch
from signald.server.intake import HELD_BYTES
from tests.support.access import find_link
from tests.support.connections import MemoryConnection, make_switchboard
from tests.support.failing import FailingPart
from tests.support.world import HOME


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

    def test_changes_are_recorded_before_the_answer(self) -> None:
        """Users and sessions have been recorded when a client is sent what depends on them, and after each tick."""
        order: list[str] = []
        self.switchboard.record_changes = lambda: order.append("recorded")
        connection = self.open()
        connection.on_send = lambda frame: order.append(json.loads(frame)["type"])
        connection.say(type="hello", version=1)
        connection.say(type="open")
        self.assertEqual(order, ["recorded", "welcome", "recorded", "opened"])
        connection.say(type="ping")
        self.assertEqual(order[4:], ["pong"])
        self.switchboard.tick()
        self.assertEqual(order[5:], ["recorded"])

    def test_a_late_outcome_is_recorded_before_the_answer(self) -> None:
        """A session whose password was hashed in a thread has been recorded when its host is told."""
        slow: Deferred[str] = Deferred()
        find_link(self.switchboard.access, PasswordLink).run = lambda _: slow
        connection = self.open()
        connection.say(type="hello", version=1)
        order: list[str] = []
        self.switchboard.record_changes = lambda: order.append("recorded")
        connection.on_send = lambda frame: order.append(json.loads(frame)["type"])
        connection.say(type="open", password="open sesame")
        self.assertEqual(order, [])
        slow.callback("hash")
        self.assertEqual(order, ["recorded", "opened"])

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

    def test_an_offender_is_remembered(self) -> None:
        """The hub learns whose connection was closed for misbehaviour, unless its client left or reloaded its page."""
        for code, expected in ((None, True), (1008, True), (1001, False)):
            client = self.open()
            client.say(type="hello", version=1, instance="one")
            self.switchboard.remove_connection(client.peer, code, offended=True)
            user = self.switchboard.hub.users[client.last()["user"]]
            self.assertEqual(user.has_offended, expected)

    def test_a_slow_start(self) -> None:
        """A connection that starts slowly has a part of its messages at once."""
        switchboard = make_switchboard(self.clock)
        peer = switchboard.add_connection(self.open(), HOME, Traits(), slow_start=True)
        self.assertEqual(switchboard.hub.peers[peer].budget.tokens, SLOW_START_MESSAGES)

    def test_a_connection_that_breaks_while_it_is_written_to(self) -> None:
        """A guest disconnects while its reply is sent: the host learns of the join first, and then of the leave."""
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

    def test_a_session_goes_on_after_an_outcome_that_the_hub_cannot_process(self) -> None:
        """The later decisions about the session are applied, and bring what the members were not told."""
        self.meet()
        hub = self.switchboard.hub
        replicas, hub.replicas = hub.replicas, cast(Any, FailingPart(hub.replicas, "apply_change"))
        self.b.say(type="leave", session=self.session)
        hub.replicas = replicas
        self.assertEqual(len(self.flushLoggedErrors(ArithmeticError)), 1)
        for member in (self.a, self.c):
            member.frames.clear()
        self.c.say(type="leave", session=self.session)
        self.assertEqual([message["type"] for message in self.c.take_messages()], ["left"])
        self.assertEqual([message["type"] for message in self.a.take_messages()], ["member-left", "member-left"])
        self.assertEqual((hub.decisions.by_id, hub.decisions.deferred_outcomes), ({}, {}))

    def test_a_session_of_which_the_hub_cannot_take_the_first_version(self) -> None:
        """The client that opened it is closed, and another one opens a session."""
        self.meet()
        hub = self.switchboard.hub
        replicas, hub.replicas = hub.replicas, cast(Any, FailingPart(hub.replicas, "apply_change"))
        self.b.say(type="open")
        hub.replicas = replicas
        self.assertEqual(len(self.flushLoggedErrors(ArithmeticError)), 1)
        self.assertEqual((self.b.closed, hub.decisions.by_id), ([(1011, "internal-error")], {}))
        self.c.say(type="open")
        self.assertEqual(self.c.last()["type"], "opened")

    def test_a_late_outcome_that_cannot_be_applied_ends_one_connection(self) -> None:
        """The exception is logged once, the decision is not pending, and requests behind it are handled."""
        self.meet()
        calls: list[Callable[[], object]] = []
        find_link(self.switchboard.access, PasswordLink).run = lambda call: held(calls, call)
        hub = self.switchboard.hub
        self.b.say(type="open", password="sesame", id="1")
        self.b.say(type="message", session=self.session, content="behind it")
        replicas, hub.replicas = hub.replicas, cast(Any, FailingPart(hub.replicas, "apply_change"))
        calls.pop()()
        hub.replicas = replicas
        self.assertEqual((hub.decisions.by_id, self.switchboard.is_deciding), ({}, False))
        self.assertEqual((self.a.closed, self.b.closed, self.c.closed), ([], [(1011, "internal-error")], []))
        self.assertEqual(len(self.flushLoggedErrors(ArithmeticError)), 1)
        self.assertEqual(self.c.last()["content"], "behind it")

    def test_a_late_outcome_that_the_hub_refuses_is_logged(self) -> None:
        """An exception that leaves the hub does not vanish in the Deferred of the decision."""
        self.meet()
        calls: list[Callable[[], object]] = []
        find_link(self.switchboard.access, PasswordLink).run = lambda call: held(calls, call)
        self.b.say(type="open", password="sesame", id="1")
        hub, self.switchboard.hub = self.switchboard.hub, cast(Any, FailingPart(self.switchboard.hub, "decided"))
        calls.pop()()
        self.switchboard.hub = hub
        self.assertEqual(len(self.flushLoggedErrors(ArithmeticError)), 1)
        self.send_message()

    def test_a_member_that_cannot_be_told_is_closed_alone(self) -> None:
        """If the events of a change cannot be made for one member, the others get theirs, and the change counts."""
        self.meet()
        hub = self.switchboard.hub
        user = hub.peers[self.c.peer].user
        failing = FailingPart(hub.mailboxes, "send_event", lambda receiver, _: receiver.id == user)
        mailboxes, hub.replicas.mailboxes = hub.mailboxes, cast(Any, failing)
        self.a.take_messages()
        self.b.say(type="leave", session=self.session)
        hub.replicas.mailboxes = mailboxes
        self.assertEqual(len(self.flushLoggedErrors(ArithmeticError)), 1)
        self.assertEqual((self.a.closed, self.b.closed, self.c.closed), ([], [], [(1011, "internal-error")]))
        self.assertEqual([message["type"] for message in self.a.take_messages()], ["member-left"])
        self.assertEqual((self.b.last()["type"], hub.decisions.by_id), ("left", {}))
        self.c.disconnect()
        self.assertEqual([message["type"] for message in self.a.take_messages()], ["member-left"])

    def test_a_decision_that_an_exception_lost_is_asked_for(self) -> None:
        """A decision whose action was lost, since the fact behind it raised, does not stay pending."""
        for fact, end in (("handle", False), ("disconnect", True)):
            connection = MemoryConnection(self.switchboard)
            connection.say(type="hello", version=1, instance="one")
            hub = self.switchboard.hub
            part = "grace_periods" if end else "requests"
            before = getattr(hub, part)

            def submit_and_fail(*_: object) -> bool:
                self.switchboard.hub.decisions.submit(EndIdentity(UserId("nobody"), LeaveReason.GONE))
                return True

            setattr(hub, part, FailingPart(before, fact, submit_and_fail))
            if end:
                connection.disconnect()
            else:
                connection.say(type="ping")
            setattr(hub, part, before)
            self.assertEqual(hub.decisions.by_id, {})
            self.assertEqual(len(self.flushLoggedErrors(ArithmeticError)), 1)

    def test_a_suspended_switchboard_asks_for_nothing(self) -> None:
        """After the state is saved, an exception brings about no further decision: the next process makes it."""
        self.meet()
        self.switchboard.suspend()
        pending = self.switchboard.hub.decisions.submit(EndIdentity(UserId("nobody"), LeaveReason.GONE))
        self.switchboard._act([ReportError(None, ArithmeticError())])
        self.assertEqual(list(self.switchboard.hub.decisions.by_id), [pending.id])
        self.assertEqual(len(self.flushLoggedErrors(ArithmeticError)), 1)

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


class HoldTests(SynchronousTestCase):
    """While another process restores the state, facts are held back; either process may be the one that goes on."""

    def setUp(self) -> None:
        """Connect a host and a guest, and hold back what follows."""
        self.clock = Clock()
        self.switchboard = make_switchboard(self.clock, Limits())
        self.host, self.guest = (MemoryConnection(self.switchboard) for _ in range(2))
        for connection in (self.host, self.guest):
            connection.say(type="hello", version=1, instance="one")
        self.host.say(type="open")
        self.session = self.host.last()["session"]
        self.guest.say(type="join", session=self.session)
        self.guest.take_messages(), self.host.take_messages()
        self.snapshot = self.switchboard.hold()

    def talk(self, content: str) -> None:
        """Send a message from the guest to the host."""
        self.guest.say(type="message", session=self.session, content=content)

    def test_released(self) -> None:
        """Everything that arrived meanwhile is processed in its order, and nothing before that."""
        self.talk("1")
        late = MemoryConnection(self.switchboard)
        late.say(type="hello", version=1)
        self.guest.receive(b"{")
        self.talk("2")
        self.guest.disconnect()
        self.switchboard.tick()
        self.assertEqual((self.host.frames, late.frames, self.guest.frames), ([], [], []))
        self.assertFalse(self.switchboard.is_suspended)
        self.switchboard.release()
        messages = self.host.take_messages()
        self.assertEqual([body["type"] for body in messages], ["message", "message", "member-away"])
        self.assertEqual([body["content"] for body in messages[:2]], ["1", "2"])
        self.assertEqual(late.last()["type"], "welcome")
        self.host.say(type="ping")
        self.assertEqual(self.host.last()["type"], "pong")

    def test_dropped(self) -> None:
        """When the other process goes on, what arrived meanwhile is dropped: the state has no part of it."""
        self.talk("1")
        self.switchboard.drop_held_facts()
        self.talk("2")
        self.guest.disconnect()
        self.assertEqual(self.host.frames, [])
        self.assertTrue(self.switchboard.is_suspended)
        received = {record.id: record.received for record in self.snapshot.users}
        self.assertEqual({user.id: user.inbox.received for user in self.switchboard.hub.users.values()}, received)

    def test_a_client_that_leaves(self) -> None:
        """Who has left meanwhile is gone after a hand-over too, and not away: no client says that twice."""
        user = next(user for user, one in self.switchboard.hub.users.items() if one.peer == self.guest.peer)
        MemoryConnection(self.switchboard).disconnect(1000)
        self.guest.disconnect(1000)
        self.switchboard.drop_held_facts()
        self.host.disconnect(1000)
        self.assertEqual(self.switchboard.left_users, [user], "the host has moved to the other process")
        other = make_switchboard(Clock(), Limits())
        other.restore(self.snapshot)
        other.end_users([user, UserId("unknown"), user])
        [session] = other.registry.sessions.values()
        self.assertEqual([member.user == user for member in session.members], [False])
        self.assertNotIn(user, other.hub.users)

    def test_a_client_that_leaves_before_a_release(self) -> None:
        """When this process goes on, the end of the connection is processed here, once."""
        self.guest.disconnect(1000)
        self.switchboard.release()
        self.assertEqual(self.host.last()["reason"], "left")
        self.assertEqual(self.switchboard.left_users, [])

    def test_an_outcome(self) -> None:
        """The outcome of a decision that arrives meanwhile is held back as well."""
        self.switchboard.release()
        slow: Deferred[str] = Deferred()
        find_link(self.switchboard.access, PasswordLink).run = lambda _: slow
        self.guest.say(type="open", password="open sesame")
        self.switchboard.hold()
        slow.callback("a hash")
        self.assertEqual(self.guest.frames, [])
        self.switchboard.release()
        self.assertEqual(self.guest.last()["type"], "opened")

    def test_a_password_under_way(self) -> None:
        """A request whose password is being checked is in the state, which stays in memory, as it was sent."""
        self.switchboard.release()
        find_link(self.switchboard.access, PasswordLink).run = lambda _: Deferred()
        self.guest.say(type="open", password="open sesame")
        [request] = [request for record in self.switchboard.hold().users for request in record.requests]
        self.assertEqual(request, Open(password="open sesame"))

    def test_an_outcome_that_fails(self) -> None:
        """An exception in what was held back is logged, and what arrived after it is processed."""
        self.switchboard._decided(DecisionId(99), Refused(ErrorCode.INTERNAL_ERROR))
        self.talk("1")
        self.switchboard.release()
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.assertEqual(self.host.last()["content"], "1")

    def test_an_offender(self) -> None:
        """A connection that was closed for an offence meanwhile is remembered as that of an offender."""
        self.switchboard.remove_connection(self.guest.peer, offended=True)
        self.switchboard.release()
        self.assertEqual([user.has_offended for user in self.switchboard.hub.users.values()], [False, True])

    def test_changes_are_recorded_afterwards(self) -> None:
        """Nothing is recorded while another process may own the state; after a release it is, before the answer."""
        seen: list[int] = []
        self.switchboard.record_changes = lambda: seen.append(len(self.guest.frames))
        self.guest.say(type="leave", session=self.session)
        self.switchboard.tick()
        self.assertEqual(seen, [])
        self.switchboard.release()
        self.assertEqual(seen[0], 0)
        self.assertEqual(self.guest.last()["type"], "left")

    def test_too_much(self) -> None:
        """What is held is bounded in bytes: a connection beyond that is aborted, and its client resumes."""
        content = "x" * 4000
        for _ in range(HELD_BYTES // 4000):
            self.talk(content)
        self.assertTrue(self.guest.aborted)
        self.assertFalse(self.host.aborted)
        self.guest.disconnect()
        held = self.switchboard.intake.held_bytes
        self.assertLessEqual(held, HELD_BYTES)
        self.talk(content)
        self.guest.receive(b"{")
        self.assertEqual(self.switchboard.intake.held_bytes, held)
        self.switchboard.release()
        self.assertEqual(self.switchboard.intake.held_bytes, 0)


class DirectTests(SynchronousTestCase):
    """Messages that are forwarded without the general way."""

    def setUp(self) -> None:
        """Let a host and a guest be in a session."""
        self.clock = Clock()
        self.switchboard = make_switchboard(self.clock)
        self.host, self.guest = (MemoryConnection(self.switchboard) for _ in range(2))
        self.host.say(type="hello", version=1)
        host = self.host.last()["user"]
        self.guest.say(type="hello", version=1)
        self.host.say(type="open")
        session = self.host.last()["session"]
        self.guest.say(type="join", session=session)
        self.host.take_messages()
        self.frame = json.dumps({"type": "message", "session": session, "to": host, "content": "hello"}).encode()
        self.metrics = Metrics()
        self.batch = ForwardBatch(self.metrics, self.switchboard.fail_connection)

    def forward(self) -> bool:
        """Forward the guest's message to the host, and send what was gathered."""
        message = self.guest.dialect.read_direct(self.frame)
        assert message is not None
        forwarded = self.switchboard.forward(self.guest.peer, message, self.batch, self.clock.seconds())
        self.batch.flush()
        return forwarded is not None

    def test_forwarded(self) -> None:
        """The receiver gets the message, which is counted."""
        sent = self.switchboard.sent
        self.assertTrue(self.forward())
        self.assertEqual(self.host.last()["content"], "hello")
        self.assertEqual((self.switchboard.sent - sent, self.metrics.sent[ForwardedMessage]), (1, 1))

    def test_while_facts_are_held(self) -> None:
        """Nothing is forwarded while another process restores the state."""
        self.switchboard.hold()
        self.assertFalse(self.forward())
        self.switchboard.release()
        self.assertTrue(self.forward())

    def test_while_an_action_is_carried_out(self) -> None:
        """Nothing is forwarded within an action: it would overtake the actions behind that one."""
        answers: list[bool] = []
        self.guest.on_send = lambda _: answers.append(self.forward())
        self.guest.say(type="ping")
        self.assertEqual((answers, self.host.frames), ([False], []))

    def test_a_receiver_that_fails(self) -> None:
        """It is closed alone, and is sent nothing more, while the sender goes on."""

        def fail_to_send(_frame: bytes) -> None:
            raise ArithmeticError

        self.host.on_send = fail_to_send
        self.assertTrue(self.forward())
        self.assertEqual(len(self.flushLoggedErrors(ArithmeticError)), 1)
        self.assertEqual((self.host.closed, self.guest.closed), ([(1011, "internal-error")], []))
        self.host.on_send = lambda _: None
        frames = len(self.host.frames)
        self.assertTrue(self.forward())
        self.assertEqual(len(self.host.frames), frames)
