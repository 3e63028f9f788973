"""Recognizes a plain, well-formed upgrade request in the bytes of one read, and writes the response: pure.

`twisted.web` and Autobahn would parse such a request one after the other, which costs half of a connection without TLS.
What is not recognized here may be valid nevertheless, and takes that way; so nothing is refused here.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha1

from attrs import frozen

from signald.net.origins import read_host, read_origin
from signald.server.problems import SERVER

__all__ = ["PlainUpgrade", "read_plain_upgrade", "switching_protocols"]

MAX_BYTES = 8192
"""Bytes of a request that is recognized, at most. The general way allows 16384, which it counts in another way."""

MAX_HEADERS = 64
"""Header lines of a request that is recognized, at most; browsers send about 15."""

_REQUEST = re.compile(
    rb"GET (/[!-\"$->@-~]*)(?:\?([!-\"$-~]*))? HTTP/1\.1\r\n"
    rb"((?:[!#$%%&'*+.^_`|~0-9A-Za-z-]+:[ -~]*\r\n){1,%d})\r\n" % MAX_HEADERS
)
"""A request line (RFC 9112 §3) and header fields (RFC 9110 §5.1, §5.5) of printable ASCII, without folded lines. A
match ends with the headers, so a request that bytes follow is none. A target has no fragment (RFC 9112 §3.2.1)."""

_KEY = re.compile("[A-Za-z0-9+/]{22}==")
"""A Sec-WebSocket-Key: 16 bytes in base64 (RFC 6455 §4.1)."""

_UNUSUAL = frozenset({"content-length", "expect", "transfer-encoding"})
"""Headers about a body (RFC 9110 §8.6, §10.1.1; RFC 9112 §6.1), which a plain upgrade has none of."""

_COMPRESSION = "permessage-deflate"
"""The one extension that browsers offer (RFC 7692); it is not accepted."""

_COMPRESSION_PARAMETERS = frozenset(
    {"client_max_window_bits", "client_no_context_takeover", "server_no_context_takeover"}
)
"""Its parameters that may stand without a value (RFC 7692 §7.1)."""

_ACCEPT_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""What is appended to the key to compute Sec-WebSocket-Accept (RFC 6455 §1.3)."""


@frozen
class PlainUpgrade:
    """An opening handshake whose form is valid (RFC 6455 §4.2.1); whether it is accepted is decided elsewhere.

    Attributes:
        path: the path of the request as it was sent.
        query: its query; empty where there is none.
        headers: the headers by lower-case name; each occurs once.
        subprotocols: the offered subprotocols in the client's order.
        size: the bytes of the request.

    """

    path: str
    query: str
    headers: dict[str, str]
    subprotocols: tuple[str, ...]
    size: int

    @property
    def key(self) -> str:
        """The Sec-WebSocket-Key."""
        return self.headers["sec-websocket-key"]


def read_plain_upgrade(data: bytes) -> PlainUpgrade | None:
    """Read a request that is complete and that nothing follows; None where it is not a plain upgrade."""
    matched = _REQUEST.fullmatch(data) if len(data) <= MAX_BYTES else None
    if matched is None:
        return None
    lines = matched[3].decode("ascii").split("\r\n")[:-1]
    headers = {name.lower(): value.strip(" ") for name, _, value in (line.partition(":") for line in lines)}
    if len(headers) < len(lines) or not _UNUSUAL.isdisjoint(headers):
        return None
    subprotocols = _read_list(headers["sec-websocket-protocol"]) if "sec-websocket-protocol" in headers else ()
    if (
        headers.get("sec-websocket-version") != "13"
        or _KEY.fullmatch(headers.get("sec-websocket-key", "")) is None
        or "websocket" not in _read_list(headers.get("upgrade", "").lower())
        or "upgrade" not in _read_list(headers.get("connection", "").lower())
        or len(set(subprotocols)) < len(subprotocols)
        or not _is_plain_host(headers.get("host", ""))
        or not _is_plain_origin(headers.get("origin"))
        or not _is_plain_offer(headers.get("sec-websocket-extensions"))
    ):
        return None
    query = b"" if matched[2] is None else matched[2]
    return PlainUpgrade(matched[1].decode("ascii"), query.decode("ascii"), headers, subprotocols, len(data))


def switching_protocols(key: str, subprotocol: str | None, headers: Mapping[str, str]) -> bytes:
    """Make the response that completes the opening handshake (RFC 6455 §4.2.2).

    Arguments:
        key: the request's Sec-WebSocket-Key.
        subprotocol: the chosen subprotocol; None where there is none.
        headers: further headers.

    """
    accept = b64encode(sha1(key.encode("ascii") + _ACCEPT_GUID, usedforsecurity=False).digest()).decode("ascii")
    further = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    chosen = "" if subprotocol is None else f"Sec-WebSocket-Protocol: {subprotocol}\r\n"
    return (
        f"HTTP/1.1 101 Switching Protocols\r\nServer: {SERVER}\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
        f"{further}{chosen}Sec-WebSocket-Accept: {accept}\r\n\r\n"
    ).encode("ascii")


def _read_list(value: str) -> tuple[str, ...]:
    """The members of a comma-separated list (RFC 9110 §5.6.1)."""
    return tuple([member.strip(" ") for member in value.split(",")])


def _is_plain_host(value: str) -> bool:
    """Whether a Host header is valid, and does not end with an empty port (RFC 3986 §3.2.3), which is rare."""
    return read_host([value]) is not None and not value.endswith(":")


def _is_plain_origin(value: str | None) -> bool:
    """Whether an Origin header is missing or valid."""
    return value is None or read_origin(value) is not None


def _is_plain_offer(value: str | None) -> bool:
    """Whether Sec-WebSocket-Extensions is missing or offers compression as browsers do, with parameters once each."""
    if value is None:
        return True
    extension, *parameters = (part.strip(" ") for part in value.split(";"))
    return (
        extension == _COMPRESSION
        and _COMPRESSION_PARAMETERS.issuperset(parameters)
        and len(set(parameters)) == len(parameters)
    )
