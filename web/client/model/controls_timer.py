"""Decides when the controls of a call hide. It does not touch the browser."""

from __future__ import annotations

__all__ = ["HIDE_AFTER", "ControlsTimer"]

HIDE_AFTER = 4.0
"""Seconds without a movement or a key after which the controls hide."""


class ControlsTimer:
    """Tracks how long the person has not used the page."""

    def __init__(self) -> None:
        self._used_at = 0.0

    def used(self, now: float) -> None:
        """Note a movement or a key (seconds of the page's clock)."""
        self._used_at = now

    def hidden(self, held: bool, now: float) -> bool:
        """Return whether the controls are hidden; `held`: they are in use, so that the time starts afterwards."""
        if held:
            self._used_at = now
        return now - self._used_at >= HIDE_AFTER
