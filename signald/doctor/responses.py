"""The beginning of an HTTP/1.1 response, read from bytes: pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from email.parser import BytesHeaderParser

from attrs import frozen

__all__ = ["MOST_BYTES", "Response", "read_response"]

MOST_BYTES = 65536
"""That are read of a response; the page's own are longer, and nobody wants them here."""

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})(?: [^\r\n]*)?")


@frozen
class Response:
    """A response, or its beginning.

    Attributes:
        status: its code.
        headers: by lower-case name, the first where there are several of a name.
        body: as much of it as came.
        whole: whether nothing more is to come.

    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool

    @property
    def code(self) -> str | None:
        """The error's code in a problem document of signald's (RFC 9457); None where it is another answer."""
        if not self.headers.get("content-type", "").startswith("application/problem+json"):
            return None
        try:
            document = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        code = document.get("code") if isinstance(document, dict) else None
        return code if isinstance(code, str) else None


def read_response(data: bytes) -> Response | None:
    """Read what has come so far; None while its headers are not complete (RFC 9112 §2.1).

    Raises:
        ValueError: it is no HTTP/1 response, or its headers are without end.

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
        headers.setdefault(name.lower(), str(value).strip())
    status = int(matched[1])
    return Response(status, headers, body, _is_whole(status, headers, body))


def _is_whole(status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether that is all (RFC 9112 §6.3); what is closed at its end, or chunked, is not known to be."""
    if 100 <= status < 200 or status in (204, 304):
        return True
    length = headers.get("content-length", "")
    return length.isascii() and length.isdigit() and len(length) < 10 and len(body) >= int(length)
