"""Waiting for connections to end before the server does."""

from __future__ import annotations

from collections.abc import Callable, Collection

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["Drain"]


@define
class Drain:
    """The end of a number of connections that were asked to go.

    Attributes:
        connections: those that are left; others take them away.
        clock: measures the waiting.
        abort: ends all that are left.

    """

    connections: Collection[object]
    clock: IReactorTime
    abort: Callable[[], None]
    _done: Deferred[None] = field(init=False, factory=Deferred)
    _deadline: IDelayedCall | None = field(init=False, default=None)

    def begin(self, seconds: float) -> Deferred[None]:
        """Wait for so long; fires when all are gone, or were aborted."""
        self._deadline = self.clock.callLater(seconds, self._late)
        self.look()
        return self._done

    def look(self) -> None:
        """One is gone: perhaps all are."""
        if self._deadline is not None and not self.connections:
            self._deadline.cancel()
            self._finish()

    def _late(self) -> None:
        self.abort()
        self._finish()

    def _finish(self) -> None:
        self._deadline = None
        self._done.callback(None)
