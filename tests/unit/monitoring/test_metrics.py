"""Tests of metrics."""

from __future__ import annotations

from attrs import fields
from twisted.trial.unittest import SynchronousTestCase

from signald.core.errors import ErrorCode
from signald.core.limits import Limits
from signald.monitoring.metrics import LIMIT_OF, OTHER, Histogram, Metrics


class MetricsTests(SynchronousTestCase):
    """The counters of `Metrics`."""

    def test_unknown_limit(self) -> None:
        """An unknown limit is counted as `other`, since counting must never raise."""
        metrics = Metrics()
        metrics.count_limit_hit("connections")
        metrics.count_limit_hit("no limit")
        self.assertEqual((metrics.limits["connections"], metrics.limits[OTHER]), (1, 1))

    def test_no_new_labels(self) -> None:
        """An unknown name creates no label."""
        metrics = Metrics()
        names = list(metrics.limits)
        metrics.count_limit_hit("x" * 1000)
        self.assertEqual(list(metrics.limits), names)

    def test_error_and_limit(self) -> None:
        """An error also counts the limit behind it, if there is one."""
        metrics = Metrics()
        metrics.count_error(ErrorCode.SERVER_FULL)
        metrics.count_error(ErrorCode.NOT_FOUND)
        self.assertEqual((metrics.errors[ErrorCode.SERVER_FULL], metrics.errors[ErrorCode.NOT_FOUND]), (1, 1))
        self.assertEqual(sum(metrics.limits.values()), 1)
        self.assertEqual(metrics.limits["connections"], 1)

    def test_connections(self) -> None:
        """Opened and closed WebSockets are counted by dialect and scheme."""
        metrics = Metrics()
        metrics.count_opened("native", "wss")
        metrics.count_opened("native", "wss")
        metrics.count_closed("native", "wss")
        metrics.count_opened("serde", "ws")
        self.assertEqual(metrics.opened, {("native", "wss"): 2, ("serde", "ws"): 1})
        self.assertEqual(metrics.closed, {("native", "wss"): 1})

    def test_limits_exist(self) -> None:
        """Each limit behind an error is a field of `Limits`."""
        self.assertLessEqual(set(LIMIT_OF.values()), {limit.name for limit in fields(Limits)})

    def test_errors_have_limits(self) -> None:
        """Each error `too-many-…` has its own limit, so that the operator sees which setting was hit."""
        too_much = {code for code in ErrorCode if code.value.startswith("too-many-")}
        self.assertEqual(too_much - LIMIT_OF.keys(), set())
        self.assertEqual(len(set(LIMIT_OF.values())), len(LIMIT_OF))


class HistogramTests(SynchronousTestCase):
    """`Histogram` sorts durations into buckets."""

    def test_bounds(self) -> None:
        """Bounds are inclusive, as in Prometheus (`le`), and the last bucket has none."""
        histogram = Histogram((0.1, 1.0))
        for seconds in (0.0, 0.1, 0.2, 1.0, 1.5, 100.0):
            histogram.observe(seconds)
        self.assertEqual(histogram.counts, [2, 2, 2])
        self.assertAlmostEqual(histogram.total, 102.8)
