"""The declaration of a metric for Prometheus: its name, type, help text and labels."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from itertools import accumulate

from attrs import frozen
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from signald.monitoring.metrics import Histogram

__all__ = ["Declared", "Family", "Kind", "Values"]

Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily

Values = dict[tuple[str, ...], float]
"""The values of a metric by the values of its labels."""


class Kind(Enum):
    """The Prometheus type of a metric."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@frozen
class Declared:
    """The declaration of a metric.

    Attributes:
        name: the name of the metric family; the samples of a counter have the suffix `_total`.
        kind: the type of the metric.
        help: the help text.
        labels: the names of the labels; clients cannot add label values, which all come from lists in the code.

    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        """The name of the samples, which queries use."""
        return f"{self.name}_total" if self.kind is Kind.COUNTER else self.name

    def with_values(self, values: Mapping[tuple[str, ...], float]) -> Family:
        """Return the metric with these values, by the values of its labels."""
        family: CounterMetricFamily | GaugeMetricFamily
        make = CounterMetricFamily if self.kind is Kind.COUNTER else GaugeMetricFamily
        family = make(self.name, self.help, labels=self.labels)
        for labels, value in values.items():
            family.add_metric(labels, value)
        return family

    def with_value(self, value: float) -> Family:
        """Return a metric without labels with this value."""
        return self.with_values({(): value})

    def with_histogram(self, histogram: Histogram) -> Family:
        """Return the metric with cumulative buckets: each counts all observations up to its upper bound."""
        bounds = [*(str(bound) for bound in histogram.bounds), "+Inf"]
        buckets = list(zip(bounds, accumulate(histogram.counts), strict=True))
        return HistogramMetricFamily(self.name, self.help, buckets=buckets, sum_value=histogram.total)
