"""What is counted."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.errors import ErrorCode
from signald.metrics import Metrics


class MetricsTests(SynchronousTestCase):
    """Counting."""

    def test_each_daemon_has_its_own(self) -> None:
        """Two registries in one process do not get into each other's way."""
        self.assertIsNot(Metrics().registry, Metrics().registry)

    def test_anything_can_be_counted_without_an_error(self) -> None:
        """An unknown limit too: counting never gets into the way of what is counted."""
        metrics = Metrics()
        metrics.refused("connections")
        metrics.refused("no limit")
        metrics.told(ErrorCode.SERVER_FULL)
