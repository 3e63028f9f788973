"""Passwords of sessions: hashed and checked elsewhere, one at a time."""

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
from signald.core.sessions import Settings
from tests.support.world import HOST_SECRET, counting_bytes

RIGHT = "open sesame"


class Threads:
    """Holds back what is called in a thread until the test lets it go on.

    Attributes:
        calls: what is to be called, with what waits for it.

    """

    def __init__(self) -> None:
        self.calls: list[tuple[Callable[[], str], Deferred[str]]] = []

    def run(self, call: Callable[[], str]) -> Deferred[str]:
        """Take note of a call."""
        done: Deferred[str] = Deferred()
        self.calls.append((call, done))
        return done

    def go_on(self) -> None:
        """Make the first call."""
        call, done = self.calls.pop(0)
        maybeDeferred(call).chainDeferred(done)


class PasswordTests(SynchronousTestCase):
    """Sessions with passwords."""

    def setUp(self) -> None:
        """A registry with a host and a guest."""
        self.threads = Threads()
        limits = Limits(waiting_passwords=2)
        self.registry = MemoryRegistry(counting_bytes(), limits, HOST_SECRET)
        self.passwords = PasswordLink(self.registry, self.threads.run, next=self.registry)
        self.ann, self.bob = self.identify(), self.identify()

    def identify(self) -> UserId:
        """Make a new identity."""
        outcome = self.registry.decide(Identify(None))
        assert isinstance(outcome, Identified)
        return outcome.user

    def decide(self, operation: Operation) -> Deferred[Outcome]:
        """Have the link decide something later."""
        outcome = self.passwords.decide(operation)
        assert isinstance(outcome, Deferred)
        return outcome

    def opening(self) -> Deferred[Outcome]:
        """Ask for a session with a password."""
        return self.decide(OpenSession(self.ann, Traits(), None, Settings(8, keep=True), RIGHT))

    def opened(self) -> SessionId:
        """A session with a password."""
        outcome = self.opening()
        self.threads.go_on()
        decided = self.successResultOf(outcome)
        assert isinstance(decided, Decided)
        assert decided.session is not None
        return decided.session

    def join(self, session: SessionId, password: str = RIGHT) -> Deferred[Outcome]:
        """Ask to join with a password."""
        return self.decide(JoinSession(self.bob, Traits(), session, password=password))

    def members(self, session: SessionId) -> list[UserId]:
        """Who is in it."""
        return [member.user for member in self.registry.sessions[session].members]

    def test_only_a_hash_is_kept(self) -> None:
        """Of Argon2id, with a salt of its own each time."""
        hashes = {self.registry.sessions[self.opened()].settings.password or "" for _ in range(2)}
        self.assertEqual(len(hashes), 2)
        for hash in hashes:
            self.assertTrue(hash.startswith("$argon2id$v=19$m=7168,t=5,p=1$"), hash)
            self.assertNotIn(RIGHT, hash)

    def test_nothing_happens_before_the_hash_is_made(self) -> None:
        """The session is opened when it is."""
        outcome = self.opening()
        self.assertEqual(self.registry.sessions, {})
        self.assertNoResult(outcome)
        self.threads.go_on()
        self.assertIsInstance(self.successResultOf(outcome), Decided)

    def test_the_right_password_lets_in(self) -> None:
        """And a wrong one does not."""
        session = self.opened()
        wrong = self.join(session, "guess")
        self.threads.go_on()
        self.assertEqual(self.successResultOf(wrong), Refused(ErrorCode.WRONG_PASSWORD))
        self.assertEqual(self.members(session), [self.ann])
        right = self.join(session)
        self.threads.go_on()
        self.assertIsInstance(self.successResultOf(right), Decided)
        self.assertEqual(self.members(session), [self.ann, self.bob])

    def test_one_at_a_time(self) -> None:
        """In the order in which they came."""
        session = self.opened()
        first, second = self.join(session, "guess"), self.join(session)
        self.assertEqual(len(self.threads.calls), 1)
        self.threads.go_on()
        self.successResultOf(first)
        self.assertNoResult(second)
        self.threads.go_on()
        self.successResultOf(second)

    def test_so_many_wait(self) -> None:
        """The next one is refused at once, and there is room again when one is done."""
        session = self.opened()
        waiting = [self.join(session, "guess") for _ in range(3)]
        self.assertEqual(self.successResultOf(self.join(session)), Refused(ErrorCode.TOO_MANY_PASSWORDS))
        self.assertEqual(self.successResultOf(self.opening()), Refused(ErrorCode.TOO_MANY_PASSWORDS))
        self.threads.go_on()
        self.successResultOf(waiting[0])
        right = self.join(session)
        for _ in range(3):
            self.threads.go_on()
        self.assertIsInstance(self.successResultOf(right), Decided)

    def test_a_password_that_nobody_asks_for(self) -> None:
        """It takes no thread: neither where the session has none nor where there is no session."""
        decided = self.registry.decide(OpenSession(self.ann, Traits(), None, Settings()))
        assert isinstance(decided, Decided)
        assert decided.session is not None
        for session, expected in ((decided.session, Decided), (SessionId("ZZZZZZZZZZ"), Refused)):
            operation = JoinSession(self.bob, Traits(), session, password=RIGHT)
            self.assertIsInstance(self.passwords.decide(operation), expected)
        self.assertEqual(self.threads.calls, [])

    def test_the_session_ends_meanwhile(self) -> None:
        """Then it is unknown, as it would have been without a password."""
        session = self.opened()
        record = self.registry.sessions[session]
        self.registry.sessions[session] = evolve(record, settings=evolve(record.settings, keep=False))
        outcome = self.join(session)
        self.registry.decide(HostCommand(self.ann, End(session)))
        self.threads.go_on()
        self.assertEqual(self.successResultOf(outcome), Refused(ErrorCode.UNKNOWN_SESSION))

    def test_the_password_changes_meanwhile(self) -> None:
        """The hash that was checked is the session's no more: the host has opened it again with another."""
        session = self.opened()
        outcome = self.join(session)
        record = self.registry.sessions[session]
        changed = evolve(record.settings, password="another hash")
        self.registry.sessions[session] = evolve(record, settings=changed)
        self.threads.go_on()
        self.assertEqual(self.successResultOf(outcome), Refused(ErrorCode.WRONG_PASSWORD))

    def test_a_check_that_fails_does_not_hold_up_the_next(self) -> None:
        """The failure is told to whoever asked; a damaged hash fits no password."""
        session = self.opened()
        record = self.registry.sessions[session]
        damaged = evolve(record.settings, password="no hash")
        self.registry.sessions[session] = evolve(record, settings=damaged)
        broken, next_one = self.join(session), self.opening()
        self.threads.go_on()
        self.failureResultOf(broken)
        self.threads.go_on()
        self.assertIsInstance(self.successResultOf(next_one), Decided)


@implementer(IReactorFromThreads)
class Calls:
    """Keeps what threads call in the reactor's thread."""

    def __init__(self) -> None:
        self.waiting: Queue[Callable[[], object]] = Queue()

    def callFromThread(self, callable: Callable[..., Any], *args: object, **kwargs: object) -> None:  # Twisted's name
        """Keep it."""
        self.waiting.put(partial(callable, *args, **kwargs))

    def go_on(self) -> None:
        """Wait for the next one, and call it."""
        self.waiting.get(timeout=10)()


class ThreadTests(SynchronousTestCase):
    """The thread."""

    def test_there_is_one(self) -> None:
        """It makes every call, and what comes of it is told in the reactor's thread."""
        calls = Calls()
        run = one_thread(calls)
        names = []
        for _ in range(5):
            done = run(lambda: threading.current_thread().name)
            calls.go_on()
            names.append(self.successResultOf(done))
        self.assertEqual(len(set(names)), 1)
        self.assertNotEqual(names[0], threading.current_thread().name)

    def test_an_error(self) -> None:
        """Is the caller's."""
        calls = Calls()
        done = one_thread(calls)(lambda: str(1 // 0))
        calls.go_on()
        self.failureResultOf(done, ZeroDivisionError)
