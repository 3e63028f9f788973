"""The resources of the operator's listener: metrics, health and readiness, which the public port never serves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from http import HTTPStatus

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import Resource
from twisted.web.server import Request

from signald.core.budgets import ConnectionBudget
from signald.core.errors import ErrorCode
from signald.core.limits import Limits
from signald.monitoring.metrics import Metrics
from signald.monitoring.readiness import DRAINING, Readiness
from signald.server.admission import Admission
from signald.server.problems import problem_of
from signald.server.site import SignalingSite
from signald.server.web import SignalingRequest

__all__ = ["CONNECTIONS", "HEADERS", "SCRAPE_SECONDS", "Endpoint", "NotFound", "make_operations_site"]

CONNECTIONS = 64
"""The maximum number of TCP connections to the operator's listener, from all addresses together."""

SCRAPE_SECONDS = 0.2
"""The time for which the response to a scrape is cached, so that frequent scrapes do not keep the reactor busy."""

HEADERS = (
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)
"""The headers of every response; the admin page replaces the Content-Security-Policy."""


class Endpoint(Resource):
    """A resource at one path, with 404 for every path below it.

    Attributes:
        methods: the HTTP methods that the resource allows.

    """

    isLeaf = True
    methods: tuple[bytes, ...] = (b"GET", b"HEAD")

    def render(self, request: SignalingRequest) -> bytes | int:
        """Send the response of `answer`, or an error response if the path or the method is wrong."""
        if request.postpath:
            return request.send_error(ErrorCode.NOT_FOUND)
        if request.method not in self.methods:
            request.setHeader("Allow", b", ".join(self.methods))
            return request.send_error(ErrorCode.METHOD_NOT_ALLOWED)
        return self.answer(request)

    def answer(self, request: SignalingRequest) -> bytes | int:
        """Respond to a request with an allowed method; the result is that of `render`.

        Raises:
            NotImplementedError: always; each subclass overrides this method.

        """
        raise NotImplementedError


class _Folder(Resource):
    """The root resource, with 404 for every path that has no resource."""

    def getChild(self, path: bytes, request: Request) -> Resource:
        """Return a 404, because no resource has that name."""
        return NotFound()


class _Root(Endpoint):
    """The path `/`, where nothing is served, but where HAProxy's health check asks for the methods by default."""

    def answer(self, request: SignalingRequest) -> bytes | int:
        """Send 204 to OPTIONS, and the error response to other methods."""
        return request.send(b"") if request.asks_options else request.send_error(ErrorCode.NOT_FOUND)


class NotFound(Endpoint):
    """Responds to every request with 404."""

    def render(self, request: SignalingRequest) -> bytes | int:
        """Send the error response."""
        return request.send_error(ErrorCode.NOT_FOUND)


class _Metrics(Endpoint):
    """Serves all metrics in the Prometheus text format 0.0.4."""

    def __init__(self, registry: CollectorRegistry, clock: IReactorTime) -> None:
        super().__init__()
        self._registry = registry
        self._clock = clock
        self._read_at = -math.inf
        self._body = b""

    def answer(self, request: SignalingRequest) -> bytes | int:
        """Send the metrics, which are read again if the cached ones are older than `SCRAPE_SECONDS`."""
        now = self._clock.seconds()
        if now - self._read_at >= SCRAPE_SECONDS:
            self._body, self._read_at = generate_latest(self._registry), now
        request.setHeader("Content-Type", CONTENT_TYPE_PLAIN_0_0_4)
        return request.send(self._body)


class _Health(Endpoint):
    """The liveness probe, which responds with 200 as long as the reactor runs."""

    def answer(self, request: SignalingRequest) -> bytes | int:
        """Send 200."""
        return _well(request, {})


class _Ready(Endpoint):
    """The readiness probe, which reports to a load balancer whether the daemon accepts new clients."""

    def __init__(self, readiness: Readiness) -> None:
        super().__init__()
        self._readiness = readiness

    def answer(self, request: SignalingRequest) -> bytes | int:
        """Send 200 with the warnings, or 503 with problem details that list the reasons (RFC 9457 §3.2)."""
        if self._readiness.ready:
            return _well(request, self._readiness.warnings)
        reasons = self._readiness.reasons
        code = DRAINING if self._readiness.draining else "degraded"
        problems = [{"name": name, "detail": sentence} for name, sentence in reasons.items()]
        status = HTTPStatus.SERVICE_UNAVAILABLE
        return request.send_problem(status, problem_of(status, code, " ".join(reasons.values()), reasons=problems))


def make_operations_site(
    registry: CollectorRegistry,
    readiness: Readiness,
    others: Iterable[tuple[bytes, Resource]],
    clock: IReactorTime,
    hosts: frozenset[str] | None = None,
) -> SignalingSite:
    """Create the site of the operator's listener, which enforces limits as the page's site does, but its own ones.

    Arguments:
        registry: the registry of the metrics.
        readiness: whether the daemon accepts new clients.
        others: further resources by name.
        clock: the clock for all deadlines.
        hosts: the host names that are answered, besides `localhost` and IP addresses; None for every name.

    """
    root = _Folder()
    root.putChild(b"", _Root())
    root.putChild(b"metrics", _Metrics(registry, clock))
    root.putChild(b"healthz", _Health())
    root.putChild(b"readyz", _Ready(readiness))
    for name, resource in others:
        root.putChild(name, resource)
    # The site has limits of its own, so that a full public port or a low limit does not lock the operator out. It also
    # has metrics of its own, so that its errors are not counted among those of the clients.
    limits = Limits(connections=CONNECTIONS, address_connections=CONNECTIONS)
    return SignalingSite(
        root,
        SignalingRequest,
        Admission(limits),
        ConnectionBudget(limits),
        Metrics(),
        limits,
        clock,
        HEADERS,
        methods=(b"GET", b"HEAD", b"OPTIONS", b"POST"),
        hosts=hosts,
    )


def _well(request: SignalingRequest, warnings: Mapping[str, str]) -> bytes | int:
    """Send 200 with a line `ok`, and a line for each warning."""
    request.setHeader("Content-Type", "text/plain; charset=utf-8")
    lines = ["ok", *(f"{name}: {sentence}" for name, sentence in sorted(warnings.items()))]
    return request.send("".join(f"{line}\n" for line in lines).encode())
