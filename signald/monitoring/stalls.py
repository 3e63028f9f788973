"""Notices that the reactor stands still, and where: a beat in the reactor, and a thread that misses it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from signald.monitoring.log_lines import MOST_FRAMES, place
from signald.monitoring.metrics import Metrics

__all__ = ["BEAT_SECONDS", "LATE_SECONDS", "Beats", "StallService", "stack_of"]

BEAT_SECONDS = 0.1
"""Between two beats of the reactor."""

LATE_SECONDS = 0.1
"""By which a beat has to be late to count as a stall."""

_log = Logger()


@define
class Beats:
    """The reactor's beats, as told by both sides. Times are monotonic seconds; no clock is looked at here.

    Attributes:
        metrics: counts lags and stalls.
        stall_seconds: after which a stall is told, while it lasts.
        due: when the next beat has to come.

    """

    metrics: Metrics
    stall_seconds: float
    due: float
    _told: bool = field(init=False, default=False)
    _looked: float | None = field(init=False, default=None)

    def beat(self, now: float) -> float | None:
        """The reactor is there; how long it stood still, where that was told while it lasted."""
        late = max(0.0, now - self.due)
        self.metrics.lag.observe(late)
        if late > LATE_SECONDS:
            self.metrics.stalls += 1
        was_told, self._told = self._told, False
        self.due = now + BEAT_SECONDS
        return late if was_told else None

    def look(self, now: float, interval: float) -> float | None:
        """The thread looks, as it does at that interval: for how long the reactor has stood still; None if all is well.

        A stall is told once. A thread that is late itself tells nothing: the whole process stood still.
        """
        before, self._looked = self._looked, now
        if before is None or now - before > 2 * interval + LATE_SECONDS:
            return None
        late = now - self.due
        if self._told or late < self.stall_seconds:
            return None
        self._told = True
        return late


def stack_of(frame: FrameType | None) -> tuple[str, ...]:
    """The places of a thread's stack, innermost first; no values."""
    places: list[str] = []
    while frame is not None and len(places) < MOST_FRAMES:
        places.append(place(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name))
        frame = frame.f_back
    return tuple(places)


class StallService(Service):
    """Beats in the reactor, and a thread that looks after them, from start to stop."""

    def __init__(
        self,
        metrics: Metrics,
        stall_seconds: float,
        reactor: IReactorTime,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make it.

        Arguments:
            metrics: counts.
            stall_seconds: after which a stall is logged.
            reactor: that is watched.
            clock: gives monotonic seconds to the thread and the reactor alike.

        """
        self._reactor = reactor
        self._clock = clock
        self._interval = min(0.25, stall_seconds / 4)
        self._beats = Beats(metrics, stall_seconds, clock() + BEAT_SECONDS)
        self._call: IDelayedCall | None = None
        self._stop = threading.Event()
        self._main = threading.get_ident()

    def startService(self) -> None:
        """Begin: from within the thread of the reactor."""
        super().startService()
        self._main = threading.get_ident()
        self._beats.due = self._clock() + BEAT_SECONDS
        self._stop = threading.Event()
        self._call = self._reactor.callLater(BEAT_SECONDS, self._beat)
        threading.Thread(target=self._watch, args=(self._stop,), name="stalls", daemon=True).start()

    def stopService(self) -> None:
        """End; the thread ends by itself."""
        super().stopService()
        self._stop.set()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def look(self) -> None:
        """Look once, and log a stall with the stack of the reactor's thread."""
        late = self._beats.look(self._clock(), self._interval)
        if late is not None:
            stack = stack_of(sys._current_frames().get(self._main))
            _log.warn(
                "the reactor has stood still for {seconds:.1f} s at {stack}",
                event="reactor-stalled",
                seconds=round(late, 3),
                stack=" < ".join(stack),
            )

    def _beat(self) -> None:
        late = self._beats.beat(self._clock())
        if late is not None:
            _log.warn("the reactor goes on after {seconds:.1f} s", event="reactor-resumed", seconds=round(late, 3))
        self._call = self._reactor.callLater(BEAT_SECONDS, self._beat)

    def _watch(self, stop: threading.Event) -> None:
        while not stop.wait(self._interval):
            self.look()
