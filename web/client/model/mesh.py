"""Bounds the video bit rate in a mesh, where each participant sends a stream of their own to each other participant."""

from __future__ import annotations

__all__ = ["CAPACITY", "video_bounds"]

CAPACITY = 6
"""The largest number of participants. With more, a phone's decoder and a home's uplink are too slow for what each has
to send and decode."""

BITRATES = (2_500_000, 1_200_000, 800_000, 600_000, 500_000)
"""The video bit rates in bits per second to each of 1, 2, … participants. Together they take about 2.5 Mbit/s of the
uplink, which most homes have."""

SCALES = (1.0, 1.0, 1.5, 2.0, 2.0)
"""The factors by which the video is scaled down for them. Their tiles are that much smaller, and each stream is encoded
separately."""


def video_bounds(members: int) -> tuple[int, float]:
    """Return the highest bit rate, and the divisor of width and height, for this many remote participants."""
    index = min(max(members, 1), len(BITRATES)) - 1
    return BITRATES[index], SCALES[index]
