"""All limits of a server, the token bucket, and the unit in which addresses are counted."""

from __future__ import annotations

import ipaddress
import math
from typing import NewType, TypeVar

from attrs import Attribute, define, field, frozen

AddressKey = NewType("AddressKey", str)
"""The unit in which addresses are counted: an IPv4 address, or the /64 network of an IPv6 address."""

_NETWORK_BITS = 48
"""The prefix length of the IPv6 networks that are counted too: the largest that an end site gets (RFC 6177 §2)."""


_Number = TypeVar("_Number", int, float)


def _limit(default: _Number, unit: str, meaning: str, least: float = 1) -> _Number:
    """Declare a limit with its unit, its meaning and its least value; an integer default allows integers only."""

    def in_range(_instance: object, attribute: Attribute[_Number], value: _Number) -> None:
        whole = isinstance(value, int)
        if not (whole or isinstance(default, float)) or not least <= value < math.inf:
            kind = "a number" if isinstance(default, float) else "an integer"
            raise ValueError(f"{attribute.name}: expected {kind} of at least {least:g}, got {value}")

    metadata = {"unit": unit, "meaning": meaning, "reload": True, "range": (least, None)}
    return field(default=default, validator=in_range, metadata=metadata)


@frozen
class Limits:
    """All limits. Each field's metadata holds its unit and its meaning, from which the documentation is generated."""

    message_bytes: int = _limit(65536, "bytes", "one message", 1024)
    message_rate: float = _limit(100.0, "per second", "messages of one connection")
    message_burst: int = _limit(500, "messages", "messages of one connection at once")
    message_byte_rate: float = _limit(262144.0, "bytes per second", "messages of one connection", 1024.0)
    message_byte_burst: int = _limit(2097152, "bytes", "messages of one connection at once", 1024)
    token_bytes: int = _limit(16384, "bytes", "one token", 64)
    fragments: int = _limit(64, "frames", "fragments of one message")
    fragments_seconds: float = _limit(10.0, "seconds", "from the first to the last fragment of a message", 0.1)
    control_rate: float = _limit(5.0, "per second", "ping and pong frames of one connection")
    control_burst: int = _limit(20, "frames", "ping and pong frames at once")
    connections: int = _limit(
        18000, "connections", "in all; fewer where the process may not open so many file descriptors"
    )
    users: int = _limit(
        40000, "users", "in all, including those that are away and may resume, who make room for new ones"
    )
    address_connections: int = _limit(200, "connections", "from one address")
    address_connection_rate: float = _limit(50.0, "per second", "new connections from one address")
    address_connection_burst: int = _limit(300, "connections", "new connections from one address at once")
    address_request_rate: float = _limit(200.0, "per second", "HTTP requests from one address")
    address_request_burst: int = _limit(3000, "requests", "HTTP requests from one address at once")
    address_message_rate: float = _limit(
        2000.0, "per second", "messages from one address, weighted by their cost; more are not read meanwhile"
    )
    address_message_burst: int = _limit(50000, "messages", "from one address at once, weighted by their cost", 100)
    address_session_rate: float = _limit(5.0, "per second", "sessions opened from one address", 0.001)
    address_session_burst: int = _limit(300, "sessions", "opened from one address at once")
    network_factor: int = _limit(
        16, "times", "the limits of one address, for all addresses of an IPv6 /48 network together"
    )
    tracked_addresses: int = _limit(16384, "addresses", "tracked by each rate limit", 64)
    failed_guesses: int = _limit(
        10, "guesses", "of unknown sessions, and of wrong passwords, from one address in the window"
    )
    failed_guesses_seconds: float = _limit(1800.0, "seconds", "the window of `failed-guesses`")
    header_seconds: float = _limit(10.0, "seconds", "from a connection's start to the end of its HTTP headers", 0.1)
    hello_seconds: float = _limit(10.0, "seconds", "from a WebSocket's start to its hello", 0.1)
    ping_seconds: float = _limit(20.0, "seconds", "of a client's silence after which the server sends a ping", 0.1)
    pong_seconds: float = _limit(10.0, "seconds", "to wait for a pong, or anything else, after a ping", 0.1)
    output_bytes: int = _limit(262144, "bytes", "output buffered for one slow reader", 65536)
    output_seconds: float = _limit(5.0, "seconds", "for which buffered output may make no progress", 0.1)
    waiting_messages: int = _limit(64, "messages", "of one connection queued behind a pending decision")
    waiting_candidates: int = _limit(64, "candidates", "of one member kept until another one joins")
    waiting_candidate_bytes: int = _limit(65536, "bytes", "of candidates of one member kept until another one joins")
    session_members: int = _limit(8, "members", "the largest capacity of a session", 2)
    user_sessions: int = _limit(20, "sessions", "of one user")
    session_knocks: int = _limit(32, "users", "who wait for admission to one session")
    session_idle_seconds: float = _limit(14400.0, "seconds", "until a session with one member and no messages ends")
    session_life_seconds: float = _limit(86400.0, "seconds", "until a session ends in any case")
    kept_sessions: int = _limit(10000, "sessions", "kept for their host keys while they are not open")
    kept_seconds: float = _limit(2592000.0, "seconds", "for which a session is kept while it is not open")
    waiting_passwords: int = _limit(64, "passwords", "that wait to be checked")
    address_waiting_passwords: int = _limit(4, "passwords", "from one address that wait to be checked")
    grace_seconds: float = _limit(
        30.0, "seconds", "of reconnect grace: an identity outlives its connection for so long", 0.1
    )
    reload_seconds: float = _limit(5.0, "seconds", "of reconnect grace after a page was left or is reloaded", 0.1)
    outbox_messages: int = _limit(256, "messages", "to one user that are not acknowledged", 16)
    outbox_bytes: int = _limit(131072, "bytes", "of messages to one user that are not acknowledged", 65536)
    address_outboxes_bytes: int = _limit(
        8388608, "bytes", "of messages to the users of one address that are not acknowledged", 65536
    )
    outboxes_bytes: int = _limit(
        134217728,
        "bytes",
        "of messages to all users that are not acknowledged; by default fewer on a machine with less than 2 GiB",
        131072,
    )
    directory_waiting_seconds: float = _limit(
        5.0, "seconds", "for which a message to a PeerJS client that is not connected waits", 0.1
    )
    directory_waiting_messages: int = _limit(64, "messages", "that wait for one PeerJS client")
    directory_waiting_bytes: int = _limit(131072, "bytes", "of messages that wait for one PeerJS client", 4096)
    address_directory_bytes: int = _limit(
        1048576, "bytes", "of messages from one address that wait for PeerJS clients", 4096
    )
    directory_bytes: int = _limit(33554432, "bytes", "of messages that wait for PeerJS clients", 4096)
    directory_silence_seconds: float = _limit(
        90.0, "seconds", "without a heartbeat after which a PeerJS client is disconnected", 1.0
    )
    room_members: int = _limit(32, "clients", "in one room of matchbox's clients", 2)
    ack_messages: int = _limit(16, "messages", "of one user after which the server acknowledges")
    ack_bytes: int = _limit(32768, "bytes", "of messages of one user after which the server acknowledges")
    ack_seconds: float = _limit(5.0, "seconds", "after which the server acknowledges a message", 0.1)


