"""State machine of the client's connection: when to open a socket, and whether the server still answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Protocol

    class Random(Protocol):
        """Source of random floats from 0 up to 1, as Python's `random.random` is."""

        def __call__(self) -> float:
            """Return the next float."""


__all__ = ["CLOSED", "CONNECTING", "GREETING", "PING", "READY", "RECONNECT", "SILENT", "Connection"]

FIRST_BACK_OFF = 0.5
"""Upper bound of the back-off before the first attempt to reconnect, in seconds."""

MAX_BACK_OFF = 10.0
"""Upper bound of the back-off before any later attempt, in seconds."""

STEADY_AFTER = 10.0
"""Seconds that a connection has to last before the back-off starts again from `FIRST_BACK_OFF`."""

OPEN_TIMEOUT = 10.0
"""Seconds that opening a socket may take."""

RESTART_TIMEOUT = 60.0
"""The bound that replaces `OPEN_TIMEOUT` and `SILENT_AFTER` after the server said that it restarts, in seconds.

The connection may stand already, in the queue of the server's listening socket, until the next process accepts it. If
it were given up, the next process would find it there nevertheless, and spend a handshake on nobody.
"""

PING_AFTER = 15.0
"""Seconds without a message of the server after which the client sends a ping."""

SILENT_AFTER = 10.0
"""Seconds without an answer to a ping or to the handshake after which the client gives the socket up."""

PROBE_TIMEOUT = 3.0
"""The bound that replaces `SILENT_AFTER` after a hint that the network changed, in seconds."""

# States.
CLOSED = "closed"
CONNECTING = "connecting"
GREETING = "greeting"
READY = "ready"

# Events that change the state.
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
"""Maps (state, event) to the next state; an event that is not listed for a state changes nothing."""

# What the caller has to do.
PING = "ping"
SILENT = "silent"
RECONNECT = "reconnect"


class Connection:
    """The client's intent to be connected, over all the sockets that it takes.

    Attributes:
        state: `closed`, `connecting` (a socket is planned or being opened), `greeting` or `ready`.
        attempts: how many times the connection was lost, or could not be opened, since it last was steady.
        is_restarting: whether the server said that it restarts, and has not welcomed the client since.

    """

    def __init__(self, random: Random) -> None:
        """Create a closed connection; `random` returns floats from 0 up to 1, for the jitter."""
        self.state = CLOSED
        self.attempts = 0
        self.is_restarting = False
        self._random = random
        self._delay = 0.0  # seconds from `_waiting_since` to the planned attempt
        self._waiting_since: float | None = None  # None: the next tick sets it
        self._answer_expected = False
        self._answer_timeout = SILENT_AFTER
        self._welcomed_at = 0.0
        self._ticked_at = 0.0

    @property
    def open_timeout(self) -> float:
        """Seconds that an attempt to connect may take, once its TCP connection stands."""
        return RESTART_TIMEOUT if self.is_restarting else OPEN_TIMEOUT

    def expect_restart(self) -> None:
        """Record that the server said that it restarts."""
        self.is_restarting = True

    def start(self) -> bool:
        """Record that the application wants a connection; return False when it wanted one already."""
        self.attempts = 0
        return self._step(WANTED, None, 0.0)

    def socket_opened(self, now: float) -> bool:
        """Record that the socket is open; return False when no socket was expected."""
        return self._step(OPENED, now, 0.0)

    def welcome_received(self, now: float) -> bool:
        """Record that the handshake succeeded; return False when none was under way."""
        self._welcomed_at = now
        self.is_restarting = False
        return self._step(WELCOMED, now, 0.0)

    def socket_lost(self, now: float, after: float | None = None) -> float | None:
        """Record that the socket closed or did not open, and return the back-off in seconds; None when there was none.

        Arguments:
            now: seconds.
            after: the back-off that the server asked for, in seconds; None when it asked for none.

        """
        if self.state == READY and now - self._welcomed_at >= STEADY_AFTER:
            self.attempts = 0
        # Full jitter over a bounded exponential ("Exponential Backoff And Jitter", AWS Architecture Blog, 2015), as
        # RFC 6455 §7.2.3 asks for: after a server's restart its clients do not come back in one moment.
        seconds = self._random() * min(MAX_BACK_OFF, FIRST_BACK_OFF * 2.0 ** min(self.attempts, 10))
        if after is not None:
            seconds = after
        if not self._step(LOST, now, seconds):
            return None
        self.attempts += 1
        return seconds

    def end(self) -> bool:
        """Record that no connection is wanted any more; return False when none was wanted."""
        return self._step(ENDED, None, 0.0)

    def message_received(self, now: float) -> None:
        """Record that the server is alive."""
        if self.state == READY:
            self._start_timer(now, 0.0)

    def probe(self, now: float) -> str | None:
        """Check the connection after a hint that the network changed: return `PING`, `RECONNECT` or None."""
        if self.state in (GREETING, READY):
            self._start_timer(now, 0.0)
            self._answer_expected = True
            self._answer_timeout = PROBE_TIMEOUT
            return PING if self.state == READY else None
        if self.state == CLOSED or self._waiting_since is None:
            return None
        if 0 <= now - self._waiting_since - self._delay < PROBE_TIMEOUT:
            # An attempt that has just begun uses the new network already.
            return None
        self._start_timer(now, 0.0)
        return RECONNECT

    def tick(self, now: float) -> str | None:
        """Check the timers: return `PING` to send a ping, `SILENT` to give the socket up, None for neither."""
        slept = now - self._ticked_at >= SILENT_AFTER
        self._ticked_at = now
        if self.state == CLOSED:
            return None
        if self._waiting_since is None:
            self._waiting_since = now
        silence = now - self._waiting_since - self._delay
        if self.state == CONNECTING:
            return SILENT if silence >= self.open_timeout else None
        if slept and self.state == READY:
            # A phone slept or a tab was hidden: the silence says nothing about the server, so the client sends a ping.
            self._answer_expected = False
        if self._answer_expected:
            return SILENT if silence >= self._answer_timeout else None
        if slept or silence >= PING_AFTER:
            self._answer_expected = True
            self._waiting_since = now
            return PING
        return None

    def _start_timer(self, now: float | None, delay: float) -> None:
        """Restart the watchdog: silence counts from `now`, or from the next tick, plus the planned delay."""
        self._waiting_since = now
        self._delay = delay
        self._answer_expected = self.state == GREETING
        self._answer_timeout = RESTART_TIMEOUT if self.is_restarting and self._answer_expected else SILENT_AFTER

    def _step(self, event: str, now: float | None, delay: float) -> bool:
        """Take the transition of the table; return False when the event means nothing in this state."""
        after = TRANSITIONS.get((self.state, event))
        if after is None:
            return False
        self.state = after
        self._start_timer(now, delay)
        return True
