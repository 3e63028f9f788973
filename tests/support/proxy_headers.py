"""Builds headers of the PROXY protocol as a proxy sends them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"

Address = IPv4Address | IPv6Address


def line(source: Address, destination: Address, source_port: int, destination_port: int) -> bytes:
    """Return a header of version 1."""
    return f"PROXY TCP{source.version} {source} {destination} {source_port} {destination_port}\r\n".encode()


def binary(source: Address, destination: Address, source_port: int, destination_port: int, extra: bytes = b"") -> bytes:
    """Return a header of version 2, with additional TLV fields after the addresses."""
    ports = source_port.to_bytes(2, "big") + destination_port.to_bytes(2, "big")
    body = source.packed + destination.packed + ports + extra
    family = 0x11 if source.version == 4 else 0x21
    return SIGNATURE + bytes([0x21, family]) + len(body).to_bytes(2, "big") + body
