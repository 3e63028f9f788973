"""What the operator's listener serves: metrics, health and readiness; over plain HTTP, never on the public port."""

from __future__ import annotations

import math
from collections.abc import Iterable
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

__all__ = ["CONNECTIONS", "HEADERS", "SCRAPE_SECONDS", "Endpoint", "make_operations_site"]

CONNECTIONS = 64
"""To the operator's listener, all together."""

SCRAPE_SECONDS = 0.2
"""For which a scrape's answer is given again: whoever asks without end does not keep the reactor busy."""

HEADERS = (
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)
"""On every response; the admin page has a Content-Security-Policy of its own."""


class Endpoint(Resource):
    """One path with its methods; what is below it is not there.

    Attributes:
        methods: those that it knows.

    """

    isLeaf = True
    methods: tuple[bytes, ...] = (b"GET", b"HEAD")

    def render(self, request: SignalingRequest) -> bytes | int:
        """Answer, or say what is wrong with the request."""
        if request.postpath:
            return request.send_error(ErrorCode.NOT_FOUND)
        if request.method not in self.methods:
            request.setHeader("Allow", b", ".join(self.methods))
            return request.send_error(ErrorCode.METHOD_NOT_ALLOWED)
        return self.answer(request)

    def answer(self, request: SignalingRequest) -> bytes | int:
        """Answer a request of a method that is known; what `render` returns.

        Raises:
            NotImplementedError: always, here.

        """
        raise NotImplementedError


class _Folder(Resource):
    """The root: there is nothing but what was put here."""

    def getChild(self, path: bytes, request: Request) -> Resource:
        """There is nothing of that name."""
        return _Missing()


class _Missing(Endpoint):
    """What is not there."""

    def render(self, request: SignalingRequest) -> bytes | int:
        """Say so."""
        return request.send_error(ErrorCode.NOT_FOUND)


class _Metrics(Endpoint):
    """All metrics in Prometheus' text format, 0.0.4."""

    def __init__(self, registry: CollectorRegistry, clock: IReactorTime) -> None:
        super().__init__()
        self._registry = registry
        self._clock = clock
        self._made = -math.inf
        self._body = b""

    def answer(self, request: SignalingRequest) -> bytes | int:
        """Read the numbers, unless that was done just now."""
        now = self._clock.seconds()
        if now - self._made >= SCRAPE_SECONDS:
            self._body, self._made = generate_latest(self._registry), now
        request.setHeader("Content-Type", CONTENT_TYPE_PLAIN_0_0_4)
        return request.send(self._body)


class _Health(Endpoint):
    """Whether the process answers at all: what a watchdog asks."""

    def answer(self, request: SignalingRequest) -> bytes | int:
        """It does."""
        return _well(request)


class _Ready(Endpoint):
    """Whether new clients are welcome: what a load balancer asks."""

    def __init__(self, readiness: Readiness) -> None:
        super().__init__()
        self._readiness = readiness

    def answer(self, request: SignalingRequest) -> bytes | int:
        """They are; or 503, with what is wrong (RFC 9457 §3.2)."""
        if self._readiness.ready:
            return _well(request)
        reasons = self._readiness.reasons
        code = DRAINING if self._readiness.draining else "degraded"
        told = [{"name": name, "detail": sentence} for name, sentence in reasons.items()]
        status = HTTPStatus.SERVICE_UNAVAILABLE
        return request.send_problem(status, problem_of(status, code, " ".join(reasons.values()), reasons=told))


def make_operations_site(
    registry: CollectorRegistry,
    readiness: Readiness,
    others: Iterable[tuple[bytes, Resource]],
    clock: IReactorTime,
    is_local: bool = False,
) -> SignalingSite:
    """Make the site of the operator's listener, bounded as the page's is, by bounds of its own.

    Arguments:
        registry: of the metrics.
        readiness: whether new clients are welcome.
        others: further resources by name.
        clock: for every deadline.
        is_local: whether it listens on a loopback address: there a browser of this machine, which may be made to ask
            by a page of a stranger, is who can reach it, and nobody needs a name.

    """
    root = _Folder()
    root.putChild(b"metrics", _Metrics(registry, clock))
    root.putChild(b"healthz", _Health())
    root.putChild(b"readyz", _Ready(readiness))
    for name, resource in others:
        root.putChild(name, resource)
    # Its own bounds: a public port that is full, or an operator who bounds it narrowly, does not shut the operator out.
    # Nor are its errors counted with those of clients.
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
        methods=(b"GET", b"HEAD", b"POST"),
        fixed_hosts=is_local,
    )


def _well(request: SignalingRequest) -> bytes | int:
    request.setHeader("Content-Type", "text/plain; charset=utf-8")
    return request.send(b"ok\n")
