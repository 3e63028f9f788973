"""Runs slow checks with bounded concurrency, and lets the addresses that ask for them take turns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure

from signald.core.fair_queue import FairQueue, QueueBounds, QueueEntry
from signald.core.limits import AddressKey

__all__ = ["FairTurns", "NoTurnError"]

T = TypeVar("T")


class NoTurnError(Exception):
    """A check of a password or by the webhook is refused, since too many wait: of its address, or of all."""


@define(eq=False)
class _Check:
    """A check that waits or runs.

    Attributes:
        call: starts the check.
        outcome: fires with its result.
        running: the started check.

    """

    call: Callable[[], Any]
    outcome: Deferred[Any] = field(init=False)
    running: Deferred[Any] | None = None


@define(eq=False)
class FairTurns:
    """Runs checks when it is their turn.

    Attributes:
        queue: decides whose turn it is, and which check gets none.

    """

    queue: FairQueue[_Check]
    _is_starting: bool = field(init=False, default=False)

    @classmethod
    def of(cls, bounds: QueueBounds) -> FairTurns:
        """Make an empty queue with these bounds."""
        return cls(FairQueue(bounds))

    def run(self, address: AddressKey, call: Callable[[], Deferred[T]], *, preferred: bool = False) -> Deferred[T]:
        """Call a function at the turn of an address; its turn ends when the result was delivered.

        The deferred fails with NoTurnError where the check gets no turn. It can be cancelled at any time.
        """
        check = _Check(call)
        entry = QueueEntry(address, check, preferred)
        check.outcome = Deferred(lambda _: self._cancel(entry))
        outcome = check.outcome
        displaced = self.queue.add(entry)
        if displaced is not None:
            displaced.item.outcome.errback(NoTurnError())
        self._start()
        return outcome

    def _start(self) -> None:
        """Start checks while there are turns. A check that ends at once goes on in this loop, not in a deeper call."""
        if self._is_starting:
            return
        self._is_starting = True
        try:
            while (entry := self.queue.start_next()) is not None:
                entry.item.running = maybeDeferred(entry.item.call)
                entry.item.running.addBoth(self._finish, entry)
        finally:
            self._is_starting = False

    def _finish(self, result: Any, entry: QueueEntry[_Check]) -> None:
        """Deliver a result, and only then end the turn: the next check sees what this one has changed."""
        if isinstance(result, Failure):
            entry.item.outcome.errback(result)
        else:
            entry.item.outcome.callback(result)
        self.queue.finish(entry)
        self._start()

    def _cancel(self, entry: QueueEntry[_Check]) -> None:
        """Stop a check: one that waits loses its place, and one that runs is cancelled."""
        if entry.item.running is None:
            self.queue.remove(entry)
        else:
            entry.item.running.cancel()
