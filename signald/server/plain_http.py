"""Answers HTTP requests that arrive unencrypted at a port that speaks TLS: pure.

A person who types an address without `https://` gets there. The answer redirects to the same path with TLS, and to a
host that is known to be this server alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus

from attrs import frozen

from signald.core.errors import ErrorCode
from signald.net.origins import Host, read_host
from signald.server.problems import last_response, response

__all__ = ["MAX_BYTES", "PlainRequest", "PlainRequestError", "answer_plain_request", "read_plain_request"]

MAX_BYTES = 16384
"""Bytes of a request with its headers, at most, as many as over TLS."""

_REQUEST_LINE = re.compile(r"(?P<method>[A-Z]{1,16}) (?P<target>/[!-~]*) HTTP/1\.(?P<minor>[01])")
"""A request line (RFC 9112 §3) in origin form (§3.2.1)."""

_UPGRADE = [("Upgrade", "TLS/1.2, HTTP/1.1"), ("Connection", "Upgrade, close")]
"""The headers of 426 (RFC 9110 §15.5.22, RFC 2817 §4.2): the client has to begin with TLS."""


class PlainRequestError(Exception):
    """The request is not valid, or too large.

    Attributes:
        code: the error.

    """

    def __init__(self, code: ErrorCode) -> None:
        super().__init__(code.value)
        self.code = code


@frozen
class PlainRequest:
    """A request that arrived unencrypted.

    Attributes:
        method: its method.
        target: its path and query.
        hosts: the values of its Host headers.
        needs_host: whether its version requires one (RFC 9112 §3.2).
        is_upgrade: whether it opens a WebSocket, whose clients follow no redirect.
        forwarded_for: the value of X-Forwarded-For; None where there is none.

    """

    method: str
    target: str
    hosts: tuple[str, ...]
    needs_host: bool
    is_upgrade: bool
    forwarded_for: str | None


def read_plain_request(data: bytes) -> PlainRequest | None:
    """Read a request from all that has arrived; None as long as its headers are incomplete.

    A whole line that begins no request is refused at once, such as the header of a proxy that is not trusted.

    Raises:
        PlainRequestError: the request is not valid, or too large.

    """
    head, end, _ = data.partition(b"\r\n\r\n")
    if len(head) > MAX_BYTES:
        raise PlainRequestError(ErrorCode.HEADERS_TOO_LARGE)
    first, *lines = head.decode("latin-1").split("\r\n")
    matched = _REQUEST_LINE.fullmatch(first)
    if matched is None and (lines or end):
        raise PlainRequestError(ErrorCode.BAD_REQUEST)
    if matched is None or not end:
        return None
    headers: dict[str, list[str]] = {}
    for name, _, value in (line.partition(":") for line in lines):
        headers.setdefault(name.lower(), []).append(value.strip(" \t"))
    hops = headers.get("x-forwarded-for")
    return PlainRequest(
        method=matched["method"],
        target=matched["target"],
        hosts=tuple(headers.get("host", ())),
        needs_host=matched["minor"] == "1",
        is_upgrade=any("websocket" in value.lower() for value in headers.get("upgrade", ())),
        forwarded_for=None if hops is None else ",".join(hops),
    )


def answer_plain_request(request: PlainRequest, listening: Host | None, is_own: Callable[[str], bool]) -> bytes:
    """Return the response: a redirect to the same path with TLS, or an error.

    Arguments:
        request: the request.
        listening: the address and the port that it came to, which HTTP/1.0 need not name; None where the client has to
            name a host.
        is_own: tells whether a host is this server. Any other one is refused: otherwise a stranger's name, which a
            proxy may have put there, would become the target of a redirect.

    Raises:
        PlainRequestError: it names no host, or another server.

    """
    host = read_host(request.hosts) if request.hosts or request.needs_host else listening
    if host is None or not is_own(host.name):
        raise PlainRequestError(ErrorCode.BAD_HOST)
    head = request.method == "HEAD"
    if request.is_upgrade:
        return last_response(ErrorCode.TLS_REQUIRED, _UPGRADE, head=head)
    return response(HTTPStatus.PERMANENT_REDIRECT, {"Location": f"https://{host}{request.target}"})
