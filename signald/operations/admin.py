"""The admin page: opened by a token, it shows the daemon's state and can begin to drain it."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from enum import Enum
from http import HTTPStatus
from importlib.resources import files

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import Request

from signald.config.secret_files import read_secret
from signald.config.tree import Operations
from signald.config.values import ConfigError
from signald.core.budgets import AddressBudget, guess_rate
from signald.core.errors import ErrorCode
from signald.core.limits import Limits, address_key
from signald.monitoring.readiness import Readiness
from signald.net.proxies import peer_host
from signald.operations.admin_state import AdminState
from signald.operations.endpoints import Endpoint
from signald.server.problems import problem_of
from signald.server.web import SignalingRequest

__all__ = ["LEAST_TOKEN", "AdminToken", "Check", "make_admin"]

LEAST_TOKEN = 16
"""Bytes of a token: what is shorter is a password that can be guessed."""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Content-Security-Policy. The form is read by the script and never sent; and no text can become markup."""

_CONFIRMATION = b"drain"
"""The value of `X-Signald-Confirm`, with which the page asks to drain."""

_log = Logger()


class Check(Enum):
    """Why a request is refused: status, code and sentence."""

    WRONG = (HTTPStatus.UNAUTHORIZED, "wrong-token", "The token is missing or wrong.")
    TOO_MANY = (HTTPStatus.TOO_MANY_REQUESTS, "too-many-tries", "Too many wrong tokens. Try again later.")
    CROSS_SITE = (HTTPStatus.FORBIDDEN, "cross-site", "Another site may not ask for this.")
    UNCONFIRMED = (HTTPStatus.BAD_REQUEST, "unconfirmed", "The request does not confirm what it asks for.")


@define
class AdminToken:
    """Who may see the admin page.

    The token is compared by its hash, in a time that does not depend on where the two differ. Wrong ones are counted
    for each address, by default ten in half an hour; after that the right one is refused as well.

    """

    _digest: bytes | None = field(init=False, default=None)
    _wrong: AddressBudget = field(init=False, factory=lambda: AddressBudget(guess_rate(Limits())))

    @property
    def is_set(self) -> bool:
        """Whether there is an admin page at all."""
        return self._digest is not None

    def configure(self, settings: Operations) -> None:
        """Read the token's file, if there is to be one.

        Raises:
            ConfigError: it cannot be read, is open to others, or holds less than a token; the old one stays.

        """
        if settings.admin_token_file is None:
            self._digest = None
            return
        token = read_secret(settings.admin_token_file)
        if len(token) < LEAST_TOKEN:
            raise ConfigError(f"The token in {settings.admin_token_file} is shorter than {LEAST_TOKEN} bytes.")
        self._digest = hashlib.sha256(token).digest()

    def refusal(self, authorization: Sequence[bytes], address: str, now: float) -> Check | None:
        """Why a request with those Authorization headers (RFC 6750 §2.1) is refused; None where it is not."""
        key = address_key(address)
        if not self._wrong.has_token(key, now):
            return Check.TOO_MANY
        scheme, _, token = (authorization[0] if len(authorization) == 1 else b"").partition(b" ")
        given = hashlib.sha256(token.strip(b" ")).digest()
        if hmac.compare_digest(given, self._digest or b"") and scheme.lower() == b"bearer":
            return None
        if token:
            self._wrong.take_token(key, now)
        return Check.WRONG


class _Guarded(Endpoint):
    """What only the holder of the token gets."""

    def __init__(self, token: AdminToken, clock: IReactorTime) -> None:
        super().__init__()
        self._token = token
        self._clock = clock

    def refusal(self, request: SignalingRequest) -> bytes | int | None:
        """Tell why the request is refused; None where it is not."""
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
    """The daemon's state as JSON."""

    def __init__(self, token: AdminToken, state: AdminState, clock: IReactorTime) -> None:
        super().__init__(token, clock)
        self._state = state

    def answer(self, request: SignalingRequest) -> bytes | int:
        """Tell it."""
        refused = self.refusal(request)
        if refused is not None:
            return refused
        return _send_json(request, self._state.at(self._clock.seconds()))


class _Drain(_Guarded):
    """Begins to drain the daemon, as SIGTERM does."""

    methods = (b"POST",)

    def __init__(
        self, token: AdminToken, readiness: Readiness, drain: Callable[[], object], clock: IReactorTime
    ) -> None:
        super().__init__(token, clock)
        self._readiness = readiness
        self._drain = drain

    def answer(self, request: SignalingRequest) -> bytes | int:
        """Begin, once.

        No page of another site can ask for it: it has no token, there is no cookie that a browser would add, and it
        may not send these headers without a question (CORS) that is answered with 405. That the browser says where
        the request comes from (W3C Fetch Metadata) is a second wall.
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
    """A file of the page; it holds nothing that needs a token."""

    def __init__(self, name: str, content_type: str) -> None:
        super().__init__()
        self._body = files("signald.operations").joinpath("admin_page", name).read_bytes()
        self._content_type = content_type

    def answer(self, request: SignalingRequest) -> bytes | int:
        """Send it."""
        request.setHeader("Content-Type", self._content_type)
        request.setHeader("Content-Security-Policy", _POLICY)
        return request.send(self._body)


class _Admin(Resource):
    """The page at `/admin` and what is below; nothing at all where there is no token."""

    def __init__(self, token: AdminToken) -> None:
        super().__init__()
        self._token = token
        self._page = _File("index.html", "text/html; charset=utf-8")

    def getChild(self, path: bytes, request: Request) -> Resource:
        """There is nothing but what was put here; with a slash at its end, the page's links would lead elsewhere."""
        return _Nothing()

    def getChildWithDefault(self, path: bytes, request: Request) -> Resource:
        """Nothing without a token."""
        return super().getChildWithDefault(path, request) if self._token.is_set else _Nothing()

    def render(self, request: SignalingRequest) -> bytes | int:
        """Send the page."""
        return self._page.render(request) if self._token.is_set else request.send_error(ErrorCode.NOT_FOUND)


class _Nothing(Endpoint):
    """What is not there."""

    def render(self, request: SignalingRequest) -> bytes | int:
        """Say so."""
        return request.send_error(ErrorCode.NOT_FOUND)


def make_admin(
    token: AdminToken, state: AdminState, readiness: Readiness, drain: Callable[[], object], clock: IReactorTime
) -> Resource:
    """Make what is at `/admin`.

    Arguments:
        token: who may see it.
        state: what is shown.
        readiness: not ready any more from the moment that draining is asked for.
        drain: begins to stop the daemon.
        clock: for the throttling of wrong tokens.

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
