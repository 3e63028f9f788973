"""HTTP/1.1 connections below the resources, bounded in number, time and size, and strict about requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.interfaces import IAddress, IDelayedCall, IHandshakeListener, IReactorTime, ISSLTransport
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.http_headers import Headers
from twisted.web.resource import IResource
from twisted.web.server import Request, Site
from zope.interface import implementer

from signald.core.budgets import ConnectionBudget
from signald.core.errors import ErrorCode
from signald.core.limits import Limits
from signald.monitoring.metrics import Metrics
from signald.net.origins import Host, read_host
from signald.net.proxies import client_address, peer_host, read_address
from signald.server.admission import Admission, AdmissionTicket
from signald.server.draining import ConnectionSet
from signald.server.factory import SignalingFactory
from signald.server.fairness import FairRounds
from signald.server.output import MAX_DISCARDED_BYTES, StallDetector
from signald.server.plain_http import PlainRequest, PlainRequestError, answer_plain_request, read_plain_request
from signald.server.plain_upgrade import read_plain_upgrade
from signald.server.problems import last_response
from signald.server.request_turns import RequestTurns
from signald.server.upgrade_request import any_name_beside

__all__ = ["ALLOWED", "SignalingChannel", "SignalingSite"]

MAX_HEADERS = 100
"""Header lines of a request, at most: each costs time, and Twisted would read 500."""

ALLOWED = "GET, HEAD, OPTIONS"
"""The value of the Allow header (RFC 9110 §10.2.1) where GET is allowed."""

IDLE_SECONDS = 15.0
"""Seconds for which an idle connection is kept after its last response (RFC 9112 §9.3)."""

_NO_CLIENT_HELLO = b"before SSL initialization"
"""OpenSSL's name for the state of a handshake of which nothing has arrived (SSL_state_string_long(3))."""


class SignalingSite(Site):
    """Makes bounded HTTP/1.1 connections; it offers no HTTP/2 and writes no access log.

    Attributes:
        headers: the headers of every response.
        metrics: counts the errors, and measures the TLS handshakes.
        methods: the methods that any resource supports.
        hosts: the host names that are answered (`Host.is_among`); None for every name.
        http_connections: the connections that have not become WebSockets; while they are drained, each response is the
            last one of its connection.
        websockets: makes the WebSockets that plain upgrade requests open, by path.
        rounds: divides each round of the reactor among addresses; None where all clients are the operator's.
        base: the path below which everything is served; it ends with a slash.
        has_certificate_for: tells whether the server's certificate covers a host, so that a request that arrives
            unencrypted may be redirected to it.

    """

    noisy = False
    displayTracebacks = False

    def __init__(
        self,
        root: IResource,
        requests: type[Request],
        admission: Admission,
        budget: ConnectionBudget,
        metrics: Metrics,
        limits: Limits,
        clock: IReactorTime,
        headers: tuple[tuple[str, str], ...],
        methods: tuple[bytes, ...] = (b"GET", b"HEAD", b"OPTIONS"),
        hosts: frozenset[str] | None = None,
        websockets: Mapping[str, SignalingFactory] | None = None,
        rounds: FairRounds | None = None,
        base: str = "/",
    ) -> None:
        """Make a site.

        Arguments:
            root: the root of the resources.
            requests: the class of a request.
            admission: admits connections.
            budget: admits WebSockets.
            metrics: counts the errors, and measures the TLS handshakes.
            limits: the bounds; the site uses `header_seconds` and `output_seconds`.
            clock: measures every deadline.
            headers: the headers of every response.
            methods: the methods that any resource supports.
            hosts: the host names that are answered (`Host.is_among`); None for every name.
            websockets: makes the WebSockets that plain upgrade requests open, by path (`UpgradeRule`); None where there
                are none.
            rounds: divides each round of the reactor among addresses; None where all clients are the operator's.
            base: the path below which everything is served; it ends with a slash.

        """
        super().__init__(root, requests, timeout=None, reactor=clock)
        self.admission = admission
        self.budget = budget
        self.limits = limits
        self.headers = headers
        self.metrics = metrics
        self.methods = methods
        self.hosts = hosts
        self.websockets = dict(websockets or {})
        self.rounds = rounds
        self.base = base
        self.has_certificate_for: Callable[[str], bool] = lambda name: False
        self.http_connections: ConnectionSet[SignalingChannel] = ConnectionSet(clock)
        admission.count_among_all(self.http_connections)

    def buildProtocol(self, addr: IAddress | None) -> SignalingChannel | None:  # type: ignore[override] # not the generic one
        """Make the channel of a connection; None, which closes it, where admission control refuses it.

        No error can be sent before the TLS handshake, and to send one would cost what the refusal is to save. If they
        were closed later than here, the refused connections of one reactor iteration would exhaust the descriptors.
        """
        ticket = AdmissionTicket(self.admission, self.budget)
        if ticket.admit_transport(peer_host(addr), self.reactor.seconds()) is not None:
            return None
        channel = SignalingChannel(self, ticket)
        channel.factory = self
        return channel

    def find_websocket(self, path: str) -> SignalingFactory | None:
        """Return what makes the WebSockets of a path; None where there are none."""
        return self.websockets.get(path) or self.websockets.get(any_name_beside(path))

    def acceptableProtocols(self) -> list[bytes]:
        """Offer HTTP/1.1 in ALPN (RFC 7301): HTTP/2 would bypass the header deadline and the rule about bodies."""
        return [b"http/1.1"]

    def startFactory(self) -> None:
        """Open no access log, which would contain addresses, and start no timer for its dates."""

    def stopFactory(self) -> None:
        """Stop nothing, since nothing was started."""

    def log(self, request: object) -> None:
        """Write no access log."""


