"""Errors as HTTP tells them: problem details (RFC 9457) of the one vocabulary, pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from http import HTTPStatus

from signald.core.errors import ErrorCode

__all__ = ["CONTENT_TYPE", "SERVER", "last_response", "problem", "problem_of"]

_RETRY_SECONDS = {HTTPStatus.TOO_MANY_REQUESTS: 10, HTTPStatus.SERVICE_UNAVAILABLE: 30}
"""After which a client may ask again (Retry-After, RFC 9110 §10.2.3): RFC 6585 §4 for 429, RFC 9110 §15.6.4 for 503."""

CONTENT_TYPE = "application/problem+json"
"""RFC 9457 §3."""

SERVER = "signald"
"""The Server header (RFC 9110 §10.2.4): the name alone, no versions."""


def problem(code: ErrorCode) -> bytes:
    """The body that tells an error which has an HTTP status."""
    return problem_of(HTTPStatus(_status(code)), code.value, code.sentence)


def problem_of(status: HTTPStatus, code: str, sentence: str, **more: object) -> bytes:
    """The body that tells what is wrong (RFC 9457 §3.1), with further members (§3.2).

    `type` is about:blank, so `title` is the status's own phrase (§4.2.1) and `code` says which error it is.
    """
    document = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": sentence,
        "code": code,
        **more,
    }
    return json.dumps(document, separators=(",", ":")).encode()


def last_response(code: ErrorCode, headers: Iterable[tuple[str, str]] = (), *, head: bool = False) -> bytes:
    """A whole HTTP/1.1 response that tells an error and is the connection's last (RFC 9112 §9.6).

    Arguments:
        code: the error.
        headers: further ones, or others in the place of those that every such response has.
        head: whether HEAD was asked, which is told the length of the body alone (RFC 9110 §9.3.2).

    """
    body = problem(code)
    status = HTTPStatus(_status(code))
    retry = _RETRY_SECONDS.get(status)
    fields = {
        "Server": SERVER,
        "Connection": "close",
        "Content-Type": CONTENT_TYPE,
        "Content-Length": len(body),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        **({} if retry is None else {"Retry-After": retry}),
        **dict(headers),
    }
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        *(f"{name}: {value}" for name, value in fields.items()),
        "",
        "",
    ]
    return "\r\n".join(lines).encode("ascii") + (b"" if head else body)


def _status(code: ErrorCode) -> int:
    """The status of an error; one that HTTP has no status for is the server's own mistake (RFC 9110 §15.6.1)."""
    return 500 if code.http_status is None else code.http_status
