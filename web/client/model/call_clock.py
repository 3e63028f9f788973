"""Measures how long a call has been going on. It does not touch the browser."""

from __future__ import annotations

__all__ = ["CallClock", "duration"]


class CallClock:
    """Counts from the first connection of a call until the person has left it."""

    def __init__(self) -> None:
        self._began: float | None = None

    def tick(self, in_session: bool, connected: bool, now: float) -> str:
        """Advance the time (seconds), and return the duration of the call; empty before its first connection."""
        if not in_session:
            self._began = None
        elif connected and self._began is None:
            self._began = now
        return "" if self._began is None else duration(now - self._began)


def duration(seconds: float) -> str:
    """Return a duration as `m:ss` or `h:mm:ss`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
