"""The page's port below its resources: HTTP/1.1 connections, bounded in number, time and size."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IHandshakeListener, IReactorTime, ISSLTransport
from twisted.internet.protocol import connectionDone
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
from signald.net.origins import read_host
from signald.net.proxies import client_address, peer_host
from signald.server.admission import Admission, AdmissionTicket
from signald.server.draining import Drain
from signald.server.output import StallWatch
from signald.server.problems import last_response

__all__ = ["SignalingChannel", "SignalingSite"]

MOST_HEADERS = 100
"""Of a request, where Twisted would read 500: who sends them costs by the line."""

MOST_IGNORED = 131072
"""Bytes that may still come after a connection's last request; whoever sends more is cut off."""

IDLE_SECONDS = 15.0
"""For which a connection without a request is kept after its last one (RFC 9112 §9.3)."""

_SILENCE = b"before SSL initialization"
"""What OpenSSL says of a handshake of which nothing has come (SSL_state_string_long(3))."""


class SignalingSite(Site):
    """The site: HTTP/1.1 alone, no access log, and no more connections than there may be.

    Attributes:
        headers: on every response.
        metrics: counts the errors, and measures the TLS handshakes.
        methods: that any resource knows.
        fixed_hosts: whether requests by a name that a stranger can have are refused (`Host.is_fixed`).
        http_connections: those that have not become WebSockets.
        draining: whether each response is the last one of its connection because the server is stopping.

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
        methods: tuple[bytes, ...] = (b"GET", b"HEAD"),
        fixed_hosts: bool = False,
    ) -> None:
        """Make a site.

        Arguments:
            root: what is served.
            requests: the class of a request.
            admission: admits connections.
            budget: of WebSockets.
            metrics: counts the errors, and measures the TLS handshakes.
            limits: `header_seconds` and `output_seconds` are the site's.
            clock: for every deadline.
            headers: on every response.
            methods: that any resource knows.
            fixed_hosts: whether requests by a name that a stranger can have are refused.

        """
        super().__init__(root, requests, timeout=None, reactor=clock)
        self.admission = admission
        self.budget = budget
        self.limits = limits
        self.headers = headers
        self.metrics = metrics
        self.methods = methods
        self.fixed_hosts = fixed_hosts
        self.http_connections: set[SignalingChannel] = set()
        self.draining = False
        self._drain: Drain | None = None
        admission.count(self.http_connections)

    def buildProtocol(self, addr: IAddress | None) -> SignalingChannel | None:  # type: ignore[override] # not the generic one
        """Make the channel of a connection; None, which closes it, where it may not be.

        Before TLS is there nothing can be told, and telling it would cost what the refusal is to save. Closed later
        than here, the refused ones of one round of the reactor would use up the descriptors together.
        """
        ticket = AdmissionTicket(self.admission, self.budget)
        if ticket.arrive(peer_host(addr), self.reactor.seconds()) is not None:
            return None
        channel = SignalingChannel(self, ticket)
        channel.factory = self
        return channel

    def drain(self, seconds: float) -> Deferred[None]:
        """Answer what is asked on the connections that there are, and close them; fires when all are gone.

        One on which nothing is asked is soon aborted; what is still there after that many seconds is aborted as well.
        To be called once.
        """
        self.draining = True
        for channel in list(self.http_connections):
            channel.finish()
        self._drain = Drain(self.http_connections, self.reactor, self._abort_silent, self._abort)
        return self._drain.begin(seconds)

    def left(self, channel: SignalingChannel) -> None:
        """A connection is gone, or is a WebSocket now."""
        self.http_connections.discard(channel)
        if self._drain is not None:
            self._drain.look()

    def _abort_silent(self) -> None:
        for channel in list(self.http_connections):
            if not channel.asks:
                channel.abort()

    def _abort(self) -> None:
        for channel in list(self.http_connections):
            channel.abort()

    def acceptableProtocols(self) -> list[bytes]:
        """For ALPN (RFC 7301): HTTP/2 would pass by the header deadline and the rule about bodies."""
        return [b"http/1.1"]

    def startFactory(self) -> None:
        """Open no access log, which would hold addresses, and start no timer for its dates."""

    def stopFactory(self) -> None:
        """Nothing was started."""

    def log(self, request: object) -> None:
        """Write no access log."""


@implementer(IHandshakeListener)
class SignalingChannel(HTTPChannel):
    """One HTTP/1.1 connection, bounded in time and size, that takes requests without bodies.

    Attributes:
        began: when its present request, or its TLS handshake before the first one, began: monotonic seconds.

    """

    transport: Any
    timeOut = None
    maxHeaders = MOST_HEADERS
    _watch: StallWatch

    def __init__(self, site: SignalingSite, ticket: AdmissionTicket) -> None:
        super().__init__()
        self.site = site
        self.requestFactory = site.requestFactory
        self._place = ticket
        self._deadline: IDelayedCall | None = None
        self._heir: Any = None
        self._deaf = False
        self._ignored = 0
        self._full = False
        self._idle = False
        self._is_secure = False

    # The transport

    def connectionMade(self) -> None:
        """Begin the deadline of the first request: it includes TLS's handshake, and no byte extends it."""
        site = self.site
        self.began = site.reactor.seconds()
        self._watch = StallWatch(self.transport, site.reactor, site.limits.output_seconds, self._unread)
        site.http_connections.add(self)
        super().connectionMade()
        self._expire_after(site.limits.header_seconds)

    def handshakeCompleted(self) -> None:  # Twisted's name
        """TLS is there."""
        self._is_secure = True
        self.site.metrics.tls_handshake.observe(self.site.reactor.seconds() - self.began)

    def dataReceived(self, data: bytes) -> None:
        """Take bytes; the first of a further request begin its deadline."""
        if self._deaf:
            # To read no more would be cheaper, but a client that is gone would not be noticed either.
            self._ignored += len(data)
            if self._ignored > MOST_IGNORED:
                self.abort()
            return
        if self._idle:
            self._idle = False
            self.began = self.site.reactor.seconds()
            self._expire_after(self.site.limits.header_seconds)
        super().dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The transport is gone."""
        self._release()
        super().connectionLost(reason)

    def loseConnection(self) -> None:
        """Close when everything is sent; abort when it does not get sent, or TLS's closing alert is not answered."""
        self._deaf = True
        self._cancel_deadline()
        self._watch.start()
        super().loseConnection()

    def upgraded(self) -> None:
        """A WebSocket takes over the transport."""
        self._heir = self.transport
        self._deaf = True
        self._release()

    def pauseProducing(self) -> None:
        """The client does not take its responses."""
        self._full = True
        self._watch.start()
        super().pauseProducing()

    def resumeProducing(self) -> None:
        """It has taken them."""
        self._full = False
        self._watch.stop()
        super().resumeProducing()

    @property
    def asks(self) -> bool:
        """Whether something was heard that is not answered yet; of TLS, that its handshake is under way."""
        has_tls: bool = ISSLTransport.providedBy(self.transport)
        if has_tls and not self._is_secure:
            return bool(self.transport.getHandle().get_state_string() != _SILENCE)
        return bool(self.requests)

    def finish(self) -> None:
        """The server is stopping: close after the response to what is asked, or now where nothing is."""
        if self._idle:
            self.loseConnection()
        elif self.requests:
            self.persistent = 0

    def abort(self) -> None:
        """Close at once."""
        self._deaf = True
        self._cancel_deadline()
        self.transport.abortConnection()

    # Requests

    def checkPersistence(self, request: Request, version: bytes) -> bool:
        """Whether the connection goes on after this response; the client is told if not (RFC 9112 §9.6)."""
        if not self.site.draining:
            persists: bool = super().checkPersistence(request, version)
            return persists
        request.responseHeaders.setRawHeaders(b"Connection", [b"close"])
        return False

    def lineReceived(self, line: bytes) -> None:
        """Take a line of the headers; `LineReceiver` calls for none after the transport was closed."""
        if self._full:
            # One more request in spite of a response that is not taken: each could ask for the largest asset.
            self.loseConnection()
        elif line[:1] in (b" ", b"\t"):
            # A folded line (RFC 9112 §5.2), which others on the way may have read otherwise.
            self.refuse(ErrorCode.BAD_REQUEST)
        else:
            super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        """Refuse a line that is longer than all headers may be."""
        self.refuse(ErrorCode.BAD_REQUEST)

    def _respondToBadRequestAndDisconnect(self) -> None:
        """Answer what the base class finds malformed."""
        self.refuse(ErrorCode.BAD_REQUEST)

    def allHeadersReceived(self) -> None:
        """Check what the headers say of the request before anything of it is kept or continued."""
        headers = self.requests[-1].requestHeaders
        host = read_host([value.decode("latin-1") for value in headers.getRawHeaders(b"host", [])])
        if not self._may_request(headers):
            self.refuse(ErrorCode.TOO_MANY_REQUESTS)
        elif host is None or (self.site.fixed_hosts and not host.is_fixed):
            self.refuse(ErrorCode.BAD_HOST)
        elif headers.hasHeader(b"transfer-encoding") or headers.getRawHeaders(b"content-length", [b"0"]) != [b"0"]:
            self.refuse(ErrorCode.BODY_REFUSED)
        elif self._command not in self.site.methods:
            self.refuse(ErrorCode.METHOD_NOT_ALLOWED)
        elif not self._path.startswith(b"/"):
            # The absolute form (RFC 9112 §3.2.2) is for proxies, and names a host that may not be Host's.
            self.refuse(ErrorCode.BAD_REQUEST)
        else:
            # Without a body there is nothing to continue with (RFC 9110 §10.1.1).
            headers.removeHeader(b"expect")
            self._cancel_deadline()
            super().allHeadersReceived()

    def allContentReceived(self) -> None:
        """Process the request unless its headers were refused."""
        if not self._deaf:
            super().allContentReceived()

    def rawDataReceived(self, data: bytes) -> None:
        """Take nothing while a request is answered, nor of a refused one's body."""
        if self._heir is not None:
            # Frames before the answer to the handshake, which RFC 6455 §4.1 forbids; the WebSocket would miss them.
            self._heir.abortConnection()
        else:
            # A client that sends requests ahead is to ask again (RFC 9112 §9.3.2). HTTPChannel would keep them, and
            # while a response waits for the transport without bound.
            self.persistent = 0
            self._deaf = True

    def requestDone(self, request: Request) -> None:
        """Wait for the next request, or close."""
        self._idle = True
        self._expire_after(IDLE_SECONDS)
        super().requestDone(request)

    def refuse(self, code: ErrorCode) -> None:
        """Answer with problem details and close; nothing that follows is looked at."""
        self.site.metrics.count_error(code)
        allow = [("Allow", "GET, HEAD")] if code is ErrorCode.METHOD_NOT_ALLOWED else []
        # HTTPChannel has the method from a request's first line to the end of its headers.
        head = getattr(self, "_command", None) == b"HEAD"
        self.transport.write(last_response(code, [*self.site.headers, *allow], head=head))
        self.loseConnection()

    # Details

    def _may_request(self, headers: Headers) -> bool:
        """Whether the client, by the address that the proxies tell, may ask once more; if so, that is counted."""
        admission = self.site.admission
        hops = headers.getRawHeaders(b"x-forwarded-for")
        forwarded_for = None if hops is None else b",".join(hops).decode("latin-1")
        client = client_address(peer_host(self.transport.getPeer()), forwarded_for, admission.trusted_proxies)
        return admission.may_request(client, self.site.reactor.seconds())

    def _release(self) -> None:
        """The connection is HTTP's no more."""
        self._cancel_deadline()
        self._watch.stop()
        self._place.leave()
        self.site.left(self)

    def _unread(self) -> None:
        """The client does not take what it asked for."""
        self.site.metrics.count_limit_hit("output_seconds")
        self.abort()

    def _expire_after(self, seconds: float) -> None:
        self._cancel_deadline()
        self._deadline = self.site.reactor.callLater(seconds, self._expired)

    def _expired(self) -> None:
        self._deadline = None
        if not self._idle:
            self.site.metrics.count_limit_hit("header_seconds")
        self.abort()

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
