"""The site of the page's port: its requests and its tree of resources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from ssl import DER_cert_to_PEM_cert

from autobahn.twisted.resource import WebSocketResource
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from signald.core.errors import ErrorCode
from signald.core.limits import Limits
from signald.net.origins import Origin
from signald.page.assets import REVALIDATED, Asset
from signald.page.encodings import IDENTITY
from signald.server.factory import SignalingFactory
from signald.server.problems import CONTENT_TYPE, SERVER, problem
from signald.server.site import ALLOWED, SignalingChannel, SignalingSite
from signald.server.upgrade_request import SOCKET

__all__ = ["Folder", "SignalingRequest", "SignalingResource", "headers_of", "make_site"]

SLICE_BYTES = 32768
"""Bytes of a body that are written to the transport at a time."""

_POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; frame-ancestors {}; base-uri 'none'; form-action 'none'; object-src 'none'"
)
"""Content-Security-Policy, but for the pages that may show this one in a frame. `connect-src 'self'` covers wss: to the
same host and port (CSP Level 3 §6.7.2.8)."""

_PERMISSIONS = {
    **dict.fromkeys(("camera", "microphone", "display-capture", "autoplay", "fullscreen"), "(self)"),
    **dict.fromkeys(("clipboard-write", "picture-in-picture", "screen-wake-lock"), "(self)"),
    **dict.fromkeys(("accelerometer", "geolocation", "gyroscope", "magnetometer", "midi", "payment", "usb"), "()"),
}
"""Permissions-Policy: what a call needs is allowed for the page's own origin alone, and the rest is off.

It is the same in a frame, where the page around it delegates in addition, by the frame's attribute `allow` (Permissions
Policy §4.3).
"""

_HEADERS = (
    ("Permissions-Policy", ", ".join(f"{feature}={who}" for feature, who in _PERMISSIONS.items())),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
"""The headers of every response, but for the Content-Security-Policy."""

_FRAMED = (("Cross-Origin-Embedder-Policy", "require-corp"), ("Cross-Origin-Resource-Policy", "cross-origin"))
"""The headers of the page's document where other pages may show it in a frame.

