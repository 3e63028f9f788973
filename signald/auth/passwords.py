"""Session passwords: hashed and verified with Argon2id (RFC 9106) in a thread, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from attrs import define, evolve, field
from twisted.internet.defer import Deferred, DeferredLock, maybeDeferred, succeed
from twisted.internet.interfaces import IReactorFromThreads

from signald.auth.authorization import Decider
from signald.core.decisions import JoinSession, OpenSession, Operation, Outcome, Refused
from signald.core.errors import ErrorCode
from signald.core.registry import MemoryRegistry

__all__ = ["PasswordLink", "Run", "one_thread"]

Run = Callable[[Callable[[], str]], "Deferred[str]"]
"""Calls a function in a thread, as what `one_thread` returns does."""

_HASHER = PasswordHasher(time_cost=5, memory_cost=7168, parallelism=1)
"""The smallest memory cost that OWASP's Password Storage Cheat Sheet recommends, 7 MiB: a flood of passwords occupies
no more, since they are hashed one at a time."""


@define
class PasswordLink:
    """Replaces the password of an operation: by its hash to open a session, by the hash that it matches to join one.

    So the registry, which cannot hash, compares hashes alone. At most `waiting_passwords` operations wait for the
    thread; further ones are refused.

    Attributes:
        registry: holds the hash of each session's password, and the limits.
        run: calls the slow functions in a thread.
        next: the next link.

    """

    registry: MemoryRegistry
    run: Run
    next: Decider
    _lock: DeferredLock = field(init=False, factory=DeferredLock)

    def decide(self, operation: Operation) -> Outcome | Deferred[Outcome]:
        """Pass on an operation without a password, at once where there is none to hash or to verify."""
        match operation:
            case OpenSession(password=str(password)):
                return self._open(operation, password)
            case JoinSession(password=str(password)):
                return self._join(operation, password)
            case _:
                return self.next.decide(operation)

    def _open(self, operation: OpenSession, password: str) -> Deferred[Outcome]:
        def pass_on(hash: str) -> Outcome | Deferred[Outcome]:
            settings = evolve(operation.settings, password=hash)
            return self.next.decide(evolve(operation, settings=settings, password=None))

        return self._in_turn(lambda: _HASHER.hash(password), pass_on)

    def _join(self, operation: JoinSession, password: str) -> Outcome | Deferred[Outcome]:
        session = self.registry.sessions.get(operation.session)
        hash = None if session is None else session.settings.password
        if hash is None:
            return self.next.decide(evolve(operation, password=None))

        def pass_on(proof: str) -> Outcome | Deferred[Outcome]:
            return self.next.decide(evolve(operation, password=None, proof=proof))

        return self._in_turn(lambda: _proof(hash, password), pass_on)

    def _in_turn(
        self, call: Callable[[], str], pass_on: Callable[[str], Outcome | Deferred[Outcome]]
    ) -> Deferred[Outcome]:
        if len(self._lock.waiting) >= self.registry.limits.waiting_passwords:
            return succeed(Refused(ErrorCode.TOO_MANY_PASSWORDS))
        return self._lock.run(self.run, call).addCallback(pass_on)


def one_thread(reactor: IReactorFromThreads) -> Run:
    """Return a function that runs calls in one thread and returns their results in the reactor's.

    It is always the same thread, since the C library would keep the memory of a hash for each thread that made one.
    """
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="passwords")

    def run(call: Callable[[], str]) -> Deferred[str]:
        done: Deferred[str] = Deferred()

        def finish(future: Future[str]) -> None:
            reactor.callFromThread(lambda: maybeDeferred(future.result).chainDeferred(done))

        executor.submit(call).add_done_callback(finish)
        return done

    return run


def _proof(hash: str, password: str) -> str:
    """Return the hash if the password matches it, else an empty string."""
    try:
        _HASHER.verify(hash, password)
    except VerificationError:
        return ""
    return hash
