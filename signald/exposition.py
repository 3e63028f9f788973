"""What Prometheus reads: every metric with its name, its help and its labels, taken from the counts at a scrape."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate

from attrs import field, frozen
from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from signald import __version__
from signald.certificates import Certificate
from signald.hub import Hub
from signald.metrics import OTHER, Histogram, Metrics
from signald.readiness import Readiness
from signald.sessions import SessionState
from signald.users import UserState
from signald.websocket import SignalingFactory

__all__ = ["Sources", "make_registry"]

Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily


@frozen
class Sources:
    """Where the numbers are.

    Attributes:
        metrics: what is counted.
        hub: users, sessions and what waits for them.
        readiness: whether new clients are welcome.
        signaling: the factories of WebSockets.
        http_connections: how many connections have not become WebSockets.
        certificate: what is shown to TLS clients; None without TLS.
        log_lines: lines that the log has written, and those that it has dropped.
        wall_time: gives seconds since the epoch.

    """

    metrics: Metrics
    hub: Hub
    readiness: Readiness
    signaling: Sequence[SignalingFactory]
    http_connections: Callable[[], int]
    certificate: Certificate | None
    log_lines: Callable[[], tuple[int, int]]
    wall_time: Callable[[], float] = field(default=time.time)


def make_registry(sources: Sources) -> CollectorRegistry:
    """Make a registry of signald's metrics and those of its process (Linux)."""
    registry = CollectorRegistry()
    registry.register(_Collector(sources))
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