Without both, a page that has an embedder policy itself could not (HTML, "check a navigation response's adherence to its
embedder policy"). All files of the page are of its own origin, so that the policy forbids it nothing.
"""

_FOR_ALL_ORIGINS = (("Access-Control-Allow-Origin", "*"), ("Cross-Origin-Resource-Policy", "cross-origin"))
"""The headers of what pages of every origin may load: modules are fetched with CORS (HTML, "fetch a single module")."""

_HSTS = ("Strict-Transport-Security", "max-age=31536000")
"""RFC 6797 §6.1. Sent only under a supplied certificate, since it forbids the user to proceed past a warning."""

_log = Logger()


def make_site(
    assets: Mapping[str, Asset],
    signaling: SignalingFactory,
    limits: Limits,
    clock: IReactorTime,
    ca_der: bytes | None,
    hsts: bool,
    base: str = "/",
    embed_origins: Iterable[Origin] = (),
) -> SignalingSite:
    """Make the site that listens on the page's port.

    Arguments:
        assets: the files of the page by path, below the path of the page.
        signaling: makes the WebSockets on `ws`, below the path of the page.
        limits: the bounds; the site uses `header_seconds` and `output_seconds`.
        clock: measures every deadline.
        ca_der: the certificate of the local authority, for people to install; None where there is none.
        hsts: whether browsers are told to use HTTPS alone from now on.
        base: the path of the page, which ends with a slash; nothing is served outside.
        embed_origins: the origins whose pages may show the page in a frame.

    """
    page = _PageFolder()
    ancestors = " ".join(origin.serialized for origin in embed_origins)
    folders: dict[str, Resource] = {"": page}
    for path, asset in assets.items():
        folder, _, name = path.removeprefix("/").rpartition("/")
        if folder not in folders:
            folders[folder] = Folder()
            page.putChild(folder.encode(), folders[folder])
        extra = _FRAMED if ancestors and path == "/" else ()
        folders[folder].putChild(name.encode(), _AssetResource(asset, extra))
    page.putChild(SOCKET.encode(), SignalingResource(signaling))
    if ca_der is not None:
        # Devices offer to install DER; programs such as curl, Node.js and Python read PEM.
        page.putChild(b"ca.crt", _CertificateResource(ca_der, "application/x-x509-ca-cert"))
        pem = DER_cert_to_PEM_cert(ca_der).encode("ascii")
        page.putChild(b"ca.pem", _CertificateResource(pem, "application/pem-certificate-chain"))
    policy = ("Content-Security-Policy", _POLICY.format(ancestors or "'none'"))
    headers = (policy, *_HEADERS, _HSTS) if hsts else (policy, *_HEADERS)
    port = signaling.signaling_port
    return SignalingSite(
        _below(base, page),
        SignalingRequest,
        port.admission,
        port.budget,
        port.metrics,
        limits,
        clock,
        headers,
        websockets={base + SOCKET: signaling},
        rounds=port.rounds,
        base=base,
    )


def _below(base: str, page: Resource) -> Resource:
    """Put the page's resource below empty folders, so that it has the path `base`, and return the root."""
    for name in reversed(base.split("/")[1:-1]):
        parent = Folder()
        parent.putChild(name.encode(), page)
        page = parent
    return page


class SignalingRequest(Request):
    """A request whose response has the site's headers, and whose errors are answered with problem details.

    Attributes:
        asks_options: whether the method is OPTIONS (RFC 9110 §9.3.7). It is rendered as HEAD, so that its status says
            whether the resource is there and well, and nothing is done: health checks of HAProxy send it by default.

    """

    site: SignalingSite
    channel: SignalingChannel
    defaultContentType = None
    asks_options = False

    def render(self, resrc: IResource) -> None:
        """Answer with the resource's response."""
        self._set_headers()
        if self.method == b"OPTIONS":
            self.asks_options = True
            self.method = b"HEAD"
        super().render(resrc)

    def send_error(self, code: ErrorCode) -> bytes | int:
        """Make the response an error's; returns what a resource's `render` is to return."""
        self.site.metrics.count_error(code)
        return self.send_problem(HTTPStatus(code.http_status or 500), problem(code))

    def send_problem(self, status: HTTPStatus, body: bytes) -> bytes | int:
        """Make the response problem details (`signald.server.problems`); returns what `render` is to return."""
        self.setResponseCode(status.value, status.phrase.encode())
        self.setHeader("Content-Type", CONTENT_TYPE)
        self.setHeader("Cache-Control", "no-store")
        return self.send(body)

    def has(self, etag: str) -> bool:
        """Whether the client has the representation with that ETag already (RFC 9110 §13.1.2).

        It is not asked for OPTIONS, which selects no representation (§13.2.1).
        `setETag` would match neither a weak ETag, which proxies make of a strong one, nor one before a comma.
        """
        values = b",".join(self.requestHeaders.getRawHeaders(b"if-none-match", [])).decode("latin-1").split(",")
        tags = {value.strip(" \t").removeprefix("W/") for value in values}
        return not (self.asks_options or tags.isdisjoint({etag, "*"}))

    def accepted_encodings(self) -> str | None:
        """The Accept-Encoding header, joined where there are several (RFC 9110 §5.3); None where there is none."""
        values = self.requestHeaders.getRawHeaders(b"accept-encoding")
        return None if values is None else b",".join(values).decode("latin-1")

    def send(self, body: bytes) -> bytes | int:
        """Send a body, for HEAD its length alone (RFC 9110 §9.3.2); returns what `render` is to return.

        For OPTIONS the status is sent, with the methods if the resource can be read, and no body.
        """
        if self.asks_options:
            return self._send_options()
        self.setHeader("Content-Length", str(len(body)))
        if self.method == b"HEAD":
            return b""
        if len(body) <= SLICE_BYTES:
            return body
        _Slices(self, body).resumeProducing()
        return NOT_DONE_YET

    def _send_options(self) -> bytes:
        if self.code < HTTPStatus.BAD_REQUEST:
            self.setResponseCode(HTTPStatus.NO_CONTENT.value)
            self.setHeader("Allow", ALLOWED)
        else:
            self.setHeader("Content-Length", "0")
        return b""

    def processingFailed(self, reason: Failure) -> Failure:
        """Log an exception of ours, and answer with `internal-error` and no details."""
        _log.failure("a request could not be answered", failure=reason, event="request-failed")
        self._set_headers()
        body = self.send_error(ErrorCode.INTERNAL_ERROR)
        if isinstance(body, bytes):
            self.write(body)
            self.finish()
        return reason

    def _set_headers(self) -> None:
        self.setHeader("Server", SERVER)
        for name, value in self.channel.site.headers:
            self.setHeader(name, value)


@implementer(IPushProducer)
class _Slices:
    """Writes a body in pieces as the transport takes them, so that a slow reader costs no copy of the whole."""

    def __init__(self, request: SignalingRequest, body: bytes) -> None:
        self._request = request
        self._body = memoryview(body)
        self._paused = False
        request.registerProducer(self, True)

    def resumeProducing(self) -> None:
        """Write pieces until the transport pauses this producer or the body is complete."""
        self._paused = False
        while self._body and not self._paused:
            piece, self._body = self._body[:SLICE_BYTES], self._body[SLICE_BYTES:]
            self._request.write(bytes(piece))
        if not self._body:
            self._request.unregisterProducer()
            self._request.finish()

    def pauseProducing(self) -> None:
        """Pause: the transport's buffer is full."""
        self._paused = True

    def stopProducing(self) -> None:
        """Stop: the transport is closed."""
        self._paused = True


class Folder(Resource):
    """A folder, which has children and no content; the empty name below the root is the page."""

    def getChild(self, path: bytes, request: Request) -> Resource:
        """Answer every name without a child as a folder without children, with 404."""
        return Folder()

    def render_GET(self, request: SignalingRequest) -> bytes | int:
        """Answer 404, since folders are not listed."""
        return request.send_error(ErrorCode.NOT_FOUND)


class _PageFolder(Folder):
    """The folder of the page, whose files are relative to it: without the slash at its end they would not be found."""

    def render_GET(self, request: SignalingRequest) -> bytes | int:
        """Redirect to the path with the slash (RFC 9110 §15.4.9); browsers keep the fragment, with the invitation.

        The Location is relative, since a proxy may serve the folder below another path.
        """
        path, separator, query = request.uri.partition(b"?")
        request.setResponseCode(HTTPStatus.PERMANENT_REDIRECT.value)
        request.setHeader("Location", b"./" + path.rpartition(b"/")[2] + b"/" + separator + query)
        request.setHeader("Cache-Control", REVALIDATED)
        return request.send(b"")


class _AssetResource(Resource):
    """One file of the page."""

    isLeaf = True

    def __init__(self, asset: Asset, headers: tuple[tuple[str, str], ...]) -> None:
        super().__init__()
        self._asset = asset
        self._headers = (*_FOR_ALL_ORIGINS, *headers) if asset.for_all_origins else headers

    def render_GET(self, request: SignalingRequest) -> bytes | int:
        """Send the asset in the best content coding, or 304 where the client has it already."""
        if request.postpath:
            return request.send_error(ErrorCode.NOT_FOUND)
        coding, representation = self._asset.choose(request.accepted_encodings())
        request.setHeader("Vary", "Accept-Encoding")
        request.setHeader("Cache-Control", self._asset.cache_control)
        request.setHeader("ETag", representation.etag)
        for name, value in self._headers:
            request.setHeader(name, value)
        if request.has(representation.etag):
            request.setResponseCode(HTTPStatus.NOT_MODIFIED.value)
            return b""
        request.setHeader("Content-Type", self._asset.content_type)
        if coding != IDENTITY:
            request.setHeader("Content-Encoding", coding)
        return request.send(representation.body)


class _CertificateResource(Resource):
    """The certificate of the local authority in one format."""

    isLeaf = True

    def __init__(self, body: bytes, content_type: str) -> None:
        super().__init__()
        self._body = body
        self._content_type = content_type

    def render_GET(self, request: SignalingRequest) -> bytes | int:
        """Send it."""
        if request.postpath:
            return request.send_error(ErrorCode.NOT_FOUND)
        request.setHeader("Content-Type", self._content_type)
        request.setHeader("Cache-Control", "no-cache")
        return request.send(self._body)


class SignalingResource(WebSocketResource):
    """The signaling socket, which turns a request that is no plain upgrade (`SignalingChannel`) into a WebSocket."""

    def __init__(self, signaling: SignalingFactory) -> None:
        super().__init__(signaling)
        self._signaling = signaling

    def render(self, request: SignalingRequest) -> bytes | int:
        """Hand the transport over to Autobahn; a request that is no upgrade is answered with 426."""
        if request.postpath:
            return request.send_error(ErrorCode.NOT_FOUND)
        upgrades = request.method == b"GET" and request.clientproto == b"HTTP/1.1"
        if not upgrades or not request.requestHeaders.hasHeader(b"upgrade"):
            request.setHeader("Upgrade", "websocket")
            port = self._signaling.signaling_port
            for name, value in port.reflection_headers(headers_of(request), request.transport).items():
                request.setHeader(name, value)
            return request.send_error(ErrorCode.UPGRADE_REQUIRED)
        channel = request.channel
        if channel.site.http_connections.is_draining:
            # Refused here, since the drain waits for this response: the server may end with the last channel.
            return request.send_error(ErrorCode.GOING_AWAY)
        # Before the hand-over, since one connection must not count twice.
        channel.upgraded()
        self._signaling.request_began = channel.began
        try:
            answer: bytes | int = super().render(request)
        finally:
            self._signaling.request_began = None
        return answer


def headers_of(request: SignalingRequest) -> dict[str, str]:
    """Return a request's headers by lower-case name, joined where there are several of a name (RFC 9110 §5.3)."""
    found = request.requestHeaders.getAllRawHeaders()
    return {name.decode("latin-1").lower(): b", ".join(values).decode("latin-1") for name, values in found}
