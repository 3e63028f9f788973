"""When clients come back."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.reconnect_window import (
    LATEST,
    QUEUED_SECONDS,
    REFUSED_SECONDS,
    ReturnWindow,
    return_seconds,
    return_window,
)


class ReturnTests(SynchronousTestCase):
    """The window that they are told."""

    def test_few(self) -> None:
        """They come soon, sooner where nothing is refused meanwhile, and not all at once."""
        self.assertEqual(return_window(4, 30.0, queued=True), ReturnWindow(QUEUED_SECONDS, QUEUED_SECONDS))
        self.assertEqual(return_window(4, 30.0, queued=False), ReturnWindow(REFUSED_SECONDS, REFUSED_SECONDS))

    def test_many(self) -> None:
        """The more they are, the longer is the window: no more come in a second than are welcomed in one."""
        window = return_window(1500, 30.0, queued=True)
        self.assertEqual(window.spread, return_seconds(1500))

    def test_within_the_grace(self) -> None:
        """However many they are, and however short it is."""
        for clients in (0, 100, 100_000):
            for grace in (0.1, 1.0, 30.0):
                for queued in (False, True):
                    window = return_window(clients, grace, queued=queued)
                    self.assertGreaterEqual(window.first, 0)
                    self.assertGreaterEqual(window.spread, 0)
                    self.assertLessEqual(window.first + window.spread, LATEST * grace + 1e-9)
