"""A rate limit: the token bucket for the messages of one viewer."""

from __future__ import annotations

__all__ = ["TokenBucket"]


class TokenBucket:
    """A token bucket, which is full at the start."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        """Create it.

        Arguments:
            rate: tokens that are added per second.
            burst: most tokens that it holds.
            now: the time in seconds.

        """
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._filled_at = now

    def admit(self, cost: int, now: float) -> bool:
        """Take this many tokens, and return whether there were so many."""
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._tokens < cost:
            return False
        self._tokens -= cost
        return True
