"""A reactor that stands still."""

from __future__ import annotations

import sys
import threading
from typing import cast

from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from signald.monitoring.log_lines import MOST_FRAMES
from signald.monitoring.metrics import Metrics
from signald.monitoring.stalls import BEAT_SECONDS, LATE_SECONDS, Beats, StallService, stack_of

INTERVAL = 0.25


class BeatsTests(SynchronousTestCase):
    """The beats, with times that are passed."""

    def setUp(self) -> None:
        """Beats of which the first is due now."""
        self.metrics = Metrics()
        self.beats = Beats(self.metrics, stall_seconds=1.0, due=100.0)

    def test_a_reactor_in_time(self) -> None:
        """Its lags are measured, and nothing is told."""
        for number in range(10):
            now = 100.0 + number * BEAT_SECONDS
            self.assertIsNone(self.beats.beat(now))
            self.assertIsNone(self.beats.look(now + BEAT_SECONDS / 2, INTERVAL))
        self.assertEqual(sum(self.metrics.lag.counts), 10)
        self.assertEqual(self.metrics.stalls, 0)

    def test_a_late_beat_is_counted(self) -> None:
        """Past a tenth of a second; a beat that comes early is in time."""
        self.beats.beat(100.0 + LATE_SECONDS)
        self.beats.beat(self.beats.due - 1.0)
        self.assertEqual(self.metrics.stalls, 0)
        self.beats.beat(self.beats.due + LATE_SECONDS + 0.001)
        self.assertEqual(self.metrics.stalls, 1)
        self.assertAlmostEqual(self.metrics.lag.total, 2 * LATE_SECONDS + 0.001)

    def test_a_long_stall_is_told_once_while_it_lasts(self) -> None:
        """And again when it is over, with its whole length; the next one anew."""
        for start in (100.0, 200.0):
            self.beats.due = start
            looks = [self.beats.look(start + number * INTERVAL, INTERVAL) for number in range(20)]
            self.assertEqual([look for look in looks if look is not None], [1.0])
            self.assertEqual(self.beats.beat(start + 5.0), 5.0)
            self.assertIsNone(self.beats.beat(self.beats.due))
            self.beats._looked = None

    def test_a_process_that_stood_still_as_a_whole(self) -> None:
        """A machine asleep, a process stopped: its first look tells nothing; the next ones do, if it goes on."""
        self.beats.look(100.0, INTERVAL)
        self.assertIsNone(self.beats.look(500.0, INTERVAL))
        self.assertEqual(self.beats.look(500.0 + INTERVAL, INTERVAL), 400.0 + INTERVAL)


class StackTests(SynchronousTestCase):
    """Where a thread is."""

    def test_places_alone(self) -> None:
        """Files, lines and functions, innermost first; no values of theirs."""

        def inner() -> tuple[str, ...]:
            canary = "canary"  # noqa: F841 # it is not to be told
            return stack_of(sys._getframe())

        stack = inner()
        self.assertRegex(stack[0], r"^monitoring/test_stalls\.py:\d+ inner$")
        self.assertRegex(stack[1], r"^monitoring/test_stalls\.py:\d+ test_places_alone$")
        self.assertNotIn("canary", " ".join(stack))

    def test_no_thread(self) -> None:
        """One that is gone is nowhere."""
        self.assertEqual(stack_of(None), ())

    def test_a_deep_stack_is_cut(self) -> None:
        """The innermost places are left."""

        def deep(depth: int) -> tuple[str, ...]:
            return deep(depth - 1) if depth else stack_of(sys._getframe())

        self.assertEqual(len(deep(100)), MOST_FRAMES)


class StallServiceTests(SynchronousTestCase):
    """The beats in a reactor."""

    def setUp(self) -> None:
        """A service whose thread sees the reactor's own clock, and the log's events."""
        self.clock = Clock()
        self.metrics = Metrics()
        self.now = 0.0
        self.service = StallService(self.metrics, 1.0, self.clock, lambda: self.now)
        self.events: list[LogEvent] = []
        observer = cast(ILogObserver, self.events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def test_it_beats_from_start_to_stop(self) -> None:
        """Every tenth of a second, without leaving a call behind; its thread ends."""
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

    def test_a_stall_is_logged_with_its_stack(self) -> None:
        """Once while it lasts, with where the reactor's thread is; and when it is over."""
        self.service.startService()
        self.service.stopService()
        for number in range(40):
            self.now = number * INTERVAL / 2
            self.service.look()
        [stalled] = [event for event in self.events if event.get("event") == "reactor-stalled"]
        self.assertIn("test_stalls.py", stalled["stack"])
        self.assertIn("test_a_stall_is_logged_with_its_stack", stalled["stack"])
        self.service._beat()
        [resumed] = [event for event in self.events if event.get("event") == "reactor-resumed"]
        self.assertGreater(resumed["seconds"], 4.0)
        self.service.stopService()
