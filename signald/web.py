"""What the page's port serves: the site, its bounded HTTP channel, and the tree of resources."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from autobahn.twisted.resource import WebSocketResource
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from signald.assets import Asset
from signald.encodings import IDENTITY
from signald.errors import ErrorCode
from signald.limits import Limits
from signald.origins import read_host
from signald.problems import CONTENT_TYPE, SERVER, last_response, problem
from signald.websocket import SignalingFactory

__all__ = ["make_site"]

IDLE_SECONDS = 15.0
"""For which a connection without a request is kept after its last one (RFC 9112 §9.3)."""

LINGER_SECONDS = 5.0
"""For the last response to be taken before the connection is aborted."""

SLICE_BYTES = 32768
"""Of a body handed to the transport at a time, so that a slow reader holds no copy of the whole."""

_POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; object-src 'none'"
)
"""Content-Security-Policy. `connect-src 'self'` covers wss: to the same host and port (CSP Level 3 §6.7.2.8)."""

_PERMISSIONS = {
    **dict.fromkeys(("camera", "microphone", "display-capture", "autoplay", "fullscreen"), "(self)"),
    **dict.fromkeys(("clipboard-write", "picture-in-picture", "screen-wake-lock"), "(self)"),
    **dict.fromkeys(("accelerometer", "geolocation", "gyroscope", "magnetometer", "midi", "payment", "usb"), "()"),
}
"""Permissions-Policy: what a call needs, for the page's own origin alone; the rest off."""

