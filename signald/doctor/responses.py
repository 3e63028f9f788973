"""Parses the beginning of an HTTP/1.1 response."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from email.parser import BytesHeaderParser

from attrs import frozen

__all__ = ["MOST_BYTES", "POLICY", "Response", "read_response"]

MOST_BYTES = 65536
"""The doctor reads at most this much of a response; the files of the page are longer, but the doctor needs no more."""

POLICY = "content-security-policy"

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})(?: [^\r\n]*)?")


@frozen
class Response:
    """A response, or the beginning of one.

    Attributes:
        status: the status code.
        headers: the header values by lower-case name; of a repeated header only the first value is kept, but all of
            the Content-Security-Policy.
        body: the part of the body that has arrived.
        whole: whether the response is known to be complete.

    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool

    @property
    def code(self) -> str | None:
        """The error code of signald's problem document (RFC 9457); None for every other response."""
        if not self.headers.get("content-type", "").startswith("application/problem+json"):
            return None
        try:
            document = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        code = document.get("code") if isinstance(document, dict) else None
        return code if isinstance(code, str) else None


def read_response(data: bytes) -> Response | None:
    """Parse the bytes that have arrived so far; None while the headers are not complete (RFC 9112 §2.1).

    Raises:
        ValueError: the bytes are not an HTTP/1 response, or its headers exceed `MOST_BYTES`.

    """
    head, end, body = data.partition(b"\r\n\r\n")
    if not end and len(data) < MOST_BYTES and b"HTTP/1.".startswith(data[:7]):
        return None
    line, _, fields = head.partition(b"\r\n")
    matched = _STATUS_LINE.fullmatch(line) if end else None
    if matched is None:
        raise ValueError("this is no HTTP/1 response")
    headers: dict[str, str] = {}
    for name, value in BytesHeaderParser().parsebytes(fields + b"\r\n\r\n").items():
        key, text = name.lower(), str(value).strip()
        if key == POLICY and key in headers:
            # Browsers enforce all of them (CSP Level 3 §8.1); the proxy's comes after ours.
            text = f"{headers.pop(key)}, {text}"
        headers.setdefault(key, text)
    status = int(matched[1])
    return Response(status, headers, body, _is_whole(status, headers, body))


def _is_whole(status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """Return whether the response is complete by its Content-Length or its status (RFC 9112 §6.3).

    A response that is chunked or ends with the TCP connection is never considered complete.
    """
    if 100 <= status < 200 or status in (204, 304):
        return True
    length = headers.get("content-length", "")
    return length.isascii() and length.isdigit() and len(length) < 10 and len(body) >= int(length)
