"""Tests of session passwords: hashed and verified in a thread, one at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from queue import Queue
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from signald.auth.passwords import PasswordLink, one_thread
from signald.core.decisions import (
    Decided,
    HostCommand,
    Identified,
    Identify,
    JoinSession,
    OpenSession,
    Operation,
    Outcome,
    Refused,
)
from signald.core.errors import ErrorCode
from signald.core.limits import Limits
from signald.core.messages import End, SessionId, Traits, UserId
from signald.core.registry import MemoryRegistry
from signald.core.session_settings import Settings
from tests.support.world import HOST_SECRET, counting_bytes

RIGHT = "open sesame"


class Threads:
    """Stands in for the thread: holds each call until the test runs it.

    Attributes:
        calls: the pending calls, each with the deferred of its result.

    """

    def __init__(self) -> None:
        self.calls: list[tuple[Callable[[], str], Deferred[str]]] = []

    def run(self, call: Callable[[], str]) -> Deferred[str]:
        """Add a call."""
        done: Deferred[str] = Deferred()
        self.calls.append((call, done))
        return done

    def run_next(self) -> None:
        """Run the first call."""
        call, done = self.calls.pop(0)
        maybeDeferred(call).chainDeferred(done)


class PasswordTests(SynchronousTestCase):
    """The password link, in front of a registry."""

    def setUp(self) -> None:
        """Create a registry with two identities."""
        self.threads = Threads()
        limits = Limits(waiting_passwords=2)
        self.registry = MemoryRegistry(counting_bytes(), limits, HOST_SECRET)
        self.passwords = PasswordLink(self.registry, self.threads.run, next=self.registry)
        self.ann, self.bob = self.identify(), self.identify()

    def identify(self) -> UserId:
        """Create an identity."""
        outcome = self.registry.decide(Identify(None))
        assert isinstance(outcome, Identified)
        return outcome.user

    def decide(self, operation: Operation) -> Deferred[Outcome]:
        """Start a decision of the link, and return its deferred outcome."""
        outcome = self.passwords.decide(operation)
        assert isinstance(outcome, Deferred)
        return outcome

    def start_open(self) -> Deferred[Outcome]:
        """Start to open a session with a password."""
        return self.decide(OpenSession(self.ann, Traits(), None, Settings(8, keep=True), RIGHT))

    def open_session(self) -> SessionId:
        """Open a session with a password, and return its id."""
        outcome = self.start_open()
        self.threads.run_next()
        decided = self.successResultOf(outcome)
        assert isinstance(decided, Decided)
        assert decided.session is not None
        return decided.session

    def join(self, session: SessionId, password: str = RIGHT) -> Deferred[Outcome]:
        """Start to join with a password."""
        return self.decide(JoinSession(self.bob, Traits(), session, password=password))

    def members(self, session: SessionId) -> list[UserId]:
        """Return the members of a session."""
        return [member.user for member in self.registry.sessions[session].members]

    def test_only_a_hash_is_stored(self) -> None:
        """The registry stores an Argon2id hash with its own salt, not the password."""
        hashes = {self.registry.sessions[self.open_session()].settings.password or "" for _ in range(2)}
        self.assertEqual(len(hashes), 2)
        for hash in hashes:
            self.assertTrue(hash.startswith("$argon2id$v=19$m=7168,t=5,p=1$"), hash)
            self.assertNotIn(RIGHT, hash)

    def test_open_waits_for_the_hash(self) -> None:
        """The session is opened once the password is hashed."""
        outcome = self.start_open()
        self.assertEqual(self.registry.sessions, {})
        self.assertNoResult(outcome)
        self.threads.run_next()
        self.assertIsInstance(self.successResultOf(outcome), Decided)

    def test_join(self) -> None:
        """The right password lets a guest join, and a wrong one does not."""
        session = self.open_session()
        wrong = self.join(session, "guess")
        self.threads.run_next()
        self.assertEqual(self.successResultOf(wrong), Refused(ErrorCode.WRONG_PASSWORD))
        self.assertEqual(self.members(session), [self.ann])
        right = self.join(session)
        self.threads.run_next()
        self.assertIsInstance(self.successResultOf(right), Decided)
        self.assertEqual(self.members(session), [self.ann, self.bob])

    def test_one_at_a_time(self) -> None:
        """Passwords are verified one at a time, in the order of the requests."""
        session = self.open_session()
        first, second = self.join(session, "guess"), self.join(session)
        self.assertEqual(len(self.threads.calls), 1)
        self.threads.run_next()
        self.successResultOf(first)
        self.assertNoResult(second)
        self.threads.run_next()
        self.successResultOf(second)

    def test_queue_is_bounded(self) -> None:
        """A request beyond `waiting_passwords` is refused at once; a finished one makes room."""
        session = self.open_session()
        waiting = [self.join(session, "guess") for _ in range(3)]
        self.assertEqual(self.successResultOf(self.join(session)), Refused(ErrorCode.TOO_MANY_PASSWORDS))
        self.assertEqual(self.successResultOf(self.start_open()), Refused(ErrorCode.TOO_MANY_PASSWORDS))
        self.threads.run_next()
        self.successResultOf(waiting[0])
        right = self.join(session)
        for _ in range(3):
            self.threads.run_next()
        self.assertIsInstance(self.successResultOf(right), Decided)

    def test_needless_password(self) -> None:
        """A password is not verified where the session has none or does not exist."""
        decided = self.registry.decide(OpenSession(self.ann, Traits(), None, Settings()))
        assert isinstance(decided, Decided)
        assert decided.session is not None
        for session, expected in ((decided.session, Decided), (SessionId("ZZZZZZZZZZ"), Refused)):
            operation = JoinSession(self.bob, Traits(), session, password=RIGHT)
            self.assertIsInstance(self.passwords.decide(operation), expected)
        self.assertEqual(self.threads.calls, [])

    def test_session_ends_meanwhile(self) -> None:
        """A session that ends during the verification is unknown, as it is without a password."""
        session = self.open_session()
        record = self.registry.sessions[session]
        self.registry.sessions[session] = evolve(record, settings=evolve(record.settings, keep=False))
        outcome = self.join(session)
        self.registry.decide(HostCommand(self.ann, End(session)))
        self.threads.run_next()
        self.assertEqual(self.successResultOf(outcome), Refused(ErrorCode.UNKNOWN_SESSION))

    def test_password_changes_meanwhile(self) -> None:
        """A password that matches the previous hash is wrong once the session has another one."""
        session = self.open_session()
        outcome = self.join(session)
        record = self.registry.sessions[session]
        changed = evolve(record.settings, password="another hash")
        self.registry.sessions[session] = evolve(record, settings=changed)
        self.threads.run_next()
        self.assertEqual(self.successResultOf(outcome), Refused(ErrorCode.WRONG_PASSWORD))

    def test_errors(self) -> None:
        """An exception of one verification reaches its request alone, and the next one is run."""
        session = self.open_session()
        record = self.registry.sessions[session]
        damaged = evolve(record.settings, password="no hash")
        self.registry.sessions[session] = evolve(record, settings=damaged)
        broken, next_one = self.join(session), self.start_open()
        self.threads.run_next()
        self.failureResultOf(broken)
        self.threads.run_next()
        self.assertIsInstance(self.successResultOf(next_one), Decided)


@implementer(IReactorFromThreads)
class FakeReactor:
    """Queues the calls that threads make into the reactor's thread."""

    def __init__(self) -> None:
        self.waiting: Queue[Callable[[], object]] = Queue()

    def callFromThread(self, callable: Callable[..., Any], *args: object, **kwargs: object) -> None:  # Twisted's name
        """Queue a call."""
        self.waiting.put(partial(callable, *args, **kwargs))

    def run_next(self) -> None:
        """Wait for the next call, and run it."""
        self.waiting.get(timeout=10)()


class ThreadTests(SynchronousTestCase):
    """`one_thread` runs calls in its thread."""

    def test_one_thread(self) -> None:
        """The same thread runs every call, and results arrive in the reactor's thread."""
        reactor = FakeReactor()
        run = one_thread(reactor)
        names = []
        for _ in range(5):
            done = run(lambda: threading.current_thread().name)
            reactor.run_next()
            names.append(self.successResultOf(done))
        self.assertEqual(len(set(names)), 1)
        self.assertNotEqual(names[0], threading.current_thread().name)

    def test_exception(self) -> None:
        """An exception reaches the caller."""
        reactor = FakeReactor()
        done = one_thread(reactor)(lambda: str(1 // 0))
        reactor.run_next()
        self.failureResultOf(done, ZeroDivisionError)
