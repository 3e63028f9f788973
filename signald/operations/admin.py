"""The admin page, which shows the daemon's state and can start a drain; its data is protected by a token."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import Request

from signald.core.errors import ErrorCode
from signald.monitoring.readiness import Readiness
from signald.net.proxies import peer_host
from signald.operations.admin_state import AdminState
from signald.operations.admin_token import AdminToken, Check
from signald.operations.endpoints import Endpoint, NotFound
from signald.server.problems import problem_of
from signald.server.web import SignalingRequest

__all__ = ["make_admin"]

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""The Content-Security-Policy of the page: the form can only be read by the script, and text cannot become markup."""

_CONFIRMATION = b"drain"
"""The value of the header `X-Signald-Confirm` that a request to drain must have."""

_log = Logger()


class _Guarded(Endpoint):
    """A resource that only a request with the token can access."""

    def __init__(self, token: AdminToken, clock: IReactorTime) -> None:
        super().__init__()
        self._token = token
        self._clock = clock

    def refusal(self, request: SignalingRequest) -> bytes | int | None:
        """Send an error response if the token is missing, wrong or throttled; return None if the request is allowed."""
        headers = request.requestHeaders
        address = peer_host(request.channel.transport.getPeer())
        check = self._token.refusal(headers.getRawHeaders(b"authorization", []), address, self._clock.seconds())
        if check is None:
            return None
        if check is Check.WRONG:
            request.setHeader("WWW-Authenticate", "Bearer")  # RFC 9110 §11.6.1
            if headers.hasHeader(b"authorization"):
                _log.warn("a wrong token was shown for the admin page", event="admin-token-wrong")
        return _refuse(request, check)


class _State(_Guarded):
    """Serves the daemon's state as JSON."""

    def __init__(self, token: AdminToken, state: AdminState, clock: IReactorTime) -> None:
        super().__init__(token, clock)
        self._state = state

    def answer(self, request: SignalingRequest) -> bytes | int:
        """Send the state."""
        refused = self.refusal(request)
        if refused is not None:
            return refused
        return _send_json(request, self._state.at(self._clock.seconds()))


class _Drain(_Guarded):
    """Starts to drain the daemon, as SIGTERM does."""

    methods = (b"POST",)

    def __init__(
        self, token: AdminToken, readiness: Readiness, drain: Callable[[], object], clock: IReactorTime
    ) -> None:
        super().__init__(token, clock)
        self._readiness = readiness
        self._drain = drain

    def answer(self, request: SignalingRequest) -> bytes | int:
        """Start the drain, unless it has started already.

        A page of another site cannot send this request: it does not know the token, no cookie authenticates it, and
        the browser sends these headers only after a CORS preflight request, which no header allows. The check of
        Sec-Fetch-Site (W3C Fetch Metadata) is a second line of defense.
        """
        refused = self.refusal(request)
        if refused is not None:
            return refused
        headers = request.requestHeaders
        if headers.getRawHeaders(b"sec-fetch-site", [b"same-origin"]) != [b"same-origin"]:
            return _refuse(request, Check.CROSS_SITE)
        if headers.getRawHeaders(b"x-signald-confirm", []) != [_CONFIRMATION]:
            return _refuse(request, Check.UNCONFIRMED)
        if not self._readiness.draining:
            _log.warn("the admin page asks to drain", event="admin-drain")
            self._readiness.drain()
            self._drain()
        return _send_json(request, {"draining": True})


class _File(Endpoint):
    """Serves a static file of the page, which needs no token because it holds no data of the daemon."""

    def __init__(self, name: str, content_type: str) -> None:
        super().__init__()
        self._body = files("signald.operations").joinpath("admin_page", name).read_bytes()
        self._content_type = content_type

    def answer(self, request: SignalingRequest) -> bytes | int:
        """Send the file."""
        request.setHeader("Content-Type", self._content_type)
        request.setHeader("Content-Security-Policy", _POLICY)
        return request.send(self._body)


class _Admin(Resource):
    """The page at `/admin` and the resources below it; all of them respond with 404 if no token is configured."""

    def __init__(self, token: AdminToken) -> None:
        super().__init__()
        self._token = token
        self._page = _File("index.html", "text/html; charset=utf-8")

    def getChild(self, path: bytes, request: Request) -> Resource:
        """Return a 404 for every other path, also for `/admin/`, where the page's relative links would be wrong."""
        return NotFound()

    def getChildWithDefault(self, path: bytes, request: Request) -> Resource:
        """Return the child resource, or a 404 if no token is configured."""
        return super().getChildWithDefault(path, request) if self._token.is_set else NotFound()

    def render(self, request: SignalingRequest) -> bytes | int:
        """Send the page, or a 404 if no token is configured."""
        return self._page.render(request) if self._token.is_set else request.send_error(ErrorCode.NOT_FOUND)


def make_admin(
    token: AdminToken, state: AdminState, readiness: Readiness, drain: Callable[[], object], clock: IReactorTime
) -> Resource:
    """Create the resource at `/admin` with its children.

    Arguments:
        token: the token that protects the page's data.
        state: the state that the page shows.
        readiness: the readiness of the daemon, which a request to drain sets to draining at once.
        drain: the function that starts to stop the daemon.
        clock: the clock for the throttling of wrong tokens.

    """
    admin = _Admin(token)
    admin.putChild(b"admin.css", _File("admin.css", "text/css; charset=utf-8"))
    admin.putChild(b"admin.js", _File("admin.js", "text/javascript; charset=utf-8"))
    admin.putChild(b"state", _State(token, state, clock))
    admin.putChild(b"drain", _Drain(token, readiness, drain, clock))
    return admin


def _send_json(request: SignalingRequest, document: object) -> bytes | int:
    request.setHeader("Content-Type", "application/json")
    return request.send(json.dumps(document, separators=(",", ":")).encode())


def _refuse(request: SignalingRequest, check: Check) -> bytes | int:
    status, code, sentence = check.value
    return request.send_problem(status, problem_of(status, code, sentence))
