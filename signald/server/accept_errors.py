"""Accept errors: counts the connections that Twisted could not accept, and logs a summary without addresses."""

from __future__ import annotations

import math
from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.logger import ILogObserver, LogEvent, Logger
from zope.interface import implementer

__all__ = ["AcceptErrorLog"]

SUMMARY_SECONDS = 60.0
"""Seconds between two summaries in the log, at least."""

_log = Logger()


@implementer(ILogObserver)
@define
class AcceptErrorLog:
    """Observes a listening port's own logger.

    When a process has no descriptor left (EMFILE), Twisted accepts each connection with one that it keeps for that,
    closes it, and logs three lines about it, with its address. A flood of connections would flood the log.

    Attributes:
        clock: gives monotonic seconds.
        count_refused: called for each connection that was closed.

    """

    clock: IReactorTime
    count_refused: Callable[[], None]
    _closed: int = field(default=0, init=False)
    _summary_due: float = field(default=-math.inf, init=False)

    def __call__(self, event: LogEvent) -> None:
        """Count a closed connection: of the three events about one, a single one contains its address."""
        if "address" in event:
            self._closed += 1
            self.count_refused()
        elif "acceptError" not in event:
            return
        now = self.clock.seconds()
        if now < self._summary_due:
            return
        _log.warn(
            "connections cannot be accepted ({reason}); {closed} were closed since this was last said",
            event="accept-failed",
            reason=event.get("acceptError", "EMFILE"),
            closed=self._closed,
        )
        self._closed, self._summary_due = 0, now + SUMMARY_SECONDS
