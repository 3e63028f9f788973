"""Waiting for connections to end before the server does."""

from __future__ import annotations

from collections.abc import Callable, Collection

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["Drain"]


ANSWER_SECONDS = 1.0
"""For a peer that has everything to close its side. One that is frozen must not hold up the restart for the others."""


@define
class Drain:
    """The end of a number of connections that were asked to go.

    Attributes:
        connections: those that are left; others take them away.
        clock: measures the waiting.
        abort_silent: ends those that are only waited for to close their side; called once, `ANSWER_SECONDS` on.
        abort: ends all that are left.

    """

    connections: Collection[object]
    clock: IReactorTime
    abort_silent: Callable[[], None]
    abort: Callable[[], None]
    _done: Deferred[None] = field(init=False, factory=Deferred)
    _first: IDelayedCall | None = field(init=False, default=None)
    _deadline: IDelayedCall | None = field(init=False, default=None)

    def begin(self, seconds: float) -> Deferred[None]:
        """Wait for so long; fires when all are gone, or were aborted."""
        self._deadline = self.clock.callLater(seconds, self._late)
        if seconds > ANSWER_SECONDS:
            self._first = self.clock.callLater(ANSWER_SECONDS, self._silent)
        self.look()
        return self._done

    def look(self) -> None:
        """One is gone: perhaps all are."""
        if self._deadline is not None and not self.connections:
            self._deadline.cancel()
            self._finish()

    def _silent(self) -> None:
        self._first = None
        self.abort_silent()

    def _late(self) -> None:
        self.abort()
        self._finish()

    def _finish(self) -> None:
        self._deadline = None
        if self._first is not None:
            self._first.cancel()
            self._first = None
        self._done.callback(None)
