"""Declares the metrics for Prometheus with their names, help texts and labels, and reads their values at a scrape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.registry import Collector

from signald import __version__
from signald.core.sessions import SessionState
from signald.core.users import UserState
from signald.monitoring.metrics import message_label
from signald.operations.declared_metrics import Declared, Family, Kind, Values
from signald.operations.metric_sources import Sources
from signald.operations.surroundings import SURROUNDINGS, surrounding_metrics

__all__ = ["OWN_METRICS", "make_registry"]

_BUILD = Declared("signald_build_info", Kind.GAUGE, "1, with the version that runs.", ("version",))
_READY = Declared("signald_ready", Kind.GAUGE, "Whether new clients are welcome: 1 or 0.")
_DRAINING = Declared("signald_draining", Kind.GAUGE, "Whether the server is stopping: 1 or 0.")
_WEBSOCKETS = Declared("signald_websockets", Kind.GAUGE, "Open WebSockets.", ("dialect", "scheme"))
_OPENED = Declared(
    "signald_websockets_opened", Kind.COUNTER, "WebSockets that were ever opened.", ("dialect", "scheme")
)
_HTTP = Declared("signald_http_connections", Kind.GAUGE, "Connections that are no WebSockets, or not yet.")
_WAITING_OUTPUT = Declared(
    "signald_waiting_output_bytes", Kind.GAUGE, "Output that waits for slow readers, beyond what the transports buffer."
)
_BYTES_IN = Declared("signald_received_bytes", Kind.COUNTER, "Bytes that came over WebSockets.")
_BYTES_OUT = Declared("signald_sent_bytes", Kind.COUNTER, "Bytes that went out over WebSockets.")
_TLS_HANDSHAKE = Declared(
    "signald_tls_handshake_seconds",
    Kind.HISTOGRAM,
    "From the acceptance of a connection to the end of its TLS handshake.",
)
_WEBSOCKET_HANDSHAKE = Declared(
    "signald_websocket_handshake_seconds",
    Kind.HISTOGRAM,
    "From the beginning of a request, or of its connection, to the open WebSocket.",
)
_USERS = Declared("signald_users", Kind.GAUGE, "Identities: present, or away within their grace.", ("state",))
_SESSIONS = Declared("signald_sessions", Kind.GAUGE, "Sessions: open, or kept for their hosts.", ("state",))
_MEMBERS = Declared("signald_members", Kind.GAUGE, "Members of all sessions.")
_VISITORS = Declared("signald_visitors", Kind.GAUGE, "Users who wait to be members.")
_OUTBOXES = Declared("signald_outbox_bytes", Kind.GAUGE, "Messages to users that are not acknowledged.")
_CLIENTS = Declared(
    "signald_directory_clients",
    Kind.GAUGE,
    "Clients of PeerJS: connected, or expected back after a restart.",
    ("state",),
)
_WAITING_MESSAGES = Declared(
    "signald_directory_waiting_bytes", Kind.GAUGE, "Messages that wait for clients of PeerJS that are not connected."
)
_ROOMS = Declared("signald_rooms", Kind.GAUGE, "Groups of matchbox's clients: each is one room, or one match in it.")
_DECISIONS = Declared("signald_pending_decisions", Kind.GAUGE, "Decisions under way.")
_RECEIVED = Declared(
    "signald_received_messages", Kind.COUNTER, "Messages of clients: valid, or malformed.", ("type", "result")
)
_UNKNOWN_KEYS = Declared(
    "signald_unknown_keys",
    Kind.COUNTER,
    "Keys in valid messages of clients that the server does not know and ignored.",
    ("type",),
)
_DECLINED = Declared(
    "signald_declined_messages", Kind.COUNTER, "Messages of clients that were answered with an error.", ("type",)
)
_SENT = Declared("signald_sent_messages", Kind.COUNTER, "Messages to clients.", ("type",))
_ERRORS = Declared("signald_errors", Kind.COUNTER, "Errors that were told, over WebSocket and HTTP.", ("code",))
_LIMITS = Declared(
    "signald_limits_hit",
    Kind.COUNTER,
    "Refusals because of a limit, and what was given up to make room for others.",
    ("limit",),
)
_FORWARD = Declared(
    "signald_forward_seconds",
    Kind.HISTOGRAM,
    "From a whole frame with an offer, an answer, candidates or a message to its being written to the others.",
)
_LAG = Declared("signald_reactor_lag_seconds", Kind.HISTOGRAM, "By how much the reactor was late, ten times a second.")
_STALLS = Declared("signald_reactor_stalls", Kind.COUNTER, "How often the reactor was late by more than 0.1 s.")
_LOG_LINES = Declared("signald_log_lines", Kind.COUNTER, "Lines that the log wrote.")
_LOG_DROPPED = Declared("signald_log_lines_dropped", Kind.COUNTER, "Lines that the log could not write.")

OWN_METRICS = (*(value for value in list(globals().values()) if isinstance(value, Declared)), *SURROUNDINGS)
"""Every metric that signald itself declares, without those of the process and of Python."""


def make_registry(sources: Sources) -> CollectorRegistry:
    """Create a registry of the metrics of signald, of its process (on Linux) and of Python's garbage collector."""
    registry = CollectorRegistry()
    registry.register(_Collector(sources))
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


