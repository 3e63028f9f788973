"""Detects a stalled reactor and where it is: a heartbeat in the reactor, and a watchdog thread that misses it."""

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

from signald.monitoring.log_lines import MOST_FRAMES, location
from signald.monitoring.metrics import Metrics

__all__ = ["BEAT_SECONDS", "LATE_SECONDS", "Heartbeat", "StallService", "stack_of"]

BEAT_SECONDS = 0.1
"""Interval of the reactor's heartbeat."""

LATE_SECONDS = 0.1
"""A heartbeat that is later than this counts as a stall."""

_log = Logger()


@define
class Heartbeat:
    """The state of the heartbeat, without a clock; times are monotonic, in seconds.

    Attributes:
        metrics: counts lags and stalls.
        stall_seconds: time after which a stall is reported while it lasts.
        due: when the next heartbeat is due.

    """

    metrics: Metrics
    stall_seconds: float
    due: float
    _is_reported: bool = field(init=False, default=False)
    _checked_at: float | None = field(init=False, default=None)

    def beat(self, now: float) -> float | None:
        """Note a heartbeat; return the duration of the stall that it ends, if that was reported."""
        late = max(0.0, now - self.due)
        self.metrics.lag.observe(late)
        if late > LATE_SECONDS:
            self.metrics.stalls += 1
        was_reported, self._is_reported = self._is_reported, False
        self.due = now + BEAT_SECONDS
        return late if was_reported else None

    def check(self, now: float, interval: float) -> float | None:
        """Return for how long the reactor has been stalled if that is to be reported now, else None.

        The watchdog thread calls this once per interval. A stall is reported once. A call that is late itself reports
        nothing, since then the whole process was suspended.
        """
        before, self._checked_at = self._checked_at, now
        if before is None or now - before > 2 * interval + LATE_SECONDS:
            return None
        late = now - self.due
        if self._is_reported or late < self.stall_seconds:
            return None
        self._is_reported = True
        return late


def stack_of(frame: FrameType | None) -> tuple[str, ...]:
    """Return the locations of a stack, innermost first, without values of variables."""
    locations: list[str] = []
    while frame is not None and len(locations) < MOST_FRAMES:
        locations.append(location(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name))
        frame = frame.f_back
    return tuple(locations)


class StallService(Service):
    """Runs the heartbeat in the reactor and the watchdog thread, from start to stop."""

    def __init__(
        self,
        metrics: Metrics,
        stall_seconds: float,
        reactor: IReactorTime,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create the service.

        Arguments:
            metrics: counts lags and stalls.
            stall_seconds: time after which a stall is logged.
            reactor: the reactor to watch.
            clock: returns monotonic seconds, both in the thread and in the reactor.

        """
        self._reactor = reactor
        self._clock = clock
        self._interval = min(0.25, stall_seconds / 4)
        self._heartbeat = Heartbeat(metrics, stall_seconds, clock() + BEAT_SECONDS)
        self._call: IDelayedCall | None = None
        self._stop = threading.Event()
        self._main = threading.get_ident()

    def startService(self) -> None:
        """Start; to be called in the reactor's thread."""
        super().startService()
        self._main = threading.get_ident()
        self._heartbeat.due = self._clock() + BEAT_SECONDS
        self._stop = threading.Event()
        self._call = self._reactor.callLater(BEAT_SECONDS, self._beat)
        threading.Thread(target=self._watch, args=(self._stop,), name="stalls", daemon=True).start()

    def stopService(self) -> None:
        """Stop; the thread ends within one interval."""
        super().stopService()
        self._stop.set()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def check(self) -> None:
        """Check the heartbeat once, and log a stall with the stack of the reactor's thread."""
        late = self._heartbeat.check(self._clock(), self._interval)
        if late is not None:
            stack = stack_of(sys._current_frames().get(self._main))
            _log.warn(
                "the reactor has been stalled for {seconds:.1f} s at {stack}",
                event="reactor-stalled",
                seconds=round(late, 3),
                stack=" < ".join(stack),
            )

    def _beat(self) -> None:
        late = self._heartbeat.beat(self._clock())
        if late is not None:
            _log.warn(
                "the reactor resumed after a stall of {seconds:.1f} s", event="reactor-resumed", seconds=round(late, 3)
            )
        self._call = self._reactor.callLater(BEAT_SECONDS, self._beat)

    def _watch(self, stop: threading.Event) -> None:
        while not stop.wait(self._interval):
            self.check()