@implementer(IHandshakeListener)
class SignalingChannel(RequestTurns, HTTPChannel):
    """One HTTP/1.1 connection, bounded in time and size, that accepts requests without bodies.

    Attributes:
        began: when its present request began, or the TLS handshake before its first one, in monotonic seconds.

    """

    transport: Any
    timeOut = None
    maxHeaders = MAX_HEADERS
    _stall_detector: StallDetector
    _plain_input = b""
    """What has arrived of a request without TLS at a port that speaks TLS."""

    def __init__(self, site: SignalingSite, ticket: AdmissionTicket) -> None:
        super().__init__()
        self.site = site
        self.requestFactory = site.requestFactory
        self._ticket = ticket
        self._deadline: IDelayedCall | None = None
        self._websocket_transport: Any = None
        self._discards_input = False
        self._discarded_bytes = 0
        self._is_stalled = False
        self._is_idle = False
        self._is_secure = False
        self._is_new = True

    # The transport

    def connectionMade(self) -> None:
        """Start the deadline of the first request: it includes the TLS handshake, and no byte extends it."""
        site = self.site
        self.began = site.reactor.seconds()
        self._stall_detector = StallDetector(
            self.transport, site.reactor, site.limits.output_seconds, self._abort_stalled_reader
        )
        site.http_connections.add(self)
        super().connectionMade()
        self._expire_after(site.limits.header_seconds)
        if site.rounds is not None and self._ticket.transport_key is not None:
            tls: bool = ISSLTransport.providedBy(self.transport)
            self.join_share(site.rounds, self._ticket.transport_key, tls=tls)

    def handshakeCompleted(self) -> None:  # Twisted's name
        """Measure the TLS handshake, which is complete."""
        self._is_secure = True
        self.site.metrics.tls_handshake.observe(self.site.reactor.seconds() - self.began)

    def receive_input(self, data: bytes) -> None:
        """Parse bytes; the first byte of a further request starts its deadline."""
        if self._discards_input:
            # To stop reading would be cheaper, but then nobody would notice that the client disconnects.
            self._discarded_bytes += len(data)
            if self._discarded_bytes > MAX_DISCARDED_BYTES:
                self.abort()
            return
        if self._is_new:
            self._is_new = False
            if self._open_websocket(data):
                return
        if self._is_idle:
            self._is_idle = False
            self.began = self.site.reactor.seconds()
            self._expire_after(self.site.limits.header_seconds)
        HTTPChannel.dataReceived(self, data)

    def receive_unencrypted(self, data: bytes) -> bytes | None:
        """Return the answer to HTTP that arrives at a port that speaks TLS; None as long as headers are missing.

        The connection keeps its deadline, which began with it, and its place in the budgets.
        """
        if self._discards_input:
            return None
        self._plain_input += data
        try:
            request = read_plain_request(self._plain_input)
            if request is None:
                return None
            answer = self._answer_unencrypted(request)
        except PlainRequestError as error:
            self.site.metrics.count_error(error.code)
            answer = last_response(error.code)
        self._discards_input = True
        self._plain_input = b""
        return answer

    def _answer_unencrypted(self, request: PlainRequest) -> bytes:
        self.charge_request()
        if not self._admit_request(request.forwarded_for):
            raise PlainRequestError(ErrorCode.TOO_MANY_REQUESTS)
        transport = self.transport.getHost()
        address, client = read_address(peer_host(transport)), read_address(peer_host(self.transport.getPeer()))
        # A client from the internet has not asked for a private address, and need not learn it.
        is_hidden = address is None or client is None or (client.is_global and not address.is_global)
        listening = None if is_hidden else Host(str(address), transport.port)

        def is_own(name: str) -> bool:
            return name == str(address) or name in (self.site.hosts or ()) or self.site.has_certificate_for(name)

        return answer_plain_request(request, listening, is_own)

    def can_read(self) -> bool:
        """Whether the transport may be read from after a turn: not while the client does not read its response."""
        return not self._is_stalled

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Give back what the connection holds: the transport is closed."""
        self._release()
        super().connectionLost(reason)

    def loseConnection(self) -> None:
        """Close when everything is sent; abort if that stalls, or if TLS's closing alert is not answered."""
        self._discards_input = True
        self._cancel_deadline()
        self._stall_detector.start()
        super().loseConnection()

    def upgraded(self) -> None:
        """Hand the transport over to a WebSocket."""
        self._websocket_transport = self.transport
        self._discards_input = True
        self._release()

    def pauseProducing(self) -> None:
        """Accept no further request, and watch the transport: the client does not read its responses."""
        self._is_stalled = True
        self._stall_detector.start()
        super().pauseProducing()

    def resumeProducing(self) -> None:
        """Accept requests again: the client has read its responses."""
        self._is_stalled = False
        self._stall_detector.stop()
        super().resumeProducing()

    @property
    def has_request(self) -> bool:
        """Whether a request is unanswered; before the first one, whether the TLS handshake is under way."""
        has_tls: bool = ISSLTransport.providedBy(self.transport)
        if has_tls and not self._is_secure:
            return bool(self.transport.getHandle().get_state_string() != _NO_CLIENT_HELLO)
        return bool(self.requests)

    @property
    def is_silent(self) -> bool:
        """Whether no request and no TLS handshake is under way."""
        return not self.has_request

    def close_for_drain(self) -> None:
        """Close after the response to the request that is under way, or at once where there is none."""
        if self._is_idle:
            self.loseConnection()
        elif self.requests:
            self.persistent = 0

    def abort(self) -> None:
        """Drop the connection at once."""
        self._discards_input = True
        self._cancel_deadline()
        self.transport.abortConnection()

    # Requests

    def checkPersistence(self, request: Request, version: bytes) -> bool:
        """Whether the connection persists after this response; if not, the response says so (RFC 9112 §9.6)."""
        if not self.site.http_connections.is_draining:
            persists: bool = super().checkPersistence(request, version)
            return persists
        request.responseHeaders.setRawHeaders(b"Connection", [b"close"])
        return False

    def lineReceived(self, line: bytes) -> None:
        """Parse a line of the headers; `LineReceiver` passes on no line after the transport was closed."""
        if self._is_stalled:
            # The client sends one more request without reading its responses: each could be for the largest asset.
            self.loseConnection()
        elif line[:1] in (b" ", b"\t"):
            # A folded line (RFC 9112 §5.2), which a proxy on the way may have parsed in another way.
            self.refuse(ErrorCode.BAD_REQUEST)
        else:
            super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        """Refuse a line that is longer than all headers together may be."""
        self.refuse(ErrorCode.HEADERS_TOO_LARGE)

    def _respondToBadRequestAndDisconnect(self) -> None:
        """Refuse what the base class finds malformed, too large (RFC 6585 §5) or too much."""
        is_large = self._receivedHeaderSize > self.totalHeadersSize or self._receivedHeaderCount > self.maxHeaders
        self.refuse(ErrorCode.HEADERS_TOO_LARGE if is_large else ErrorCode.BAD_REQUEST)

    def allHeadersReceived(self) -> None:
        """Check the request by its headers before anything of it is kept or processed."""
        self.charge_request()
        headers = self.requests[-1].requestHeaders
        hops = headers.getRawHeaders(b"x-forwarded-for")
        if not self._admit_request(None if hops is None else b",".join(hops).decode("latin-1")):
            self.refuse(ErrorCode.TOO_MANY_REQUESTS)
        elif not self._has_valid_host(headers):
            self.refuse(ErrorCode.BAD_HOST)
        elif headers.hasHeader(b"transfer-encoding") or headers.getRawHeaders(b"content-length", [b"0"]) != [b"0"]:
            self.refuse(ErrorCode.BODY_REFUSED)
        elif self._command not in self.site.methods:
            self.refuse(ErrorCode.METHOD_NOT_ALLOWED)
        elif not (self._path.startswith(b"/") or (self._path, self._command) == (b"*", b"OPTIONS")):
            # The absolute form (RFC 9112 §3.2.2) is for proxies, and may contradict the Host header.
            self.refuse(ErrorCode.BAD_REQUEST)
        else:
            # Without a body there is nothing to continue with (RFC 9110 §10.1.1).
            headers.removeHeader(b"expect")
            if self._path == b"*":
                # The whole server is meant (RFC 9112 §3.2.4); Twisted's own answer would tell its version.
                self._path = self.site.base.encode("ascii")
            self._cancel_deadline()
            super().allHeadersReceived()

    def allContentReceived(self) -> None:
        """Process the request unless its headers were refused."""
        if not self._discards_input:
            super().allContentReceived()

    def rawDataReceived(self, data: bytes) -> None:
        """Discard what arrives while a request is answered, and the body of a refused request."""
        if self._websocket_transport is not None:
            # RFC 6455 §4.1 forbids frames before the response to the handshake; the WebSocket would miss them.
            self._websocket_transport.abortConnection()
        else:
            # A client that pipelines requests has to repeat them (RFC 9112 §9.3.2). HTTPChannel would buffer them
            # without bound while a response waits for the transport.
            self.persistent = 0
            self._discards_input = True

    def requestDone(self, request: Request) -> None:
        """Wait for the next request, or close."""
        self._is_idle = True
        self._expire_after(IDLE_SECONDS)
        super().requestDone(request)

    def refuse(self, code: ErrorCode) -> None:
        """Answer with problem details and close; nothing that follows is parsed."""
        self.site.metrics.count_error(code)
        allow = [("Allow", ALLOWED)] if code is ErrorCode.METHOD_NOT_ALLOWED else []
        # HTTPChannel has the method from a request's first line to the end of its headers.
        head = getattr(self, "_command", None) == b"HEAD"
        self.transport.write(last_response(code, [*self.site.headers, *allow], head=head))
        self.loseConnection()

    # Details

    def _open_websocket(self, data: bytes) -> bool:
        """Open a WebSocket, or refuse to, if the connection's first read is a plain upgrade; False if it is none.

        The request is parsed once so. All others, and those that arrive in pieces, are `twisted.web`'s and Autobahn's.
        """
        site = self.site
        if not site.websockets or site.http_connections.is_draining:
            return False
        request = read_plain_upgrade(data)
        websockets = None if request is None else site.find_websocket(request.path)
        if request is None or websockets is None:
            return False
        self.charge_request()
        if not self._admit_request(request.headers.get("x-forwarded-for")):
            self.refuse(ErrorCode.TOO_MANY_REQUESTS)
            return True
        protocol = websockets.make_protocol(self.began)
        transport = self.transport
        self.upgraded()
        if isinstance(transport, ProtocolWrapper):
            transport.wrappedProtocol = protocol
        else:
            transport.protocol = protocol
        protocol.makeConnection(transport)
        protocol.accept_upgrade(request)
        return True

    def _has_valid_host(self, headers: Headers) -> bool:
        """Whether the request names one valid host; in HTTP/1.0 none at all means the address that it came to.

        Only HTTP/1.1 requires a Host header (RFC 9112 §3.2). Health checks of HAProxy and Nagios send none.
        Browsers always send one, so that no page gets around `hosts` without it.
        """
        values = headers.getRawHeaders(b"host", [])
        if not values and self._version == b"HTTP/1.0":
            return True
        host = read_host([value.decode("latin-1") for value in values])
        return host is not None and host.is_among(self.site.hosts)

    def _admit_request(self, forwarded_for: str | None) -> bool:
        """Take a request from the rate limit of the client, by the address that trusted proxies name; False refuses."""
        admission = self.site.admission
        client = client_address(peer_host(self.transport.getPeer()), forwarded_for, admission.trusted_proxies)
        return admission.admit_request(client, self.site.reactor.seconds())

    def _release(self) -> None:
        """Give back what the connection holds as an HTTP connection."""
        self.leave_share()
        self._cancel_deadline()
        self._stall_detector.stop()
        self._ticket.release_all()
        self.site.http_connections.discard(self)

    def _abort_stalled_reader(self) -> None:
        """Abort, since the client does not read its response; the limit is counted."""
        self.site.metrics.count_limit_hit("output_seconds")
        self.abort()

    def _expire_after(self, seconds: float) -> None:
        self._cancel_deadline()
        self._deadline = self.site.reactor.callLater(seconds, self._expired)

    def _expired(self) -> None:
        self._deadline = None
        if not self._is_idle:
            self.site.metrics.count_limit_hit("header_seconds")
        self.abort()

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
