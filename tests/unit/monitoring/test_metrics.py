"""What is counted."""

from __future__ import annotations

from attrs import fields
from twisted.trial.unittest import SynchronousTestCase

from signald.core.errors import ErrorCode
from signald.core.limits import Limits
from signald.monitoring.metrics import LIMIT_OF, OTHER, Histogram, Metrics


class MetricsTests(SynchronousTestCase):
    """Counting."""

    def test_anything_can_be_counted_without_an_error(self) -> None:
        """An unknown limit too: counting never gets into the way of what is counted."""
        metrics = Metrics()
        metrics.count_limit_hit("connections")
        metrics.count_limit_hit("no limit")
        self.assertEqual((metrics.limits["connections"], metrics.limits[OTHER]), (1, 1))

    def test_nobody_can_make_a_label(self) -> None:
        """What is counted by name is of the names that there were before."""
        metrics = Metrics()
        names = list(metrics.limits)
        metrics.count_limit_hit("x" * 1000)
        self.assertEqual(list(metrics.limits), names)

    def test_an_error_that_is_told_counts_its_limit_too(self) -> None:
        """One that no limit is behind counts alone."""
        metrics = Metrics()
        metrics.count_error(ErrorCode.SERVER_FULL)
        metrics.count_error(ErrorCode.NOT_FOUND)
        self.assertEqual((metrics.errors[ErrorCode.SERVER_FULL], metrics.errors[ErrorCode.NOT_FOUND]), (1, 1))
        self.assertEqual(sum(metrics.limits.values()), 1)
        self.assertEqual(metrics.limits["connections"], 1)

    def test_the_limits_behind_errors_are_limits(self) -> None:
        """Each is a field of `Limits`."""
        self.assertLessEqual(set(LIMIT_OF.values()), {limit.name for limit in fields(Limits)})

    def test_every_error_of_too_much_has_a_limit_of_its_own(self) -> None:
        """So that the operator sees which setting it was."""
        too_much = {code for code in ErrorCode if code.value.startswith("too-many-")}
        self.assertEqual(too_much - LIMIT_OF.keys(), set())
        self.assertEqual(len(set(LIMIT_OF.values())), len(LIMIT_OF))


class HistogramTests(SynchronousTestCase):
    """How long how often."""

    def test_a_duration_is_in_the_bucket_that_it_does_not_exceed(self) -> None:
        """The bounds belong to their buckets, as Prometheus has it (`le`); the last has no bound."""
        histogram = Histogram((0.1, 1.0))
        for seconds in (0.0, 0.1, 0.2, 1.0, 1.5, 100.0):
            histogram.observe(seconds)
        self.assertEqual(histogram.counts, [2, 2, 2])
        self.assertAlmostEqual(histogram.total, 102.8)
