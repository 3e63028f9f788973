"""What Twisted says of connections that it could not accept: counted, told now and then, and without addresses."""

from __future__ import annotations

import math
from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.logger import ILogObserver, LogEvent, Logger
from zope.interface import implementer

__all__ = ["AcceptErrorLog"]

SAY_SECONDS = 60.0
"""Between two lines of the log."""

_log = Logger()


@implementer(ILogObserver)
@define
class AcceptErrorLog:
    """The observer of a listening port's own logger.

    When a process has no descriptor left (EMFILE), Twisted accepts each connection with one that it keeps for that,
    closes it, and writes three lines about it, its address among them. A flood of connections would be one of the log.

    Attributes:
        clock: gives monotonic seconds.
        refused: called for each connection that was closed.

    """

    clock: IReactorTime
    refused: Callable[[], None]
    _closed: int = field(default=0, init=False)
    _say_at: float = field(default=-math.inf, init=False)

    def __call__(self, event: LogEvent) -> None:
        """Count what an event is about; of a recovery's three only one has the address that was closed."""
        if "address" in event:
            self._closed += 1
            self.refused()
        elif "acceptError" not in event:
            return
        now = self.clock.seconds()
        if now < self._say_at:
            return
        _log.warn(
            "connections cannot be accepted ({reason}); {closed} were closed since this was last said",
            event="accept-failed",
            reason=event.get("acceptError", "EMFILE"),
            closed=self._closed,
        )
        self._closed, self._say_at = 0, now + SAY_SECONDS
