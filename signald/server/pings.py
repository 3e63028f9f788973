"""Pings to silent clients: one timer for all WebSockets of a port finds those that are gone without notice.

A peer that has sent nothing for `ping_seconds` gets a ping (RFC 6455 §5.5.2). Anything that arrives within
`pong_seconds` afterwards shows that it lives; otherwise it is aborted. A pong (§5.5.3) need not match the ping, since
every byte that the peer sent proves as much. Autobahn would keep two delayed calls for each connection, and would ping
peers that are heard all the time.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from signald.core.limits import Limits

__all__ = ["PING_FRAME", "STEPS", "PingedConnection", "Pings", "SilenceWheel"]

PING_FRAME = b"\x89\x00"
"""A ping without application data as it is sent: FIN and opcode 9, unmasked, length 0 (RFC 6455 §5.2)."""

STEPS = 160
"""Steps of a wheel in the shorter one of its two intervals: it acts at most one step after something is due. With the
default limits a step is 62.5 ms."""

HELD_STEPS = 16
"""Steps until a connection that the server does not read from is visited again; a second with the default limits."""

SLOT_CONNECTIONS = 8
"""Connections that may be due in the same step, whatever their number is in all."""

VISITS_PER_ROUND = 32
"""Connections that are visited in one round of the reactor; each of them may be sent a ping."""

LATE_SECONDS = 0.5
"""Delay of the timer in seconds from which the reactor reads first: after a stall the pongs wait in the sockets."""

_log = Logger()


class PingedConnection(Protocol):
    """A WebSocket whose silence is watched.

    Attributes:
        heard_at: when something was last read from the peer, in monotonic seconds; the connection keeps it.
        silent_since: `heard_at` as it was when the wheel planned its next visit. The wheel keeps its record of a
            connection, which are this and the next two, in the connection itself, where they take the least memory.
        ping_slot: the number of the step in which the wheel visits the connection next.
        pong_due: when it is dead unless it is heard, in monotonic seconds; None if it was sent no ping since it was.

    """

    heard_at: float
    silent_since: float
    ping_slot: int
    pong_due: float | None

    @property
    def is_pingable(self) -> bool:
        """Whether the WebSocket is open; one that is closing has another deadline."""

    @property
    def is_held(self) -> bool:
        """Whether the server does not read from the connection at present, so that its silence proves nothing."""

    def send_ping(self) -> None:
        """Send a ping."""

    def abort_unanswered(self) -> None:
        """Abort the connection, since its peer answers no ping."""


ConnectionT = TypeVar("ConnectionT", bound=PingedConnection)


class SilenceWheel(Generic[ConnectionT]):
    """A timer wheel that tells which connections are to be pinged, and which did not answer. It has no clock.

    A connection is visited when it would have been silent for the ping interval. If it was heard meanwhile, the next
    visit is planned from then on, so that nothing has to be moved while messages arrive. Where many are due at once,
    as after a restart, some are visited sooner, by half the interval at most, so that the pings are spread evenly.
    """

    def __init__(self, ping_seconds: float, pong_seconds: float) -> None:
        """Start without connections.

        Arguments:
            ping_seconds: the silence after which a connection is pinged.
            pong_seconds: the silence after a ping for which a connection is dead.

        """
        self.ping_seconds = ping_seconds
        self.pong_seconds = pong_seconds
        self.step = min(ping_seconds, pong_seconds) / STEPS
        self._spread = min(STEPS, int(ping_seconds / 2 / self.step))
        self._slots: dict[int, dict[ConnectionT, None]] = {}
        self._order: list[int] = []
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def next_visit(self) -> float | None:
        """When the next connection is due, in monotonic seconds; None if there is no connection."""
        slot = self._first_slot()
        return None if slot is None else slot * self.step

    def add(self, connection: ConnectionT, now: float) -> None:
        """Watch a connection; its `heard_at` is set."""
        self._size += 1
        self._plan_ping(connection, now)

    def remove(self, connection: ConnectionT) -> None:
        """Watch a connection no longer, if it is watched."""
        members = self._slots.get(connection.ping_slot, {})
        if connection in members:
            del members[connection]
            self._size -= 1

    def visit(self, now: float, most: int) -> tuple[list[ConnectionT], list[ConnectionT]]:
        """Visit what is due; returns the connections to ping and the dead ones, which are watched no longer.

        Arguments:
            now: the time, in monotonic seconds.
            most: how many connections are visited at most; the next ones are due still.

        """
        silent = list[ConnectionT]()
        dead = list[ConnectionT]()
        for _ in range(most):
            slot = self._first_slot()
            if slot is None or slot * self.step > now:
                break
            connection, _none = self._slots[slot].popitem()
            if not connection.is_pingable:
                self._size -= 1
            elif connection.heard_at != connection.silent_since:
                self._plan_ping(connection, now)
            elif connection.is_held:
                # Its pong may be unread, also in the round in which it is read from again: it is asked anew then.
                connection.pong_due = None
                self._put(connection, self._slot_at(now) + HELD_STEPS)
            elif connection.pong_due is None:
                connection.pong_due = now + self.pong_seconds
                # Where a pong may take longer than the ping interval, the next ping may be due before.
                self._put(connection, self._slot_at(now + min(self.ping_seconds, self.pong_seconds)))
                silent.append(connection)
            elif slot < (due := self._slot_at(connection.pong_due)):
                self._put(connection, due)
            else:
                self._size -= 1
                dead.append(connection)
        return silent, dead

    def _plan_ping(self, connection: ConnectionT, now: float) -> None:
        """Plan the visit at which a connection is pinged unless it is heard before."""
        connection.silent_since = connection.heard_at
        connection.pong_due = None
        latest = self._slot_at(connection.heard_at + self.ping_seconds)
        earliest = max(latest - self._spread, self._slot_at(now) + 1)
        most = max(SLOT_CONNECTIONS, self._size // self._spread + 1)
        for slot in range(latest, earliest - 1, -1):
            if len(self._slots.get(slot, ())) < most:
                self._put(connection, slot)
                return
        self._put(connection, latest)

    def _put(self, connection: ConnectionT, slot: int) -> None:
        connection.ping_slot = slot
        members = self._slots.get(slot)
        if members is None:
            members = self._slots[slot] = {}
            heapq.heappush(self._order, slot)
        members[connection] = None

    def _slot_at(self, time: float) -> int:
        """The first step that is not before a time."""
        return math.ceil(time / self.step)

    def _first_slot(self) -> int | None:
        """Return the first step that has a connection, and forget the empty steps before it."""
        while self._order:
            slot = self._order[0]
            if self._slots[slot]:
                return slot
            heapq.heappop(self._order)
            del self._slots[slot]
        return None


class Pings(Generic[ConnectionT]):
    """Pings the silent connections of a port and aborts the dead ones, a bounded number in a round of the reactor.

    Connections keep the intervals with which they began, so that other limits need another `Pings`. The timer runs only
    while there are connections, and only when one is due.
    """

    def __init__(self, clock: IReactorTime, limits: Limits) -> None:
        """Start without connections.

        Arguments:
            clock: measures the silence.
            limits: the bounds; `ping_seconds` and `pong_seconds` are used.

        """
        self._clock = clock
        self._wheel: SilenceWheel[ConnectionT] = SilenceWheel(limits.ping_seconds, limits.pong_seconds)
        self._call: IDelayedCall | None = None

    def with_limits(self, limits: Limits) -> Pings[ConnectionT]:
        """Return what watches connections that begin under other limits: itself, where the intervals are the same."""
        wheel = self._wheel
        if (wheel.ping_seconds, wheel.pong_seconds) == (limits.ping_seconds, limits.pong_seconds):
            return self
        return Pings(self._clock, limits)

    def watch(self, connection: ConnectionT) -> None:
        """Ping a connection whenever it is silent, until it is forgotten or closes."""
        now = connection.heard_at = self._clock.seconds()
        self._wheel.add(connection, now)
        self._wait(now)

    def forget(self, connection: ConnectionT) -> None:
        """Watch a connection no longer: its transport is closed."""
        self._wheel.remove(connection)
        if not self._wheel and self._call is not None:
            self._call.cancel()
            self._call = None

    def _wait(self, now: float) -> None:
        """Have the timer fire when the next connection is due; in the next round, where one is due already."""
        due = self._wheel.next_visit
        if due is None:
            return
        if self._call is None:
            self._call = self._clock.callLater(max(0.0, due - now), self._fire if due > now else self._visit)
        elif due < self._call.getTime():
            self._call.reset(max(0.0, due - now))

    def _fire(self) -> None:
        """Visit what is due; after a stall in the next round, when the reactor has read what waited in the sockets."""
        now = self._clock.seconds()
        due = self._wheel.next_visit
        if due is not None and now - due > LATE_SECONDS:
            self._call = self._clock.callLater(0, self._visit)
        else:
            self._visit()

    def _visit(self) -> None:
        """Visit some of the connections that are due, and wait for the next ones."""
        self._call = None
        now = self._clock.seconds()
        silent, dead = self._wheel.visit(now, VISITS_PER_ROUND)
        for connection in silent:
            _guarded(connection.send_ping)
        for connection in dead:
            _guarded(connection.abort_unanswered)
        self._wait(now)


def _guarded(call: Callable[[], None]) -> None:
    """Call a method of one connection; an exception is logged, and concerns no other connection."""
    try:
        call()
    except Exception:  # noqa: BLE001 # whatever it is, the other connections have to be visited
        _log.failure("a silent connection could not be pinged or aborted", event="ping-failed")
