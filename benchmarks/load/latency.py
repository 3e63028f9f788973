"""Percentiles of latencies."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["PERCENTILES", "percentiles"]

PERCENTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Return the percentiles of latencies, in milliseconds: the least value that so many do not exceed."""
    ordered = sorted(seconds)
    last = len(ordered) - 1
    return {name: 1000 * ordered[min(last, int(part * len(ordered)))] for name, part in PERCENTILES.items()}