class _Collector(Collector):
    """Reads the sources only at a scrape, so that metrics cost nothing between two scrapes."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Family]:
        """Yield all metrics that signald declares, each with all its labels."""
        sources = self._sources
        yield _BUILD.with_values({(__version__,): 1})
        yield _READY.with_value(sources.readiness.ready)
        yield _DRAINING.with_value(sources.readiness.draining)
        yield from self._connections()
        yield from self._hub()
        yield from self._messages()
        yield from self._process()
        yield from surrounding_metrics(sources)

    def _connections(self) -> Iterator[Family]:
        metrics, signaling = self._sources.metrics, self._sources.signaling
        dialects = {dialect.__name__.lower() for port in signaling for dialect in port.rule.dialects.values()}
        keys = [(dialect, port.scheme) for dialect in sorted(dialects) for port in signaling]
        opened: Values = {key: metrics.opened.get(key, 0) for key in keys}
        yield _WEBSOCKETS.with_values({key: opened[key] - metrics.closed.get(key, 0) for key in keys})
        yield _OPENED.with_values(opened)
        yield _HTTP.with_value(self._sources.http_connections())
        waiting = sum(connection.waiting_bytes for port in signaling for connection in port.connections)
        yield _WAITING_OUTPUT.with_value(waiting)
        yield _BYTES_IN.with_value(metrics.bytes_in)
        yield _BYTES_OUT.with_value(metrics.bytes_out)
        yield _TLS_HANDSHAKE.with_histogram(metrics.tls_handshake)
        yield _WEBSOCKET_HANDSHAKE.with_histogram(metrics.websocket_handshake)

    def _hub(self) -> Iterator[Family]:
        hub = self._sources.hub
        users, sessions = hub.users.values(), hub.sessions.values()
        yield _USERS.with_values(_by_state((user.state for user in users), UserState.PRESENT, UserState.AWAY))
        states = (session.state for session in sessions)
        yield _SESSIONS.with_values(_by_state(states, SessionState.OPEN, SessionState.KEPT))
        yield _MEMBERS.with_value(sum(len(session.members) for session in sessions))
        yield _VISITORS.with_value(sum(len(session.visitors) for session in sessions))
        yield _OUTBOXES.with_value(hub.mailboxes.quota.used)
        yield _DECISIONS.with_value(len(hub.decisions.by_id))
        directory = self._sources.directory
        yield _CLIENTS.with_values({("connected",): len(directory.clients), ("reserved",): len(directory.reserved)})
        yield _WAITING_MESSAGES.with_value(directory.waiting.size)
        yield _ROOMS.with_value(self._sources.rooms.rooms.groups)

    def _messages(self) -> Iterator[Family]:
        metrics = self._sources.metrics
        given_up = self._sources.hub.evictions | self._sources.directory.waiting.refused
        received: Values = {(message_label(type_), "valid"): count for type_, count in metrics.received.items()}
        received |= {(message_label(type_), "malformed"): count for type_, count in metrics.malformed.items()}
        yield _RECEIVED.with_values(received)
        yield _UNKNOWN_KEYS.with_values(
            {(message_label(type_),): count for type_, count in metrics.unknown_keys.items()}
        )
        yield _DECLINED.with_values({(message_label(type_),): count for type_, count in metrics.declined.items()})
        yield _SENT.with_values({(message_label(type_),): count for type_, count in metrics.sent.items()})
        yield _ERRORS.with_values({(code.value,): count for code, count in metrics.errors.items()})
        yield _LIMITS.with_values({(limit,): count for limit, count in (metrics.limits | given_up).items()})
        yield _FORWARD.with_histogram(metrics.forward)

    def _process(self) -> Iterator[Family]:
        metrics = self._sources.metrics
        yield _LAG.with_histogram(metrics.lag)
        yield _STALLS.with_value(metrics.stalls)
        written, dropped = self._sources.log_lines()
        yield _LOG_LINES.with_value(written)
        yield _LOG_DROPPED.with_value(dropped)


def _by_state(found: Iterable[Enum], *states: Enum) -> Values:
    """Count the occurrences of each of the states."""
    counts: Values = {(state.value,): 0 for state in states}
    for state in found:
        key = (state.value,)
        if key in counts:
            counts[key] += 1
    return counts
