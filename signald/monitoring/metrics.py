"""What is counted of the running server, as plain numbers that a scrape reads: pure.

Counting lies on the way of every message, so that it is an addition to an attribute or to a place of a dictionary that
was made before. Nobody can make a new label: the labels are those of the code's own lists.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import get_args

from attrs import define, field, fields

from signald.core.errors import ErrorCode
from signald.core.limits import Limits
from signald.core.messages import Event, Forwardable, Request

__all__ = ["FORWARDED", "LIMIT_OF", "OTHER", "Histogram", "Metrics"]

OTHER = "other"
"""The label of what has no label of its own."""

LIMIT_OF = {
    ErrorCode.MESSAGE_TOO_LARGE: "message_bytes",
    ErrorCode.TOO_MANY_FRAGMENTS: "fragments",
    ErrorCode.SLOW_MESSAGE: "fragments_seconds",
    ErrorCode.HELLO_TIMEOUT: "hello_seconds",
    ErrorCode.LOBBY_FULL: "session_knocks",
    ErrorCode.OUTBOX_FULL: "outbox_bytes",
    ErrorCode.BAD_CAPACITY: "session_members",
    ErrorCode.TOO_MANY_SESSIONS: "user_sessions",
    ErrorCode.TOO_MANY_NEW_SESSIONS: "address_session_rate",
    ErrorCode.TOO_MANY_GUESSES: "failed_guesses",
    ErrorCode.TOO_MANY_PASSWORDS: "waiting_passwords",
    ErrorCode.TOO_MANY_CANDIDATES: "waiting_candidates",
    ErrorCode.TOO_MANY_MESSAGES: "message_rate",
    ErrorCode.TOO_MANY_BYTES: "message_byte_rate",
    ErrorCode.TOO_MANY_CONTROL_FRAMES: "control_rate",
    ErrorCode.TOO_MANY_WAITING: "waiting_messages",
    ErrorCode.TOO_MANY_CONNECTIONS: "address_connections",
    ErrorCode.TOO_MANY_NEW_CONNECTIONS: "address_connection_rate",
    ErrorCode.TOO_MANY_REQUESTS: "address_request_rate",
    ErrorCode.SERVER_FULL: "connections",
}
"""The limit that was hit when an error is told."""

_FORWARD_BOUNDS = (20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 100e-3, 1.0)
_HANDSHAKE_BOUNDS = (1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 100e-3, 200e-3, 500e-3, 1.0, 2.0, 5.0, 10.0)
_LAG_BOUNDS = (1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 100e-3, 200e-3, 500e-3, 1.0, 5.0)


FORWARDED = frozenset(get_args(Forwardable))
"""The requests whose way to the others is measured."""


@define
class Histogram:
    """How often a duration was how long.

    Attributes:
        bounds: the upper bounds of the buckets but the last, inclusive, in seconds, ascending.
        counts: of each bucket alone; the last is of all that is longer.
        total: of all durations, in seconds.

    """

    bounds: tuple[float, ...]
    counts: list[int] = field(init=False)
    total: float = field(init=False, default=0.0)

    def __attrs_post_init__(self) -> None:
        """Begin with nothing."""
        self.counts = [0] * (len(self.bounds) + 1)

    def observe(self, seconds: float) -> None:
        """Take note of one."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds


def _of_all(union: object) -> dict[type, int]:
    """A count for each class of a union, and for what could not be told (`NoneType`)."""
    return dict.fromkeys([*get_args(union), type(None)], 0)


@define
class Metrics:
    """Counts since the start of the process.

    Attributes:
        opened: WebSockets that were opened, by dialect and scheme.
        closed: those of them that are gone.
        received: valid requests, by class.
        malformed: frames that were none, by the class that they were to be.
        declined: requests that were answered with an error, by class.
        sent: events, by class.
        bytes_in: that came over WebSockets, their frames' headers included.
        bytes_out: that went out over them likewise.
        errors: that were told to clients, over WebSocket and HTTP.
        limits: that were hit, by the name of their field in `Limits`.
        forward: from a frame with an offer, an answer, candidates or a message to its being written to the others.
        tls_handshake: from the acceptance of a connection to the end of its TLS handshake.
        websocket_handshake: from the first byte of the request, or the acceptance before it, to the open WebSocket.
        lag: by which the reactor was late.
        stalls: how often it was late by more than `signald.stalls.LATE_SECONDS`.

    """

    opened: dict[tuple[str, str], int] = field(factory=dict)
    closed: dict[tuple[str, str], int] = field(factory=dict)
    received: dict[type, int] = field(factory=lambda: _of_all(Request))
    malformed: dict[type, int] = field(factory=lambda: _of_all(Request))
    declined: dict[type, int] = field(factory=lambda: _of_all(Request))
    sent: dict[type, int] = field(factory=lambda: _of_all(Event))
    bytes_in: int = 0
    bytes_out: int = 0
    errors: dict[ErrorCode, int] = field(factory=lambda: dict.fromkeys(ErrorCode, 0))
    limits: dict[str, int] = field(factory=lambda: dict.fromkeys([*(limit.name for limit in fields(Limits)), OTHER], 0))
    forward: Histogram = field(factory=lambda: Histogram(_FORWARD_BOUNDS))
    tls_handshake: Histogram = field(factory=lambda: Histogram(_HANDSHAKE_BOUNDS))
    websocket_handshake: Histogram = field(factory=lambda: Histogram(_HANDSHAKE_BOUNDS))
    lag: Histogram = field(factory=lambda: Histogram(_LAG_BOUNDS))
    stalls: int = 0

    def count_error(self, code: ErrorCode) -> None:
        """An error was told to a client, over WebSocket or HTTP; the limit behind it counts as hit."""
        self.errors[code] += 1
        limit = LIMIT_OF.get(code)
        if limit is not None:
            self.limits[limit] += 1

    def count_limit_hit(self, limit: str) -> None:
        """A limit was hit of which nobody is told; its name is that of its field in `Limits`.

        What is told to a client by an error is counted by `count_error` already, at the edge.
        """
        self.limits[limit if limit in self.limits else OTHER] += 1

    def count_opened(self, dialect: str, scheme: str) -> None:
        """A WebSocket is open; `dialect` and `scheme` are names of the code's own."""
        key = dialect, scheme
        self.opened[key] = self.opened.get(key, 0) + 1

    def count_closed(self, dialect: str, scheme: str) -> None:
        """One that was open is gone."""
        key = dialect, scheme
        self.closed[key] = self.closed.get(key, 0) + 1
