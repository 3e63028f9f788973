"""The reconnect window of a restarting server."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.reconnect_window import (
    LEAST_RESUMES,
    LEAST_SECONDS,
    LEAST_SPREAD,
    MAX_GRACE_SHARE,
    MOST_SECONDS,
    QUEUED,
    QUEUED_SECONDS,
    REFUSED,
    REFUSED_SECONDS,
    TLS_SECONDS,
    UPGRADE,
    UPGRADE_SHARE,
    ReconnectWindow,
    ResumeCost,
    reconnect_seconds,
    reconnect_window,
)


class ReconnectWindowTests(SynchronousTestCase):
    """The server tells clients the window in which to reconnect."""

    def test_few(self) -> None:
        """With few clients the window is short, and shorter if connections are queued; not all reconnect at once."""
        queued, refused = (reconnect_window(4, 30.0, kind, TLS_SECONDS) for kind in (QUEUED, REFUSED))
        self.assertEqual(queued, ReconnectWindow(QUEUED_SECONDS, QUEUED_SECONDS))
        self.assertEqual(refused, ReconnectWindow(REFUSED_SECONDS, REFUSED_SECONDS))
        self.assertEqual(reconnect_window(4, 30.0, UPGRADE, TLS_SECONDS), ReconnectWindow(0.0, LEAST_SPREAD))

    def test_many(self) -> None:
        """The window grows with the number of clients and with what one resume costs."""
        window = reconnect_window(1500, 30.0, QUEUED, TLS_SECONDS)
        self.assertEqual(window.spread, reconnect_seconds(1500))
        upgrade = reconnect_window(5000, 30.0, UPGRADE, 0.002)
        self.assertAlmostEqual(upgrade.spread, 5000 * 0.002 / UPGRADE_SHARE)

    def test_within_the_grace(self) -> None:
        """The window ends before the grace period, however many clients there are and however short the period is."""
        for clients in (0, 100, 100_000):
            for grace in (0.1, 1.0, 30.0):
                for kind in (QUEUED, REFUSED, UPGRADE):
                    window = reconnect_window(clients, grace, kind, TLS_SECONDS)
                    self.assertGreaterEqual(window.first, 0)
                    self.assertGreaterEqual(window.spread, 0)
                    self.assertLessEqual(window.first + window.spread, MAX_GRACE_SHARE * grace + 1e-9)


class ResumeCostTests(SynchronousTestCase):
    """The server measures what a resume costs while many clients connect."""

    def test_many_connections(self) -> None:
        """Repeated observations bring the estimate to what was measured."""
        cost = ResumeCost(TLS_SECONDS)
        for _ in range(20):
            cost.observe(0.4, 100)
        self.assertAlmostEqual(cost.seconds, 0.004, 6)

    def test_few_connections(self) -> None:
        """An interval with few connections says nothing, since other work used the processor too."""
        cost = ResumeCost(TLS_SECONDS)
        cost.observe(1.0, LEAST_RESUMES - 1)
        self.assertEqual(cost.seconds, TLS_SECONDS)

    def test_bounds(self) -> None:
        """An observation that other work spoiled counts as the bound."""
        high, low = ResumeCost(MOST_SECONDS), ResumeCost(LEAST_SECONDS)
        high.observe(1000.0, LEAST_RESUMES)
        low.observe(0.0, LEAST_RESUMES)
        self.assertEqual((high.seconds, low.seconds), (MOST_SECONDS, LEAST_SECONDS))
