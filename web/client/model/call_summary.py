"""Sums up a call for the screen after it: how long it was, and how good its connections were."""

from __future__ import annotations

from . import texts
from .call_clock import duration

__all__ = ["CallSummary"]

BEST = 4
"""The largest number of bars."""

SHARE = 0.8
"""The share of a call's seconds in which its connections were at least as good as the word for the whole call says."""


class CallSummary:
    """Counts the seconds of a call by the bars of its worst connection.

    Attributes:
        seconds: the duration, without the time in which nobody else was there.

    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Prepare for another call."""
        self.seconds = 0.0
        self._by_bars = [0.0] * (BEST + 1)

    def add(self, seconds: float, bars: list[int | None]) -> None:
        """Add the time since the last call of this method, and the present bars of the connections; None is unknown."""
        self.seconds += seconds
        known = [count for count in bars if count is not None]
        if known:
            self._by_bars[min(known)] += seconds

    @property
    def bars(self) -> int | None:
        """The bars that were reached for `SHARE` of the call; None if they were never measured."""
        measured = sum(self._by_bars)
        if not measured:
            return None
        reached = 0.0
        for bars in range(BEST, 0, -1):
            reached += self._by_bars[bars]
            if reached >= SHARE * measured:
                return bars
        return 0

    def sentence(self) -> str:
        """Return duration and quality in a sentence; empty without a call."""
        if not self.seconds:
            return ""
        length, bars = duration(self.seconds), self.bars
        if bars is None:
            return texts.DURATION.format(length)
        return texts.DURATION_QUALITY.format(length, texts.BARS[str(bars)])
