"""Every limit of a server, the token bucket, and what is counted as one address."""

from __future__ import annotations

import ipaddress
import math
from typing import NewType, TypeVar

from attrs import Attribute, define, field, frozen

AddressKey = NewType("AddressKey", str)
"""What is counted as one address: an IPv4 address, or the /64 network of an IPv6 one."""

_NETWORK_BITS = 48
"""Of the IPv6 networks that are counted too: the largest that one end site gets (RFC 6177 §2)."""


_Number = TypeVar("_Number", int, float)


def _limit(default: _Number, unit: str, meaning: str, least: float = 1) -> _Number:
    """Declare a limit with its unit, what it bounds and its least value; a whole default makes it a whole number."""

    def in_range(_instance: object, attribute: Attribute[_Number], value: _Number) -> None:
        whole = isinstance(value, int)
        if not (whole or isinstance(default, float)) or not least <= value < math.inf:
            raise ValueError(f"{attribute.name} is out of range")

    metadata = {"unit": unit, "meaning": meaning, "reload": True, "range": (least, None)}
    return field(default=default, validator=in_range, metadata=metadata)


@frozen
class Limits:
    """All limits, each with its unit and meaning in its field's metadata."""

    message_bytes: int = _limit(65536, "bytes", "one message", 1024)
    message_rate: float = _limit(100.0, "per second", "messages of one connection")
    message_burst: int = _limit(500, "messages", "messages of one connection at once")
    message_byte_rate: float = _limit(262144.0, "bytes per second", "messages of one connection", 1024.0)
    message_byte_burst: int = _limit(2097152, "bytes", "messages of one connection at once", 1024)
    fragments: int = _limit(64, "frames", "the pieces of one message")
    fragments_seconds: float = _limit(10.0, "seconds", "from the first to the last piece of a message", 0.1)
    control_rate: float = _limit(5.0, "per second", "ping and pong frames of one connection")
    control_burst: int = _limit(20, "frames", "ping and pong frames at once")
    connections: int = _limit(18000, "connections", "in all; less where the descriptors do not suffice")
    users: int = _limit(40000, "users", "in all, those included that are away and may come back")
    address_connections: int = _limit(200, "connections", "from one address")
    address_connection_rate: float = _limit(50.0, "per second", "new connections from one address")
    address_connection_burst: int = _limit(300, "connections", "new connections from one address at once")
    address_request_rate: float = _limit(200.0, "per second", "HTTP requests from one address")
    address_request_burst: int = _limit(3000, "requests", "HTTP requests from one address at once")
    address_session_rate: float = _limit(5.0, "per second", "sessions opened from one address", 0.001)
    address_session_burst: int = _limit(300, "sessions", "opened from one address at once")
    network_factor: int = _limit(16, "times", "what one address may, for all addresses of one IPv6 /48 network")
    tracked_addresses: int = _limit(16384, "addresses", "remembered by each budget once they owe something", 64)
    failed_guesses: int = _limit(10, "guesses", "unknown sessions, and wrong passwords, of one address in the window")
    failed_guesses_seconds: float = _limit(1800.0, "seconds", "the window of `failed-guesses`")
    header_seconds: float = _limit(10.0, "seconds", "from a connection's start to the end of its HTTP headers", 0.1)
    hello_seconds: float = _limit(10.0, "seconds", "from a WebSocket's start to its hello", 0.1)
    ping_seconds: float = _limit(20.0, "seconds", "between the server's pings", 0.1)
    pong_seconds: float = _limit(10.0, "seconds", "the wait for a pong", 0.1)
    output_bytes: int = _limit(262144, "bytes", "output that waits for one reader", 65536)
    output_seconds: float = _limit(5.0, "seconds", "for which output may wait with no progress", 0.1)
    waiting_messages: int = _limit(64, "messages", "of one peer that wait for a decision")
    waiting_candidates: int = _limit(64, "candidates", "of one member that wait for the other")
    waiting_candidate_bytes: int = _limit(65536, "bytes", "of candidates of one member that wait")
    session_members: int = _limit(8, "members", "the largest capacity of a session", 2)
    user_sessions: int = _limit(20, "sessions", "of one user")
    session_knocks: int = _limit(32, "users", "who wait at one session")
    session_idle_seconds: float = _limit(14400.0, "seconds", "a session with one member and no message")
    session_life_seconds: float = _limit(86400.0, "seconds", "a session in all")
    kept_sessions: int = _limit(10000, "sessions", "that nobody has open and that are known by their host keys")
    kept_seconds: float = _limit(2592000.0, "seconds", "for which a session that nobody has open is known")
    waiting_passwords: int = _limit(64, "passwords", "that wait to be checked")
    grace_seconds: float = _limit(30.0, "seconds", "for which an identity outlives its connection", 0.1)
    reload_seconds: float = _limit(5.0, "seconds", "the same after a page was left or is loaded anew", 0.1)
    outbox_messages: int = _limit(256, "messages", "to one user that are not acknowledged", 16)
    outbox_bytes: int = _limit(131072, "bytes", "of messages to one user that are not acknowledged", 65536)
    address_outboxes_bytes: int = _limit(
        8388608, "bytes", "of messages to the users of one address that are not acknowledged", 65536
    )
    outboxes_bytes: int = _limit(134217728, "bytes", "of messages to all users that are not acknowledged", 131072)
    ack_messages: int = _limit(16, "messages", "of one user that the server does not yet acknowledge")
    ack_bytes: int = _limit(32768, "bytes", "of messages of one user that the server does not yet acknowledge")
    ack_seconds: float = _limit(5.0, "seconds", "after which the server acknowledges a message", 0.1)


@define
class TokenBucket:
    """A budget that refills: `burst` at once, `rate` per second in the long run.

    Attributes:
        rate: tokens per second.
        burst: tokens when full.
        tokens: tokens now, as of `updated`.
        updated: monotonic seconds.

    """

    rate: float
    burst: float
    tokens: float
    updated: float

    @classmethod
    def full(cls, rate: float, burst: float, now: float) -> TokenBucket:
        """Make a full bucket."""
        return cls(rate=rate, burst=burst, tokens=burst, updated=now)

    def take(self, now: float, tokens: float = 1.0) -> bool:
        """Take that many tokens if they are there; whether they were."""
        if now > self.updated:
            self.tokens = min(self.burst, self.tokens + (now - self.updated) * self.rate)
            self.updated = now
        if self.tokens < tokens:
            return False
        self.tokens -= tokens
        return True


def address_key(address: str) -> AddressKey:
    """The unit in which addresses are counted: IPv4 whole, IPv6 by /64, IPv4-mapped IPv6 (RFC 4291 §2.5.5.2) as IPv4.

    What is no IP address (a Unix socket's peer) is its own key.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return AddressKey(address)
    if isinstance(ip, ipaddress.IPv4Address):
        return AddressKey(str(ip))
    if ip.ipv4_mapped is not None:
        return AddressKey(str(ip.ipv4_mapped))
    return AddressKey(str(ipaddress.ip_network((ip, 64), strict=False)))


def network_key(key: AddressKey) -> AddressKey | None:
    """The /48 network that a /64 one is a part of; None for any other key."""
    address, slash, _ = key.rpartition("/64")
    if not slash:
        return None
    bits = 128 - _NETWORK_BITS
    return AddressKey(f"{ipaddress.IPv6Address(int(ipaddress.IPv6Address(address)) >> bits << bits)}/{_NETWORK_BITS}")
