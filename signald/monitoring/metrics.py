"""Metrics: counters and histograms of the running server, as plain numbers that a scrape reads.

Every message is counted, so counting is an addition to an attribute or to an existing entry of a dictionary. Clients
cannot create labels: all labels come from lists in the code.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import get_args

from attrs import define, field, fields

from signald.core.errors import ErrorCode
from signald.core.limits import Limits
from signald.core.messages import Event, Forwardable, Request
from signald.core.webhook_results import WebhookResult

__all__ = ["FORWARDED", "LIMIT_OF", "OTHER", "Histogram", "Metrics", "message_label"]

OTHER = "other"
"""The label of everything without a label of its own."""

LIMIT_OF = {
    ErrorCode.MESSAGE_TOO_LARGE: "message_bytes",
    ErrorCode.TOKEN_TOO_LARGE: "token_bytes",
    ErrorCode.TOO_MANY_FRAGMENTS: "fragments",
    ErrorCode.SLOW_MESSAGE: "fragments_seconds",
    ErrorCode.HELLO_TIMEOUT: "hello_seconds",
    ErrorCode.HEARTBEAT_TIMEOUT: "directory_silence_seconds",
    ErrorCode.ROOM_FULL: "room_members",
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
"""The limit behind an error, by the error's code; a field of `Limits`."""

_FORWARD_BOUNDS = (20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 100e-3, 1.0)
_HANDSHAKE_BOUNDS = (1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 100e-3, 200e-3, 500e-3, 1.0, 2.0, 5.0, 10.0)
_WEBHOOK_BOUNDS = (5e-3, 10e-3, 20e-3, 50e-3, 100e-3, 200e-3, 500e-3, 1.0, 2.0, 5.0, 10.0, 30.0)
_LAG_BOUNDS = (1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 100e-3, 200e-3, 500e-3, 1.0, 5.0)
"""Upper bounds of the histograms' buckets, in seconds."""

FORWARDED = frozenset(get_args(Forwardable))
"""The requests whose forwarding time is measured."""


@define
class Histogram:
    """A histogram of durations.

    Attributes:
        bounds: the inclusive upper bounds of all buckets but the last, in seconds, ascending.
        counts: the number of durations in each bucket, not cumulative; the last bucket has no bound.
        total: the sum of all durations, in seconds.

    """

    bounds: tuple[float, ...]
    counts: list[int] = field(init=False)
    total: float = field(init=False, default=0.0)

    def __attrs_post_init__(self) -> None:
        """Set all counts to zero."""
        self.counts = [0] * (len(self.bounds) + 1)

    def observe(self, seconds: float, times: int = 1) -> None:
        """Add a duration, or the same one several times."""
        self.counts[bisect_left(self.bounds, seconds)] += times
        self.total += seconds * times


def message_label(class_: type) -> str:
    """Convert the name of a message class to a label value: lower case with hyphens between the words.

    `NoneType` stands for an unknown class, whose label is `OTHER`.
    """
    if class_ is type(None):
        return OTHER
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in class_.__name__).lstrip("-")


def _zero_counts(union: object) -> dict[type, int]:
    """Return a zero for each class of a union, and for `NoneType`, which stands for an unknown class."""
    return dict.fromkeys([*get_args(union), type(None)], 0)


