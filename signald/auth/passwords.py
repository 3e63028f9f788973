"""Session passwords: hashed and verified with Argon2id (RFC 9106) in a thread, one at a time, in fair turns."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from attrs import define, evolve, field
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure

from signald.auth.authorization import Decider
from signald.auth.fair_turns import FairTurns, NoTurnError
from signald.core.budgets import AddressBudget
from signald.core.decisions import JoinSession, OpenSession, Operation, Outcome, Refused
from signald.core.errors import ErrorCode, SignalError
from signald.core.fair_queue import QueueBounds
from signald.core.limits import AddressKey, Limits
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
    thread, `address_waiting_passwords` of them for one address; further ones are refused. Addresses take turns, and
    passwords of joins go before those of new sessions.

    Attributes:
        registry: holds the hash of each session's password, and the limits.
        run: calls the slow functions in a thread.
        guesses: the budget of each address for wrong passwords. A check takes its token before it begins, so that
            passwords which are tried at once cannot exceed the budget; a right password gives it back.
        clock: returns monotonic seconds.
        next: the next link.

    """

    registry: MemoryRegistry
    run: Run
    guesses: AddressBudget
    clock: Callable[[], float]
    next: Decider
    _turns: FairTurns = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Create the queue for the thread."""
        self._turns = FairTurns.of(_bounds(self.registry.limits))

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

        return self._in_turn(operation, lambda: self.run(lambda: _HASHER.hash(password)), pass_on)

    def _join(self, operation: JoinSession, password: str) -> Outcome | Deferred[Outcome]:
        session = self.registry.sessions.get(operation.session)
        hash = None if session is None else session.settings.password
        if hash is None:
            return self.next.decide(evolve(operation, password=None))

        def pass_on(proof: str) -> Outcome | Deferred[Outcome]:
            return self.next.decide(evolve(operation, password=None, proof=proof))

        return self._in_turn(operation, lambda: self._verify(operation.address, hash, password), pass_on)

    def _verify(self, address: AddressKey, hash: str, password: str) -> Deferred[str]:
        """Verify a password within the address's budget for wrong ones.

        Raises:
            SignalError: the budget is used up (`too-many-guesses`).

        """
        if not self.guesses.take_token(address, self.clock()):
            raise SignalError(ErrorCode.TOO_MANY_GUESSES)

        def settle(proof: str | Failure) -> str | Failure:
            if proof != "":
                self.guesses.return_token(address, self.clock())
            return proof

        return self.run(lambda: _proof(hash, password)).addBoth(settle)

    def _in_turn(
        self,
        operation: OpenSession | JoinSession,
        call: Callable[[], Deferred[str]],
        pass_on: Callable[[str], Outcome | Deferred[Outcome]],
    ) -> Deferred[Outcome]:
        self._turns.queue.bounds = _bounds(self.registry.limits)
        checked = self._turns.run(operation.address, call, preferred=isinstance(operation, JoinSession))
        return checked.addCallbacks(pass_on, _refuse)


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


def _bounds(limits: Limits) -> QueueBounds:
    return QueueBounds(
        running=1,
        running_per_group=1,
        waiting=limits.waiting_passwords,
        waiting_per_address=limits.address_waiting_passwords,
    )


def _refuse(failure: Failure) -> Outcome:
    """Refuse an operation whose password could not be checked for now; another failure is the server's."""
    if isinstance(failure.value, SignalError):
        return Refused(failure.value.code)
    failure.trap(NoTurnError)
    return Refused(ErrorCode.TOO_MANY_PASSWORDS)


def _proof(hash: str, password: str) -> str:
    """Return the hash if the password matches it, else an empty string."""
    try:
        _HASHER.verify(hash, password)
    except VerificationError:
        return ""
    return hash
