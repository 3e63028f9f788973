"""Passwords of sessions: hashed with Argon2id (RFC 9106) and checked in a thread, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from attrs import define, evolve, field
from twisted.internet.defer import Deferred, DeferredLock, maybeDeferred
from twisted.internet.interfaces import IReactorFromThreads

from signald.core.decisions import JoinSession, OpenSession, Outcome, Refused
from signald.core.errors import ErrorCode
from signald.core.limits import Limits
from signald.core.registry import MemoryRegistry

_T = TypeVar("_T")

Run = Callable[[Callable[[], str]], "Deferred[str]"]
"""Calls something in a thread; `one_thread` makes one."""

# The smallest memory that OWASP's Password Storage Cheat Sheet recommends, 7 MiB: it is all that a flood can claim.
_HASHER = PasswordHasher(time_cost=5, memory_cost=7168, parallelism=1)


@define
class Passwords:
    """Takes the passwords out of operations before the registry sees them.

    Attributes:
        limits: `waiting_passwords`.
        registry: what decides then.
        run: calls the slow part in a thread.

    """

    limits: Limits
    registry: MemoryRegistry
    run: Run
    _lock: DeferredLock = field(init=False, factory=DeferredLock)

    def open(self, operation: OpenSession, password: str) -> Deferred[Outcome]:
        """Hash the password of a new session, and decide."""

        def decide(hash: str) -> Outcome:
            settings = evolve(operation.settings, password=hash)
            return self.registry.decide(evolve(operation, settings=settings, password=None))

        return self._in_turn(lambda: _HASHER.hash(password), decide)

    def join(self, operation: JoinSession, password: str) -> Deferred[Outcome] | Outcome:
        """Check the password that a guest gave, and decide."""
        session = self.registry.sessions.get(operation.session)
        hash = None if session is None else session.settings.password
        if hash is None:
            return self.registry.decide(evolve(operation, password=None))

        def decide(proof: str) -> Outcome:
            return self.registry.decide(evolve(operation, password=None, proof=proof))

        return self._in_turn(lambda: _proof(hash, password), decide)

    def _in_turn(self, call: Callable[[], str], decide: Callable[[str], Outcome]) -> Deferred[Outcome]:
        if len(self._lock.waiting) >= self.limits.waiting_passwords:
            refused: Deferred[Outcome] = Deferred()
            refused.callback(Refused(ErrorCode.TOO_MANY_PASSWORDS))
            return refused
        return self._lock.run(self.run, call).addCallback(decide)


def one_thread(reactor: IReactorFromThreads) -> Run:
    """Make what calls in one thread: for each one, the C library would keep the memory that a hash took there."""
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="passwords")

    def run(call: Callable[[], str]) -> Deferred[str]:
        done: Deferred[str] = Deferred()

        def finish(future: Future[str]) -> None:
            reactor.callFromThread(lambda: maybeDeferred(future.result).chainDeferred(done))

        executor.submit(call).add_done_callback(finish)
        return done

    return run


def _proof(hash: str, password: str) -> str:
    """The hash, where the password fits it; else an empty text."""
    try:
        _HASHER.verify(hash, password)
    except VerificationError:
        return ""
    return hash
