"""Parses the header of the PROXY protocol, versions 1 and 2, by which a proxy passes on a client's address.

The specification is HAProxy's `doc/proxy-protocol.txt`, "The PROXY protocol", §2.1 and §2.2.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address

from attrs import frozen

__all__ = ["MOST_BYTES", "ProxyHeader", "ProxyHeaderError", "read_proxy_header"]

MOST_BYTES = 4096
"""The maximum size of a version 2 header; its addresses need 52 bytes, and the rest of it is ignored."""

_MOST_BYTES_1 = 107
"""The maximum size of a version 1 line, its end included (§2.1)."""

_START_1 = b"PROXY "

_LINE = re.compile(
    rb"PROXY (?:UNKNOWN(?: .*)?|(?P<family>TCP4|TCP6) (?P<source>\S+) (?P<destination>\S+)"
    rb" (?P<source_port>\d{1,5}) (?P<destination_port>\d{1,5}))",
    re.DOTALL,
)

_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_FIXED_BYTES = 16

_LOCAL, _PROXY = 0x20, 0x21

_UNSPECIFIED, _TCP4, _TCP6, _UNIX = 0x00, 0x11, 0x21, 0x31
_ADDRESS_BYTES = {_UNSPECIFIED: 0, _TCP4: 12, _TCP6: 36, _UNIX: 216}
"""Size of both addresses and ports, by address family and transport; those of datagrams are rejected."""


class ProxyHeaderError(Exception):
    """The data is not a valid header of the PROXY protocol."""


@frozen
class ProxyHeader:
    """A parsed header.

    Attributes:
        size: the size of the header in bytes; the client's data follows.
        client: the client's IP address and port; None for a connection of the proxy itself, such as a health check,
            and where the proxy does not know the client.

    """

    size: int
    client: tuple[str, int] | None


def read_proxy_header(data: bytes) -> ProxyHeader | None:
    """Parse the header at the beginning of a connection; None while it is incomplete.

    Raises:
        ProxyHeaderError: the data does not begin with a valid header.

    """
    if data[: len(_START_1)] == _START_1[: len(data)]:
        return _read_line(data)
    if data[: len(_SIGNATURE)] == _SIGNATURE[: len(data)]:
        return _read_binary(data)
    raise ProxyHeaderError


def _read_line(data: bytes) -> ProxyHeader | None:
    """Parse version 1 (§2.1)."""
    line, end, _ = data[:_MOST_BYTES_1].partition(b"\r\n")
    if not end:
        if len(data) >= _MOST_BYTES_1:
            raise ProxyHeaderError
        return None
    matched = _LINE.fullmatch(line)
    if matched is None:
        raise ProxyHeaderError
    size = len(line) + len(end)
    if matched["family"] is None:
        return ProxyHeader(size, None)
    kind = IPv4Address if matched["family"] == b"TCP4" else IPv6Address
    source, _ = _address(kind, matched["source"]), _address(kind, matched["destination"])
    port, _ = _port(matched["source_port"]), _port(matched["destination_port"])
    return ProxyHeader(size, (source, port))


def _address(kind: type[IPv4Address | IPv6Address], text: bytes) -> str:
    try:
        address = kind(text.decode("ascii"))
    except ValueError:
        raise ProxyHeaderError from None
    if b"%" in text:
        # The zone of a link-local address has no meaning on another machine.
        raise ProxyHeaderError
    return str(address)


def _port(text: bytes) -> int:
    if int(text) > 65535 or (text[0:1] == b"0" and len(text) > 1):
        raise ProxyHeaderError
    return int(text)


def _read_binary(data: bytes) -> ProxyHeader | None:
    """Parse version 2 (§2.2); the TLVs after the addresses are ignored."""
    if len(data) < _FIXED_BYTES:
        return None
    command, family = data[12], data[13]
    size = _FIXED_BYTES + int.from_bytes(data[14:16], "big")
    if command not in (_LOCAL, _PROXY) or size > MOST_BYTES:
        raise ProxyHeaderError
    if command == _PROXY and (family not in _ADDRESS_BYTES or size - _FIXED_BYTES < _ADDRESS_BYTES[family]):
        raise ProxyHeaderError
    if len(data) < size:
        return None
    addresses = data[_FIXED_BYTES:size]
    if command == _PROXY and family == _TCP4:
        return ProxyHeader(size, (str(IPv4Address(addresses[:4])), int.from_bytes(addresses[8:10], "big")))
    if command == _PROXY and family == _TCP6:
        return ProxyHeader(size, (str(IPv6Address(addresses[:16])), int.from_bytes(addresses[32:34], "big")))
    return ProxyHeader(size, None)
