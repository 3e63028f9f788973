"""Tests of the detection of a stalled reactor."""

from __future__ import annotations

import sys
import threading

from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from signald.monitoring.log_lines import MOST_FRAMES
from signald.monitoring.metrics import Metrics
from signald.monitoring.stalls import BEAT_SECONDS, LATE_SECONDS, Heartbeat, StallService, stack_of

INTERVAL = 0.25


class HeartbeatTests(SynchronousTestCase):
    """`Heartbeat`, with explicit times."""

    def setUp(self) -> None:
        """Create a heartbeat whose first beat is due now."""
        self.metrics = Metrics()
        self.heartbeat = Heartbeat(self.metrics, stall_seconds=1.0, due=100.0)

    def test_on_time(self) -> None:
        """Lags of a reactor that is on time are measured, and nothing is reported."""
        for number in range(10):
            now = 100.0 + number * BEAT_SECONDS
            self.assertIsNone(self.heartbeat.beat(now))
            self.assertIsNone(self.heartbeat.check(now + BEAT_SECONDS / 2, INTERVAL))
        self.assertEqual(sum(self.metrics.lag.counts), 10)
        self.assertEqual(self.metrics.stalls, 0)

    def test_late(self) -> None:
        """A heartbeat that is more than `LATE_SECONDS` late counts as a stall; an early heartbeat does not."""
        self.heartbeat.beat(100.0 + LATE_SECONDS)
        self.heartbeat.beat(self.heartbeat.due - 1.0)
        self.assertEqual(self.metrics.stalls, 0)
        self.heartbeat.beat(self.heartbeat.due + LATE_SECONDS + 0.001)
        self.assertEqual(self.metrics.stalls, 1)
        self.assertAlmostEqual(self.metrics.lag.total, 2 * LATE_SECONDS + 0.001)

    def test_long_stall(self) -> None:
        """A long stall is reported once while it lasts, and once when it ends, with its duration."""
        for start in (100.0, 200.0):
            self.heartbeat.due = start
            reports = [self.heartbeat.check(start + number * INTERVAL, INTERVAL) for number in range(20)]
            self.assertEqual([report for report in reports if report is not None], [1.0])
            self.assertEqual(self.heartbeat.beat(start + 5.0), 5.0)
            self.assertIsNone(self.heartbeat.beat(self.heartbeat.due))
            self.heartbeat._checked_at = None

    def test_suspended_process(self) -> None:
        """The first check after the process was suspended reports nothing; the next one does if the stall lasts."""
        self.heartbeat.check(100.0, INTERVAL)
        self.assertIsNone(self.heartbeat.check(500.0, INTERVAL))
        self.assertEqual(self.heartbeat.check(500.0 + INTERVAL, INTERVAL), 400.0 + INTERVAL)


class StackTests(SynchronousTestCase):
    """`stack_of` returns the locations of a stack."""

    def test_locations(self) -> None:
        """A stack consists of files, lines and functions, innermost first, without values."""

        def inner() -> tuple[str, ...]:
            canary = "canary"  # noqa: F841 # it must not be in the stack
            return stack_of(sys._getframe())

        stack = inner()
        self.assertRegex(stack[0], r"^monitoring/test_stalls\.py:\d+ inner$")
        self.assertRegex(stack[1], r"^monitoring/test_stalls\.py:\d+ test_locations$")
        self.assertNotIn("canary", " ".join(stack))

    def test_no_thread(self) -> None:
        """A thread that has ended has an empty stack."""
        self.assertEqual(stack_of(None), ())

    def test_deep_stack(self) -> None:
        """Only the innermost locations of a deep stack are returned."""

        def deep(depth: int) -> tuple[str, ...]:
            return deep(depth - 1) if depth else stack_of(sys._getframe())

        self.assertEqual(len(deep(100)), MOST_FRAMES)


class StallServiceTests(SynchronousTestCase):
    """`StallService` runs the heartbeat in a reactor."""

    def setUp(self) -> None:
        """Create a service on a fake clock, and record log events."""
        self.clock = Clock()
        self.metrics = Metrics()
        self.now = 0.0
        self.service = StallService(self.metrics, 1.0, self.clock, lambda: self.now)
        self.events = self.enterContext(capturedLogs())

    def test_start_and_stop(self) -> None:
        """The heartbeat runs from start to stop; afterwards no delayed call is left, and the thread ends."""
        # A thread of another test may take a moment to end.
        others = set(threading.enumerate())
        self.service.startService()
        [thread] = set(threading.enumerate()) - others
        for number in range(1, 21):
            self.now = number * BEAT_SECONDS
            self.clock.advance(BEAT_SECONDS)
        self.assertEqual(sum(self.metrics.lag.counts), 20)
        self.service.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        thread.join(20.0)
        self.assertFalse(thread.is_alive())

    def test_log(self) -> None:
        """A stall is logged once with the stack of the reactor's thread, and once when it ends."""
        self.service.startService()
        self.service.stopService()
        for number in range(40):
            self.now = number * INTERVAL / 2
            self.service.check()
        [stalled] = [event for event in self.events if event.get("event") == "reactor-stalled"]
        self.assertIn("test_stalls.py", stalled["stack"])
        self.assertIn("test_log", stalled["stack"])
        self.service._beat()
        [resumed] = [event for event in self.events if event.get("event") == "reactor-resumed"]
        self.assertGreater(resumed["seconds"], 4.0)
        self.service.stopService()
