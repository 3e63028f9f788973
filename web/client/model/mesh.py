"""How a call of several people is bounded: each sends a picture of its own to each other one. Pure."""

from __future__ import annotations

__all__ = ["CAPACITY", "video_bounds"]

CAPACITY = 6
"""People in a call at most: with more, what each has to send and to decode grows past a phone and a home's uplink."""

BITRATES = (2_500_000, 1_200_000, 800_000, 600_000, 500_000)
"""Bits per second of the picture to each of 1, 2, … others: about 2.5 Mbit/s up in all, which most homes have."""

SCALES = (1.0, 1.0, 1.5, 2.0, 2.0)
"""By how much the picture is scaled down for them: their tiles are as much smaller, and it is encoded for each one."""


def video_bounds(members: int) -> tuple[int, float]:
    """Return bits per second at most and the divisor of width and height, for a call with so many others."""
    index = min(max(members, 1), len(BITRATES)) - 1
    return BITRATES[index], SCALES[index]
