"""Errors as HTTP responses: problem details (RFC 9457) of the error codes, pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus

from signald.core.errors import ErrorCode

__all__ = ["CONTENT_TYPE", "SERVER", "last_response", "problem", "problem_of", "response"]

_RETRY_SECONDS = {HTTPStatus.TOO_MANY_REQUESTS: 10, HTTPStatus.SERVICE_UNAVAILABLE: 30}
"""Seconds after which a client may retry (Retry-After, RFC 9110 §10.2.3): for 429 by RFC 6585 §4, for 503 by RFC 9110
§15.6.4."""

CONTENT_TYPE = "application/problem+json"
"""The content type of problem details (RFC 9457 §3)."""

SERVER = "signald"
"""The Server header (RFC 9110 §10.2.4): the name alone, without versions."""


def problem(code: ErrorCode) -> bytes:
    """The problem details of an error."""
    return problem_of(HTTPStatus(_status(code)), code.value, code.sentence)


def problem_of(status: HTTPStatus, code: str, sentence: str, **more: object) -> bytes:
    """Problem details (RFC 9457 §3.1), with further members (§3.2).

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
    """A whole HTTP/1.1 response with an error, the connection's last one (RFC 9112 §9.6).

    Arguments:
        code: the error.
        headers: further headers; they replace those of the same name that every such response has.
        head: whether the method was HEAD, so that the body is left out (RFC 9110 §9.3.2).

    """
    body = problem(code)
    status = HTTPStatus(_status(code))
    retry = _RETRY_SECONDS.get(status)
    fields = {
        "Content-Type": CONTENT_TYPE,
        "Content-Length": len(body),
        **({} if retry is None else {"Retry-After": retry}),
        **dict(headers),
    }
    return response(status, fields, b"" if head else body)


def response(status: HTTPStatus, headers: Mapping[str, object], body: bytes = b"") -> bytes:
    """A whole HTTP/1.1 response, the connection's last one.

    Arguments:
        status: the status.
        headers: its headers, which replace those of the same name that every such response has.
        body: what follows the headers.

    """
    fields = {
        "Server": SERVER,
        "Connection": "close",
        "Content-Length": len(body),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        **headers,
    }
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        *(f"{name}: {value}" for name, value in fields.items()),
        "",
        "",
    ]
    return "\r\n".join(lines).encode("ascii") + body


def _status(code: ErrorCode) -> int:
    """The HTTP status of an error; 500 (RFC 9110 §15.6.1) for an error that has none."""
    return 500 if code.http_status is None else code.http_status
