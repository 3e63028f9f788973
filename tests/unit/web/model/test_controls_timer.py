"""Tests when the controls of a call hide."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.controls_timer import HIDE_AFTER, ControlsTimer


class ControlsTimerTests(SynchronousTestCase):
    """`ControlsTimer` hides the controls of a page that nobody uses."""

    def test_unused(self) -> None:
        """The controls hide after four seconds, and come back with the next movement."""
        timer = ControlsTimer()
        timer.used(10.0)
        self.assertFalse(timer.hidden(False, 10.0 + HIDE_AFTER - 0.01))
        self.assertTrue(timer.hidden(False, 10.0 + HIDE_AFTER))
        timer.used(20.0)
        self.assertFalse(timer.hidden(False, 20.0))

    def test_in_use(self) -> None:
        """Controls in use stay, and the time starts anew when they are not any more."""
        timer = ControlsTimer()
        timer.used(10.0)
        self.assertFalse(timer.hidden(True, 100.0))
        self.assertFalse(timer.hidden(False, 100.0 + HIDE_AFTER - 0.01))
        self.assertTrue(timer.hidden(False, 100.0 + HIDE_AFTER))
