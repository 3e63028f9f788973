"""Tests of the clock of a call."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.call_clock import CallClock, duration


class CallClockTests(SynchronousTestCase):
    """`CallClock` counts from the first connection to the end of the session."""

    def test_call(self) -> None:
        """The clock starts with the first connection, goes on without one, and is reset after the session."""
        clock = CallClock()
        self.assertEqual(clock.tick(False, False, 5.0), "")
        self.assertEqual(clock.tick(True, False, 10.0), "")
        self.assertEqual(clock.tick(True, True, 20.0), "0:00")
        self.assertEqual(clock.tick(True, False, 81.5), "1:01")
        self.assertEqual(clock.tick(False, False, 90.0), "")
        self.assertEqual(clock.tick(True, True, 100.0), "0:00")

    def test_duration(self) -> None:
        """Durations of an hour and more have hours."""
        for seconds, expected in ((59.9, "0:59"), (60, "1:00"), (3599, "59:59"), (3600, "1:00:00")):
            self.assertEqual(duration(seconds), expected)
