"""What the page's port serves: requests and the tree of resources."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from autobahn.twisted.resource import WebSocketResource
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from signald.core.errors import ErrorCode
from signald.core.limits import Limits
from signald.page.assets import Asset
from signald.page.encodings import IDENTITY
from signald.server.factory import SignalingFactory
from signald.server.problems import CONTENT_TYPE, SERVER, problem
from signald.server.site import SignalingChannel, SignalingSite

__all__ = ["make_site"]

SLICE_BYTES = 32768
"""Of a body handed to the transport at a time."""

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
        limits: `header_seconds` and `output_seconds` are the site's.
        clock: for every deadline.
        ca_der: the certificate of the local authority, for people to install; None where there is none.
        hsts: whether browsers are told to use HTTPS alone from now on.

    """
    root = _Folder()
    folders: dict[str, Resource] = {"": root}
    for path, asset in assets.items():
        folder, _, name = path.removeprefix("/").rpartition("/")
        if folder not in folders:
            folders[folder] = _Folder()
            root.putChild(folder.encode(), folders[folder])
        folders[folder].putChild(name.encode(), _AssetResource(asset))
    root.putChild(b"ws", _SignalingResource(signaling))
    if ca_der is not None:
        root.putChild(b"ca.crt", _CertificateResource(ca_der))
    headers = (*_HEADERS, _HSTS) if hsts else _HEADERS
    admission, budget, metrics = signaling.admission, signaling.budget, signaling.metrics
    return SignalingSite(root, SignalingRequest, admission, budget, metrics, limits, clock, headers)


class SignalingRequest(Request):
    """A request whose response has the site's headers, and whose failures are told as problems."""

    site: SignalingSite
    channel: SignalingChannel
    defaultContentType = None

    def render(self, resrc: IResource) -> None:
        """Answer with what the resource says."""
        self._set_headers()
        super().render(resrc)

    def refuse(self, code: ErrorCode) -> bytes | int:
        """Make the response tell an error; its body."""
        self.site.metrics.count_error(code)
        return self.tell(HTTPStatus(code.http_status or 500), problem(code))

    def tell(self, status: HTTPStatus, body: bytes) -> bytes | int:
        """Make the response tell a problem (`signald.problems`); its body."""
        self.setResponseCode(status.value, status.phrase.encode())
        self.setHeader("Content-Type", CONTENT_TYPE)
        self.setHeader("Cache-Control", "no-store")
        return self.send(body)

    def has(self, etag: str) -> bool:
        """Whether the client has the representation with that ETag already (RFC 9110 §13.1.2).

        Not `setETag`, which takes neither a weak one, as a proxy makes of it, nor one that a comma follows.
        """
        values = b",".join(self.requestHeaders.getRawHeaders(b"if-none-match", [])).decode("latin-1").split(",")
        tags = {value.strip(" \t").removeprefix("W/") for value in values}
        return not tags.isdisjoint({etag, "*"})

    def accepted_encodings(self) -> str | None:
        """The Accept-Encoding header; several are one list (RFC 9110 §5.3)."""
        values = self.requestHeaders.getRawHeaders(b"accept-encoding")
        return None if values is None else b",".join(values).decode("latin-1")

    def send(self, body: bytes) -> bytes | int:
        """Send that body, of which HEAD is told the length alone (RFC 9110 §9.3.2); what a resource is to return."""
        self.setHeader("Content-Length", str(len(body)))
        if self.method == b"HEAD":
            return b""
        if len(body) <= SLICE_BYTES:
            return body
        _Slices(self, body).resumeProducing()
        return NOT_DONE_YET

    def processingFailed(self, reason: Failure) -> Failure:
        """Something of ours raised: log it, and tell no more than that."""
        _log.failure("a request could not be answered", failure=reason, event="request-failed")
        self._set_headers()
        body = self.refuse(ErrorCode.INTERNAL_ERROR)
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
    """Hands a body to the transport as it takes it, so that a slow reader holds no copy of the whole."""

    def __init__(self, request: SignalingRequest, body: bytes) -> None:
        self._request = request
        self._body = memoryview(body)
        self._paused = False
        request.registerProducer(self, True)

    def resumeProducing(self) -> None:
        """Go on."""
        self._paused = False
        while self._body and not self._paused:
            piece, self._body = self._body[:SLICE_BYTES], self._body[SLICE_BYTES:]
            self._request.write(bytes(piece))
        if not self._body:
            self._request.unregisterProducer()
            self._request.finish()

    def pauseProducing(self) -> None:
        """The transport is full."""
        self._paused = True

    def stopProducing(self) -> None:
        """The transport is gone."""
        self._paused = True


