"""The token bucket, by which a page limits how many messages another page sends."""

from __future__ import annotations

__all__ = ["TokenBucket"]


class TokenBucket:
    """A rate limit for messages."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        """Start with a full bucket.

        Arguments:
            rate: the messages per second that are admitted in the long run.
            burst: the messages that are admitted at once after a silence.
            now: the time in seconds.

        """
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._filled = now

    def admit(self, now: float) -> bool:
        """Charge one message, and return whether it is within the limit."""
        self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._rate)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