@define
class Metrics:
    """All metrics since the start of the process.

    Attributes:
        opened: WebSockets opened, by dialect and scheme.
        closed: WebSockets closed, by dialect and scheme.
        received: valid requests received, by class.
        malformed: frames that are not valid requests, by the class of request that they name.
        unknown_keys: unknown keys in valid requests, which were ignored, by class.
        declined: requests answered with an error, by class.
        sent: events sent, by class.
        bytes_in: bytes received over WebSockets, frame headers included.
        bytes_out: bytes sent over WebSockets, frame headers included.
        errors: errors sent to clients, over WebSocket and HTTP, by code.
        limits: how often a limit was hit, by the name of its field in `Limits`.
        forward: time from the receipt of an offer, an answer, candidates or a message to its write to the receivers.
        tls_handshake: time from the accept to the end of the TLS handshake.
        websocket_handshake: time from the first byte of the request, or the accept before it, to the open WebSocket.
        lag: time by which heartbeats of the reactor were late.
        stalls: how often a heartbeat was late by more than `signald.monitoring.stalls.LATE_SECONDS`.
        journal_bytes: the size of the journal.
        journal_degraded: whether the journal cannot be written.
        journal_written: when the journal was last written, in seconds since the epoch; None if it never was.
        state_written: when the state that this process took up was written, likewise; None if it took up none.
        state_degraded: whether something that the process before had left could not be taken up.
        webhook: time from a question to the webhook, its wait for a turn included, to its end.
        webhook_results: how questions to the webhook ended.
        reload_succeeded: whether the last reload was applied as a whole; True before the first one.
        configuration_read: when the configuration in force was read, in seconds since the epoch; 0 without a reloader.
        reload_failures: reloads that were refused or not applied as a whole, by the part that was to blame.

    """

    opened: dict[tuple[str, str], int] = field(factory=dict)
    closed: dict[tuple[str, str], int] = field(factory=dict)
    received: dict[type, int] = field(factory=lambda: _zero_counts(Request))
    malformed: dict[type, int] = field(factory=lambda: _zero_counts(Request))
    unknown_keys: dict[type, int] = field(factory=lambda: _zero_counts(Request))
    declined: dict[type, int] = field(factory=lambda: _zero_counts(Request))
    sent: dict[type, int] = field(factory=lambda: _zero_counts(Event))
    bytes_in: int = 0
    bytes_out: int = 0
    errors: dict[ErrorCode, int] = field(factory=lambda: dict.fromkeys(ErrorCode, 0))
    limits: dict[str, int] = field(factory=lambda: dict.fromkeys([*(limit.name for limit in fields(Limits)), OTHER], 0))
    forward: Histogram = field(factory=lambda: Histogram(_FORWARD_BOUNDS))
    tls_handshake: Histogram = field(factory=lambda: Histogram(_HANDSHAKE_BOUNDS))
    websocket_handshake: Histogram = field(factory=lambda: Histogram(_HANDSHAKE_BOUNDS))
    lag: Histogram = field(factory=lambda: Histogram(_LAG_BOUNDS))
    stalls: int = 0
    journal_bytes: int = 0
    journal_degraded: bool = False
    journal_written: float | None = None
    state_written: float | None = None
    state_degraded: bool = False
    webhook: Histogram = field(factory=lambda: Histogram(_WEBHOOK_BOUNDS))
    webhook_results: dict[WebhookResult, int] = field(factory=lambda: dict.fromkeys(WebhookResult, 0))
    reload_succeeded: bool = True
    configuration_read: float = 0.0
    reload_failures: dict[str, int] = field(factory=dict)

    def observe_webhook(self, result: WebhookResult, seconds: float) -> None:
        """Count the end of a question to the webhook, which took `seconds`."""
        self.webhook_results[result] += 1
        self.webhook.observe(seconds)

    def count_error(self, code: ErrorCode) -> None:
        """Count an error that was sent to a client over WebSocket or HTTP, and the limit behind it."""
        self.errors[code] += 1
        limit = LIMIT_OF.get(code)
        if limit is not None:
            self.limits[limit] += 1

    def count_limit_hit(self, limit: str) -> None:
        """Count a limit that was hit without an error to a client; `limit` is the name of its field in `Limits`.

        The limit behind an error is counted by `count_error`.
        """
        self.limits[limit if limit in self.limits else OTHER] += 1

    def count_opened(self, dialect: str, scheme: str) -> None:
        """Count a WebSocket that was opened; `dialect` and `scheme` come from lists in the code."""
        key = dialect, scheme
        self.opened[key] = self.opened.get(key, 0) + 1

    def count_closed(self, dialect: str, scheme: str) -> None:
        """Count a WebSocket that was closed."""
        key = dialect, scheme
        self.closed[key] = self.closed.get(key, 0) + 1