_HEADERS = (
    ("Content-Security-Policy", _POLICY),
    ("Permissions-Policy", ", ".join(f"{feature}={who}" for feature, who in _PERMISSIONS.items())),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
"""On every response."""

_HSTS = ("Strict-Transport-Security", "max-age=31536000")
"""RFC 6797 §6.1: only under a public certificate, since it forbids to go on past a warning."""

_log = Logger()


def make_site(
    assets: Mapping[str, Asset],
    signaling: SignalingFactory,
    limits: Limits,
    clock: IReactorTime,
    ca_der: bytes | None,
    hsts: bool,
) -> SignalingSite:
    """Make the site that listens on the page's port.

    Arguments:
        assets: the page, by path.
        signaling: the factory of what speaks on `/ws`.
        limits: `header_seconds`, `connections` and `output_seconds` are the site's.
        clock: for every deadline.
        ca_der: the certificate of the local authority, for people to install; None where there is none.
        hsts: whether browsers are told to use HTTPS alone from now on.

    """
    root = _Folder()
    folder = _Folder()
    for path, asset in assets.items():
        *folders, name = path.removeprefix("/").split("/")
        (folder if folders else root).putChild(name.encode(), _AssetResource(asset))
    root.putChild(b"assets", folder)
    root.putChild(b"ws", _SignalingResource(signaling))
    if ca_der is not None:
        root.putChild(b"ca.crt", _CertificateResource(ca_der))
    return SignalingSite(root, signaling, limits, clock, (*_HEADERS, _HSTS) if hsts else _HEADERS)


class SignalingSite(Site):
    """The site: HTTP/1.1 alone, no access log, and no more connections than there may be.

    Attributes:
        headers: on every response.
        http_connections: those that have not become WebSockets.

    """

    noisy = False
    displayTracebacks = False

    def __init__(
        self,
        root: IResource,
        signaling: SignalingFactory,
        limits: Limits,
        clock: IReactorTime,
        headers: tuple[tuple[str, str], ...],
    ) -> None:
        super().__init__(root, SignalingRequest, timeout=None, reactor=clock)
        self.signaling = signaling
        self.limits = limits
        self.headers = headers
        self.http_connections: set[SignalingChannel] = set()

    def buildProtocol(self, addr: IAddress | None) -> SignalingChannel:  # type: ignore[override] # not the generic one
        """Make the channel of a connection."""
        channel = SignalingChannel(self)
        channel.factory = self
        return channel

    def is_full(self) -> bool:
        """Whether there are as many connections as there may be."""
        return len(self.http_connections) + len(self.signaling.connections) >= self.limits.connections

    def acceptableProtocols(self) -> list[bytes]:
        """For ALPN (RFC 7301): HTTP/2 would pass by the header deadline and the rule about bodies."""
        return [b"http/1.1"]

    def startFactory(self) -> None:
        """Open no access log, which would hold addresses, and start no timer for its dates."""

    def stopFactory(self) -> None:
        """Nothing was started."""

    def log(self, request: object) -> None:
        """Write no access log."""


class SignalingChannel(HTTPChannel):
    """One HTTP/1.1 connection, bounded in time and size, that takes GET and HEAD without bodies."""

    transport: Any

    def __init__(self, site: SignalingSite) -> None:
        super().__init__()
        self.site = site
        self.requestFactory = site.requestFactory
        self.timeOut = None
        self._deadline: IDelayedCall | None = None
        self._refused = False
        self._idle = False

    def connectionMade(self) -> None:
        """Begin the deadline of the first request: it includes TLS's handshake, and no byte extends it."""
        # Not in buildProtocol, whose None TLS's wrapper would take for a protocol.
        if self.site.is_full():
            self._refused = True
            self.transport.abortConnection()
            return
        self.site.http_connections.add(self)
        super().connectionMade()
        self._expire_after(self.site.limits.header_seconds)

    def dataReceived(self, data: bytes) -> None:
        """Take bytes; the first of a further request begin its deadline."""
        if self._refused:
            return
        if self._idle:
            self._idle = False
            self._expire_after(self.site.limits.header_seconds)
        super().dataReceived(data)

    def lineReceived(self, line: bytes) -> None:
        """Take a line of the headers; a folded one is no line of its own (RFC 9112 §5.2)."""
        if self._refused:
            return
        if line[:1] in (b" ", b"\t"):
            self.refuse(ErrorCode.BAD_REQUEST)
            return
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
        code = None
        if len(read := headers.getRawHeaders("host", [])) != 1 or read_host(read) is None:
            code = ErrorCode.BAD_HOST
        elif headers.hasHeader("transfer-encoding") or headers.getRawHeaders("content-length", ["0"]) != ["0"]:
            code = ErrorCode.BODY_REFUSED
        elif self._command not in (b"GET", b"HEAD"):
            code = ErrorCode.METHOD_NOT_ALLOWED
        if code is not None:
            self.refuse(code)
            return
        self._cancel_deadline()
        super().allHeadersReceived()

    def allContentReceived(self) -> None:
        """Process the request unless its headers were refused."""
        if not self._refused:
            super().allContentReceived()

    def rawDataReceived(self, data: bytes) -> None:
        """Keep what follows a request that is being answered; take nothing of a body."""
        if not self._refused:
            super().rawDataReceived(data)

    def requestDone(self, request: Request) -> None:
        """Wait for the next request, or close."""
        self._idle = True
        self._expire_after(IDLE_SECONDS)
        super().requestDone(request)

    def refuse(self, code: ErrorCode) -> None:
        """Answer with problem details and close; nothing that follows is looked at."""
        if self._refused or self.transport is None:
            return
        self._refused = True
        allow = [("Allow", "GET, HEAD")] if code is ErrorCode.METHOD_NOT_ALLOWED else []
        self.transport.write(last_response(code, [*self.site.headers, *allow]))
        self.loseConnection()

    def loseConnection(self) -> None:
        """Close when everything is sent; abort when that takes too long."""
        self._expire_after(LINGER_SECONDS)
        super().loseConnection()

    def upgraded(self) -> None:
        """A WebSocket has taken over the transport."""
        self._cancel_deadline()
        self.site.http_connections.discard(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The transport is gone."""
        self._cancel_deadline()
        self.site.http_connections.discard(self)
        super().connectionLost(reason)

    def _expire_after(self, seconds: float) -> None:
        self._cancel_deadline()
        self._deadline = self.site.reactor.callLater(seconds, self._expired)

    def _expired(self) -> None:
        self._deadline = None
        self.transport.abortConnection()

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class SignalingRequest(Request):
    """A request whose response has the site's headers, and whose failures are told as problems."""

    site: SignalingSite
    channel: SignalingChannel
    defaultContentType = None

    def render(self, resrc: IResource) -> None:
        """Answer with what the resource says."""
        self._set_headers()
        super().render(resrc)

    def refuse(self, code: ErrorCode) -> bytes:
        """Make the response tell an error; its body."""
        body = problem(code)
        status = HTTPStatus(code.http_status or 500)
        self.setResponseCode(status.value, status.phrase.encode())
        self.setHeader("Content-Type", CONTENT_TYPE)
        self.setHeader("Cache-Control", "no-store")
        return self.whole(body)

    def whole(self, body: bytes) -> bytes:
        """The body to send, which for HEAD is told by its length alone (RFC 9110 §9.3.2)."""
        if self.method != b"HEAD":
            return body
        self.setHeader("Content-Length", str(len(body)))
        return b""

    def processingFailed(self, reason: Failure) -> Failure:
        """Something of ours raised: log it, and tell no more than that."""
        _log.failure("A request could not be answered.", failure=reason)
        self._set_headers()
        body = problem(ErrorCode.INTERNAL_ERROR)
        self.refuse(ErrorCode.INTERNAL_ERROR)
        self.setHeader("Content-Length", str(len(body)))
        self.write(b"" if self.method == b"HEAD" else body)
        self.finish()
        return reason

    def _set_headers(self) -> None:
        self.setHeader("Server", SERVER)
        for name, value in self.channel.site.headers:
            self.setHeader(name, value)


class _Folder(Resource):
    """What has children and is nothing itself; the empty name below the root is the page."""

    def getChild(self, path: bytes, request: Request) -> Resource:
        """There is nothing but what was put here."""
        return _Missing()

    def render_GET(self, request: SignalingRequest) -> bytes:
        """There is nothing to list."""
        return request.refuse(ErrorCode.NOT_FOUND)


class _Missing(Resource):
    """What is not there."""

    isLeaf = True

    def render_GET(self, request: SignalingRequest) -> bytes:
        """Say so."""
        return request.refuse(ErrorCode.NOT_FOUND)


class _AssetResource(Resource):
    """One asset."""

    isLeaf = True

    def __init__(self, asset: Asset) -> None:
        super().__init__()
        self._asset = asset

    def render_GET(self, request: SignalingRequest) -> bytes | int:
        """Send the asset in the best content coding, or say that the client has it already."""
        if request.postpath:
            return request.refuse(ErrorCode.NOT_FOUND)
        coding, representation = self._asset.choose(request.getHeader("accept-encoding"))
        request.setHeader("Vary", "Accept-Encoding")
        request.setHeader("Cache-Control", self._asset.cache_control)
        if request.setETag(representation.etag.encode()):
            return b""
        request.setHeader("Content-Type", self._asset.content_type)
        if coding != IDENTITY:
            request.setHeader("Content-Encoding", coding)
        return request.whole(representation.body)


class _CertificateResource(Resource):
    """The local authority's certificate."""

    isLeaf = True

    def __init__(self, der: bytes) -> None:
        super().__init__()
        self._der = der

    def render_GET(self, request: SignalingRequest) -> bytes:
        """Send it under the type that makes devices offer to install it."""
        if request.postpath:
            return request.refuse(ErrorCode.NOT_FOUND)
        request.setHeader("Content-Type", "application/x-x509-ca-cert")
        request.setHeader("Cache-Control", "no-cache")
        return request.whole(self._der)


class _SignalingResource(WebSocketResource):
    """The signaling socket."""

    def render(self, request: SignalingRequest) -> bytes | int:
        """Hand the transport over to Autobahn; a request that is no upgrade is told that it should be."""
        if request.postpath:
            return request.refuse(ErrorCode.NOT_FOUND)
        if not request.requestHeaders.hasHeader("upgrade"):
            request.setHeader("Upgrade", "websocket")
            return request.refuse(ErrorCode.UPGRADE_REQUIRED)
        channel = request.channel
        answer: bytes | int = super().render(request)
        if answer == NOT_DONE_YET:
            channel.upgraded()
        return answer