class _Collector(Collector):
    """Reads the sources at each scrape, so that in between nothing is done."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Family]:
        """All of signald's own metrics, each with all its labels."""
        sources = self._sources
        build = GaugeMetricFamily("signald_build_info", "The version that runs.", labels=["version"])
        build.add_metric([__version__], 1)
        yield build
        yield _gauge("signald_ready", "Whether new clients are welcome: 1 or 0.", sources.readiness.ready)
        yield _gauge("signald_draining", "Whether the server is stopping: 1 or 0.", sources.readiness.draining)
        if sources.certificate is not None:
            days = sources.certificate.days_left(sources.wall_time())
            yield _gauge("signald_certificate_days_left", "Days until the certificate ends; negative after that.", days)
        yield from self._connections()
        yield from self._hub()
        yield from self._messages()
        yield from self._process()

    def _connections(self) -> Iterator[Family]:
        metrics, signaling = self._sources.metrics, self._sources.signaling
        now = GaugeMetricFamily("signald_websockets", "Open WebSockets.", labels=["dialect", "scheme"])
        ever = CounterMetricFamily("signald_websockets_opened", "WebSockets ever opened.", labels=["dialect", "scheme"])
        schemes = {factory.scheme for factory in signaling}
        dialects = {dialect.__name__.lower() for factory in signaling for dialect in factory.rule.dialects.values()}
        for dialect in sorted(dialects):
            for scheme in sorted(schemes):
                opened = metrics.opened.get((dialect, scheme), 0)
                now.add_metric([dialect, scheme], opened - metrics.closed.get((dialect, scheme), 0))
                ever.add_metric([dialect, scheme], opened)
        yield now
        yield ever
        yield _gauge(
            "signald_http_connections",
            "Connections that are no WebSockets, or not yet.",
            self._sources.http_connections(),
        )
        waiting = sum(connection.waiting_bytes for factory in signaling for connection in factory.connections)
        yield _gauge("signald_waiting_output_bytes", "Output that waits for readers that are slow.", waiting)
        yield _counter("signald_received_bytes", "Bytes that came over WebSockets.", metrics.bytes_in)
        yield _counter("signald_sent_bytes", "Bytes that went out over WebSockets.", metrics.bytes_out)
        yield _histogram(
            "signald_tls_handshake_seconds",
            "From the acceptance of a connection to the end of its TLS handshake.",
            metrics.tls_handshake,
        )
        yield _histogram(
            "signald_websocket_handshake_seconds",
            "From the beginning of a request, or of its connection, to the open WebSocket.",
            metrics.websocket_handshake,
        )

    def _hub(self) -> Iterator[Family]:
        hub = self._sources.hub
        users = GaugeMetricFamily("signald_users", "Identities, with a connection or away.", labels=["state"])
        away = sum(user.state is UserState.AWAY for user in hub.users.values())
        users.add_metric(["present"], len(hub.users) - away)
        users.add_metric(["away"], away)
        yield users
        sessions = GaugeMetricFamily("signald_sessions", "Sessions, open or kept for their hosts.", labels=["state"])
        kept = sum(session.state is SessionState.KEPT for session in hub.sessions.values())
        sessions.add_metric(["open"], len(hub.sessions) - kept)
        sessions.add_metric(["kept"], kept)
        yield sessions
        members = sum(len(session.members) for session in hub.sessions.values())
        yield _gauge("signald_members", "Members of all sessions.", members)
        visitors = sum(len(session.visitors) for session in hub.sessions.values())
        yield _gauge("signald_visitors", "Users who wait to be members.", visitors)
        yield _gauge("signald_outbox_bytes", "Messages that are not acknowledged.", hub.post.room.used)
        yield _gauge("signald_pending_decisions", "Decisions under way.", len(hub.asking.pending))

    def _messages(self) -> Iterator[Family]:
        metrics = self._sources.metrics
        received = CounterMetricFamily(
            "signald_received_messages", "Messages of clients, by what became of them.", labels=["type", "result"]
        )
        for counts, result in ((metrics.received, "valid"), (metrics.malformed, "malformed")):
            for type_, count in counts.items():
                received.add_metric([_name(type_), result], count)
        yield received
        declined = CounterMetricFamily(
            "signald_declined_messages", "Messages of clients that were answered with an error.", labels=["type"]
        )
        for type_, count in metrics.declined.items():
            declined.add_metric([_name(type_)], count)
        yield declined
        sent = CounterMetricFamily("signald_sent_messages", "Messages to clients.", labels=["type"])
        for type_, count in metrics.sent.items():
            sent.add_metric([_name(type_)], count)
        yield sent
        errors = CounterMetricFamily("signald_errors", "Errors told, over WebSocket and HTTP.", labels=["code"])
        for code, count in metrics.errors.items():
            errors.add_metric([code.value], count)
        yield errors
        limits = CounterMetricFamily("signald_limits_hit", "Refusals because of a limit.", labels=["limit"])
        for limit, count in metrics.limits.items():
            limits.add_metric([limit], count)
        yield limits
        yield _histogram(
            "signald_forward_seconds",
            "From a frame in the hand to its message written to the others.",
            metrics.forward,
        )

    def _process(self) -> Iterator[Family]:
        metrics = self._sources.metrics
        yield _histogram("signald_reactor_lag_seconds", "By how much the reactor was late.", metrics.lag)
        yield _counter("signald_reactor_stalls", "How often the reactor was late by more than 0.1 s.", metrics.stalls)
        written, dropped = self._sources.log_lines()
        yield _counter("signald_log_lines", "Lines of the log.", written)
        yield _counter("signald_log_lines_dropped", "Lines that the log's sink did not take.", dropped)


def _gauge(name: str, help: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help, value=value)


def _counter(name: str, help: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(name, help, value=value)


def _histogram(name: str, help: str, histogram: Histogram) -> HistogramMetricFamily:
    bounds: Iterable[str] = [*(str(bound) for bound in histogram.bounds), "+Inf"]
    buckets = list(zip(bounds, accumulate(histogram.counts), strict=True))
    return HistogramMetricFamily(name, help, buckets=buckets, sum_value=histogram.total)


def _name(type_: type) -> str:
    """A message's class as a label: its name in the words of the protocol."""
    if type_ is type(None):
        return OTHER
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in type_.__name__).lstrip("-")