class _Folder(Resource):
    """What has children and is nothing itself; the empty name below the root is the page."""

    def getChild(self, path: bytes, request: Request) -> Resource:
        """There is nothing but what was put here."""
        return _Missing()

    def render_GET(self, request: SignalingRequest) -> bytes | int:
        """There is nothing to list."""
        return request.refuse(ErrorCode.NOT_FOUND)


class _Missing(Resource):
    """What is not there."""

    isLeaf = True

    def render_GET(self, request: SignalingRequest) -> bytes | int:
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
        coding, representation = self._asset.choose(request.accepted_encodings())
        request.setHeader("Vary", "Accept-Encoding")
        request.setHeader("Cache-Control", self._asset.cache_control)
        request.setHeader("ETag", representation.etag)
        if request.has(representation.etag):
            request.setResponseCode(HTTPStatus.NOT_MODIFIED.value)
            return b""
        request.setHeader("Content-Type", self._asset.content_type)
        if coding != IDENTITY:
            request.setHeader("Content-Encoding", coding)
        return request.send(representation.body)


class _CertificateResource(Resource):
    """The local authority's certificate."""

    isLeaf = True

    def __init__(self, der: bytes) -> None:
        super().__init__()
        self._der = der

    def render_GET(self, request: SignalingRequest) -> bytes | int:
        """Send it under the type that makes devices offer to install it."""
        if request.postpath:
            return request.refuse(ErrorCode.NOT_FOUND)
        request.setHeader("Content-Type", "application/x-x509-ca-cert")
        request.setHeader("Cache-Control", "no-cache")
        return request.send(self._der)


class _SignalingResource(WebSocketResource):
    """The signaling socket."""

    def __init__(self, signaling: SignalingFactory) -> None:
        super().__init__(signaling)
        self._signaling = signaling

    def render(self, request: SignalingRequest) -> bytes | int:
        """Hand the transport over to Autobahn; a request that is no upgrade is told that it should be."""
        if request.postpath:
            return request.refuse(ErrorCode.NOT_FOUND)
        upgrades = request.method == b"GET" and request.clientproto == b"HTTP/1.1"
        if not upgrades or not request.requestHeaders.hasHeader(b"upgrade"):
            request.setHeader("Upgrade", "websocket")
            for name, value in self._signaling.reflection(_headers(request), request.transport).items():
                request.setHeader(name, value)
            return request.refuse(ErrorCode.UPGRADE_REQUIRED)
        channel = request.channel
        if channel.site.draining:
            # Here, where the answer is waited for: the server may end as soon as the last channel is gone.
            return request.refuse(ErrorCode.GOING_AWAY)
        # Before the transport changes hands: one connection is not to count twice.
        channel.upgraded()
        self._factory.asked = channel.began
        try:
            answer: bytes | int = super().render(request)
        finally:
            self._factory.asked = None
        return answer


def _headers(request: SignalingRequest) -> dict[str, str]:
    """A request's headers by lower-case name, joined where there are several of a name (RFC 9110 §5.3)."""
    found = request.requestHeaders.getAllRawHeaders()
    return {name.decode("latin-1").lower(): b", ".join(values).decode("latin-1") for name, values in found}