@define
class TokenBucket:
    """A token bucket: it allows `burst` tokens at once and `rate` per second in the long run.

    Attributes:
        rate: tokens that are added per second.
        burst: the most tokens that it holds.
        tokens: the tokens at the time `updated`.
        updated: when `tokens` was computed, monotonic seconds.

    """

    rate: float
    burst: float
    tokens: float
    updated: float

    @classmethod
    def full(cls, rate: float, burst: float, now: float) -> TokenBucket:
        """Make a full bucket."""
        return cls(rate=rate, burst=burst, tokens=burst, updated=now)

    def start_slowly(self, tokens: float) -> None:
        """Remove the tokens beyond so many; the rate adds them again."""
        self.tokens = min(self.tokens, tokens)

    def refill(self, now: float) -> None:
        """Fill the bucket."""
        self.tokens, self.updated = self.burst, now

    def take(self, now: float, tokens: float = 1.0) -> bool:
        """Take so many tokens; False, and take none, where there are fewer."""
        if now > self.updated:
            self.tokens = min(self.burst, self.tokens + (now - self.updated) * self.rate)
            self.updated = now
        if self.tokens < tokens:
            return False
        self.tokens -= tokens
        return True


def address_key(address: str) -> AddressKey:
    """The key under which an address is counted: IPv4 addresses themselves, IPv6 addresses by their /64 network.

    An IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2) counts as the IPv4 address. A text that is not an IP address, such
    as a Unix socket's peer, is its own key.
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
    """The /48 network around a /64 key; None for any other key."""
    address, slash, _ = key.rpartition("/64")
    if not slash:
        return None
    bits = 128 - _NETWORK_BITS
    return AddressKey(f"{ipaddress.IPv6Address(int(ipaddress.IPv6Address(address)) >> bits << bits)}/{_NETWORK_BITS}")
