"""Decides in the injecting process whether an event is injected now: a second lock behind the consent."""

from __future__ import annotations

__all__ = ["HOLD_SECONDS", "PAUSE_SECONDS", "ControlGate"]

PAUSE_SECONDS = 1.0
"""Seconds for which input at the computer itself suspends the control."""

HOLD_SECONDS = 3.0
"""Seconds without an event after which everything that is held is released; viewers say once a second that they still
hold something."""

REPORT_SECONDS = 0.1
"""Least seconds between two reports of local input."""


class ControlGate:
    """Is open while a viewer has control, and nobody uses the computer itself.

    The process that owns the connection to the X server has this lock of its own, so that neither a delay nor a fault
    of the process above it lets an event through after the emergency key.
    """

    def __init__(self) -> None:
        self._open = False
        self._paused_until = 0.0
        self._last_event = 0.0
        self._reported_at = float("-inf")

    @property
    def is_open(self) -> bool:
        """Whether a viewer has control, suspended or not."""
        return self._open

    def start(self) -> None:
        """Open the gate for a viewer who has got control."""
        self._open = True
        self._paused_until = 0.0

    def stop(self) -> None:
        """Close the gate until the next `start`."""
        self._open = False

    def admit(self, now: float) -> bool:
        """Return whether an event may be injected now."""
        self._last_event = now
        return self._open and now >= self._paused_until

    def local_input(self, now: float) -> bool:
        """Suspend the control after local input, and return whether to report this."""
        self._paused_until = now + PAUSE_SECONDS
        if not self._open or now < self._reported_at + REPORT_SECONDS:
            return False
        self._reported_at = now
        return True

    def is_silent(self, now: float) -> bool:
        """Whether the viewer has said nothing for so long that what is held has to be released."""
        return now >= self._last_event + HOLD_SECONDS
