"""The return into a session that the server has forgotten: for how long a client tries, and when it asks again.

The application makes the requests: `open` as the host and `join` as a guest, with `SignalingClient.ticket` and
`connected_users`. It starts this timer with `Resumed("nothing")`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .connection import Random

__all__ = ["ASK", "GIVE_UP", "RETURN_SECONDS", "Rejoining"]

RETURN_SECONDS = 60.0
"""Seconds after the welcome of a server that has forgotten the client, for which it tries to come back."""

FIRST_BACK_OFF = 1.0
MAX_BACK_OFF = 10.0
"""Upper bounds of the first and of any back-off before the next request, in seconds."""

TRANSIENT_CODES = (
    "decision-unavailable",
    "internal-error",
    "no-reply",
    "not-connected",
    "session-full",
    "too-many-new-sessions",
    "too-many-passwords",
)
"""Codes of refusals that a later request may not meet: others are coming back at the same time."""

# Results of `Rejoining.tick`.
ASK = "ask"
GIVE_UP = "give-up"


class Rejoining:
    """The timer of one return.

    Attributes:
        active: whether the client is on its way back, or waits for the host.

    """

    def __init__(self, random: Random) -> None:
        """Create an idle timer; `random` returns floats from 0 up to 1, for the jitter."""
        self.active = False
        self._random = random
        self._ends_at = 0.0
        self._attempts = 0
        self._ask_at: float | None = None

    def start(self, now: float) -> None:
        """Start the return, with the first request at once."""
        self.active = True
        self._ends_at = now + RETURN_SECONDS
        self._attempts = 0
        self._ask_at = None

    def stop(self) -> None:
        """End the return: the client is in the session again, or does not want to be."""
        self.active = False

    def refused(self, code: str, now: float) -> bool:
        """Report a refusal; return whether the request is to be made again, which `tick` says when it is due."""
        if not self.active or code not in TRANSIENT_CODES:
            return False
        # Full jitter over a bounded exponential, as in `connection`.
        seconds = self._random() * min(MAX_BACK_OFF, FIRST_BACK_OFF * 2.0 ** min(self._attempts, 10))
        self._attempts += 1
        self._ask_at = now + seconds
        return True

    def tick(self, now: float) -> str | None:
        """Check the timers: return `ASK` to make the request again, `GIVE_UP` once at the end, None for neither."""
        if not self.active:
            return None
        if now >= self._ends_at:
            self.active = False
            return GIVE_UP
        if self._ask_at is None or now < self._ask_at:
            return None
        self._ask_at = None
        return ASK
