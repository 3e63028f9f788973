"""The reconnect window of a restarting server."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.reconnect_window import (
    MAX_GRACE_SHARE,
    QUEUED_SECONDS,
    REFUSED_SECONDS,
    ReconnectWindow,
    reconnect_seconds,
    reconnect_window,
)


class ReconnectWindowTests(SynchronousTestCase):
    """The server tells clients the window in which to reconnect."""

    def test_few(self) -> None:
        """With few clients the window is short, and shorter if connections are queued; not all reconnect at once."""
        self.assertEqual(reconnect_window(4, 30.0, queued=True), ReconnectWindow(QUEUED_SECONDS, QUEUED_SECONDS))
        self.assertEqual(reconnect_window(4, 30.0, queued=False), ReconnectWindow(REFUSED_SECONDS, REFUSED_SECONDS))

    def test_many(self) -> None:
        """The window grows with the number of clients, so that the rate of reconnects is bounded."""
        window = reconnect_window(1500, 30.0, queued=True)
        self.assertEqual(window.spread, reconnect_seconds(1500))

    def test_within_the_grace(self) -> None:
        """The window ends before the grace period, however many clients there are and however short the period is."""
        for clients in (0, 100, 100_000):
            for grace in (0.1, 1.0, 30.0):
                for queued in (False, True):
                    window = reconnect_window(clients, grace, queued=queued)
                    self.assertGreaterEqual(window.first, 0)
                    self.assertGreaterEqual(window.spread, 0)
                    self.assertLessEqual(window.first + window.spread, MAX_GRACE_SHARE * grace + 1e-9)
