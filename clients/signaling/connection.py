"""Whether there is a connection: its states, when the next attempt is made, and whether the server is still there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Protocol

    class Random(Protocol):
        """Gives floats from 0 up to 1, as Python's `random.random` does."""

        def __call__(self) -> float:
            """Return the next one."""


__all__ = ["ANEW", "CLOSED", "CONNECTING", "GREETING", "PING", "READY", "SILENT", "Connection"]

FIRST_ATTEMPT = 0.5
"""Seconds within which the first attempt to come back is made."""

LAST_ATTEMPT = 10.0
"""Seconds within which each later attempt is made, at most."""

STEADY_AFTER = 10.0
"""Seconds for which a connection has to last before the next attempt counts as a first one again."""

OPEN_WITHIN = 10.0
"""Seconds for a socket to open."""

PING_AFTER = 15.0
"""Seconds without a word of the server after which it is asked whether it is still there."""

SILENT_AFTER = 10.0
"""Seconds without an answer after which it is taken to be gone."""

HURRIED = 3.0
"""Seconds instead of those after a hint that the network changed."""

# States.
CLOSED = "closed"
CONNECTING = "connecting"
GREETING = "greeting"
READY = "ready"

# What makes it change.
WANTED = "wanted"
OPENED = "opened"
WELCOMED = "welcomed"
LOST = "lost"
ENDED = "ended"

TRANSITIONS = {
    (CLOSED, WANTED): CONNECTING,
    (CONNECTING, OPENED): GREETING,
    (CONNECTING, LOST): CONNECTING,
    (CONNECTING, ENDED): CLOSED,
    (GREETING, WELCOMED): READY,
    (GREETING, LOST): CONNECTING,
    (GREETING, ENDED): CLOSED,
    (READY, LOST): CONNECTING,
    (READY, ENDED): CLOSED,
}
"""The state after something in a state; what is not listed changes nothing."""

# What there is to do.
PING = "ping"
SILENT = "silent"
ANEW = "anew"


class Connection:
    """One wish to be connected, and the sockets that it takes.

    Attributes:
        state: `closed`, `connecting` (a socket is planned or being opened), `greeting` or `ready`.
        attempts: how many attempts to come back there were since a connection lasted.

    """

    def __init__(self, random: Random) -> None:
        """Begin without one; `random` gives floats from 0 up to 1."""
        self.state = CLOSED
        self.attempts = 0
        self._random = random
        self._planned = 0.0  # seconds from the last word to the next attempt
        self._since: float | None = None  # the last word, the question, or the beginning; None: the next tick
        self._asked = False
        self._patience = SILENT_AFTER
        self._welcomed = 0.0
        self._ticked = 0.0

    def wanted(self) -> bool:
        """The application wants a connection; False when that is nothing new."""
        self.attempts = 0
        return self._step(WANTED, None, 0.0)

    def opened(self, now: float) -> bool:
        """The socket is open; False when nobody waits for one."""
        return self._step(OPENED, now, 0.0)

    def welcomed(self, now: float) -> bool:
        """The server said welcome; False when nobody waits for that."""
        self._welcomed = now
        return self._step(WELCOMED, now, 0.0)

    def lost(self, now: float, after: float | None = None) -> float | None:
        """The socket is closed, or did not open: return the seconds until the next attempt; None when there was none.

        Args:
            now: seconds.
            after: the seconds that the server told, if it did.

        """
        if self.state == READY and now - self._welcomed >= STEADY_AFTER:
            self.attempts = 0
        # Full jitter over a bounded exponential ("Exponential Backoff And Jitter", AWS Architecture Blog, 2015), as
        # RFC 6455 §7.2.3 asks for: after a server's restart its clients do not come back in one moment.
        seconds = self._random() * min(LAST_ATTEMPT, FIRST_ATTEMPT * 2.0 ** min(self.attempts, 10))
        if after is not None:
            seconds = after
        if not self._step(LOST, now, seconds):
            return None
        self.attempts += 1
        return seconds

    def ended(self) -> bool:
        """There is to be no connection any more; False when there was none."""
        return self._step(ENDED, None, 0.0)

    def heard(self, now: float) -> None:
        """A word of the server came."""
        if self.state == READY:
            self._wait(now, 0.0)

    def hurry(self, now: float) -> str | None:
        """Something suggests that the network changed: return `PING`, or `ANEW` to open a socket at once, or None."""
        if self.state in (GREETING, READY):
            self._wait(now, 0.0)
            self._asked = True
            self._patience = HURRIED
            return PING if self.state == READY else None
        if self.state == CLOSED or self._since is None or 0 <= now - self._since - self._planned < HURRIED:
            # An attempt that has just begun knows the new network.
            return None
        self._wait(now, 0.0)
        return ANEW

    def tick(self, now: float) -> str | None:
        """Time goes on: return `PING` to ask the server, `SILENT` to give the socket up, None for neither."""
        slept = now - self._ticked >= SILENT_AFTER
        self._ticked = now
        if self.state == CLOSED:
            return None
        if self._since is None:
            self._since = now
        silence = now - self._since - self._planned
        if self.state == CONNECTING:
            return SILENT if silence >= OPEN_WITHIN else None
        if slept and self.state == READY:
            # A phone that slept, or a hidden tab: the silence says nothing about the server, so it is asked.
            self._asked = False
        if self._asked:
            return SILENT if silence >= self._patience else None
        if slept or silence >= PING_AFTER:
            self._asked = True
            self._since = now
            return PING
        return None

    def _wait(self, now: float | None, planned: float) -> None:
        """Begin to wait for a word, from now on or after so many planned seconds."""
        self._since = now
        self._planned = planned
        self._asked = self.state == GREETING
        self._patience = SILENT_AFTER

    def _step(self, event: str, now: float | None, planned: float) -> bool:
        """Change the state as the table says; False when the event means nothing in this state."""
        after = TRANSITIONS.get((self.state, event))
        if after is None:
            return False
        self.state = after
        self._wait(now, planned)
        return True
