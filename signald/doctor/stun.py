"""Encodes and decodes the STUN (RFC 8489) and TURN (RFC 8656) messages that the check of a server needs.

signald has its own codec, because a library for STUN is only installed with the extra `peer`, which the doctor must not
require.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Mapping
from enum import IntEnum
from hashlib import md5
from ipaddress import IPv4Address, IPv6Address, ip_address

from attrs import field, frozen

__all__ = ["HEADER_BYTES", "Attribute", "Kind", "Message", "Method", "decode", "encode", "long_term_key", "whole_bytes"]

COOKIE = 0x2112A442
"""The magic cookie of every STUN message (RFC 8489 §5)."""

HEADER_BYTES = 20
"""The size of the header: type, length, magic cookie and transaction ID (RFC 8489 §5)."""

_INTEGRITY_BYTES = 24
"""The size of the attribute MESSAGE-INTEGRITY with its header (RFC 8489 §14.5)."""


class Method(IntEnum):
    """The methods of STUN (RFC 8489 §18.2) and TURN (RFC 8656 §17) that the doctor uses."""

    BINDING = 0x001
    ALLOCATE = 0x003
    REFRESH = 0x004
    CREATE_PERMISSION = 0x008


class Kind(IntEnum):
    """The class of a message, as its bits in the message type (RFC 8489 §5)."""

    REQUEST = 0x000
    SUCCESS = 0x100
    ERROR = 0x110


class Attribute(IntEnum):
    """The types of the STUN (RFC 8489 §18.3) and TURN (RFC 8656 §18) attributes that the doctor uses."""

    USERNAME = 0x0006
    MESSAGE_INTEGRITY = 0x0008
    ERROR_CODE = 0x0009
    LIFETIME = 0x000D
    XOR_PEER_ADDRESS = 0x0012
    REALM = 0x0014
    NONCE = 0x0015
    XOR_RELAYED_ADDRESS = 0x0016
    REQUESTED_TRANSPORT = 0x0019
    XOR_MAPPED_ADDRESS = 0x0020


@frozen
class Message:
    """A STUN or TURN message.

    Attributes:
        method: the method, a value of `Method` if the doctor knows it.
        kind: the class: request, success or error.
        transaction: the transaction ID of twelve bytes; a response has that of its request.
        attributes: the attribute values by type; only the first attribute of a type counts (RFC 8489 §14).

    """

    method: int
    kind: int
    transaction: bytes
    attributes: Mapping[int, bytes] = field(factory=dict)

    @property
    def error(self) -> int | None:
        """The error code (RFC 8489 §14.8); None if the message has none."""
        value = self.attributes.get(Attribute.ERROR_CODE, b"")
        return (value[2] & 7) * 100 + value[3] if len(value) >= 4 else None

    def address(self, attribute: Attribute) -> str | None:
        """Return the IP address in an XOR-…-ADDRESS attribute (RFC 8489 §14.2); None if there is no valid address."""
        value = self.attributes.get(attribute, b"")
        mask = struct.pack("!I", COOKIE) + self.transaction
        plain = bytes(one ^ other for one, other in zip(value[4:], mask, strict=False))
        match value[1:2], len(value):
            case b"\x01", 8:
                return str(IPv4Address(plain))
            case b"\x02", 20:
                return str(IPv6Address(plain))
        return None


def xor_address(host: str, port: int, transaction: bytes) -> bytes:
    """Encode the value of an XOR-…-ADDRESS attribute (RFC 8489 §14.2)."""
    address = ip_address(host)
    mask = struct.pack("!I", COOKIE) + transaction
    masked = bytes(one ^ other for one, other in zip(address.packed, mask, strict=False))
    return struct.pack("!BBH", 0, 1 if address.version == 4 else 2, port ^ (COOKIE >> 16)) + masked


def long_term_key(user: str, realm: str, secret: str) -> bytes:
    """Return the key of MESSAGE-INTEGRITY for long-term credentials (RFC 8489 §9.2.2)."""
    return md5(f"{user}:{realm}:{secret}".encode(), usedforsecurity=False).digest()


def encode(message: Message, key: bytes | None = None) -> bytes:
    """Encode a message, with MESSAGE-INTEGRITY (RFC 8489 §14.5) if there is a key."""
    body = b""
    for type_, value in message.attributes.items():
        body += struct.pack("!HH", type_, len(value)) + value + bytes(-len(value) % 4)
    if key is None:
        return _header(message, len(body)) + body
    signed = _header(message, len(body) + _INTEGRITY_BYTES) + body
    return signed + struct.pack("!HH", Attribute.MESSAGE_INTEGRITY, 20) + hmac.digest(key, signed, "sha1")


def _header(message: Message, length: int) -> bytes:
    # The class bits lie between the method bits (RFC 8489 §5). A plain OR works, as all methods here fit in four bits.
    return struct.pack("!HHI", message.method | message.kind, length, COOKIE) + message.transaction


def whole_bytes(data: bytes) -> int | None:
    """Return the length of the message at the beginning of a byte stream (RFC 8489 §6.2.2); None for too few bytes.

    Raises:
        ValueError: the bytes are not the beginning of a STUN message.

    """
    if len(data) < 8:
        return None
    type_, length, cookie = struct.unpack_from("!HHI", data)
    if cookie != COOKIE or type_ & 0xC000 or length % 4:
        raise ValueError("this is no STUN message")
    return HEADER_BYTES + int(length)


def decode(data: bytes) -> Message:
    """Decode a message.

    Raises:
        ValueError: the bytes are not a STUN message.

    """
    if len(data) < HEADER_BYTES or whole_bytes(data) != len(data):
        raise ValueError("this is no STUN message")
    (type_,) = struct.unpack_from("!H", data)
    attributes: dict[int, bytes] = {}
    offset = HEADER_BYTES
    while offset < len(data):
        name, length = struct.unpack_from("!HH", data, offset)
        value = data[offset + 4 : offset + 4 + length]
        if len(value) != length:
            raise ValueError("this STUN message ends too early")
        attributes.setdefault(name, value)
        offset += 4 + length + -length % 4
    return Message(type_ & ~0x0110, type_ & 0x0110, data[8:HEADER_BYTES], attributes)
