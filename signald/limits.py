"""Every limit of a server, token buckets, and the budgets kept for each address."""

from __future__ import annotations

import ipaddress
import math
from typing import NewType, TypeVar

from attrs import Attribute, define, field, frozen

from signald.errors import ErrorCode

AddressKey = NewType("AddressKey", str)
"""What is counted as one address: an IPv4 address, or the /64 network of an IPv6 one."""


_Number = TypeVar("_Number", int, float)


def _limit(default: _Number, unit: str, meaning: str, least: float = 1) -> _Number:
    """Declare a limit with its unit, what it bounds and its least value; a whole default makes it a whole number."""

    def in_range(_instance: object, attribute: Attribute[_Number], value: _Number) -> None:
        whole = isinstance(value, int)
        if not (whole or isinstance(default, float)) or not least <= value < math.inf:
            raise ValueError(f"{attribute.name} is out of range")

    return field(default=default, validator=in_range, metadata={"unit": unit, "meaning": meaning})


@frozen
class Limits:
    """All limits, each with its unit and meaning in its field's metadata."""

    message_bytes: int = _limit(65536, "bytes", "one message", 1024)
    message_rate: float = _limit(100.0, "per second", "messages of one connection")
    message_burst: int = _limit(500, "messages", "messages of one connection at once")
    fragments: int = _limit(64, "frames", "the pieces of one message")
    fragments_seconds: float = _limit(10.0, "seconds", "from the first to the last piece of a message", 0.1)
    control_rate: float = _limit(5.0, "per second", "ping and pong frames of one connection")
    control_burst: int = _limit(20, "frames", "ping and pong frames at once")
    connections: int = _limit(18000, "connections", "in all; less where the descriptors do not suffice")
    address_connections: int = _limit(200, "connections", "from one address")
    address_connection_rate: float = _limit(50.0, "per second", "new connections from one address")
    address_connection_burst: int = _limit(300, "connections", "new connections from one address at once")
    failed_guesses: int = _limit(10, "guesses", "unknown sessions, and wrong passwords, of one address in the window")
    failed_guesses_seconds: float = _limit(1800.0, "seconds", "the window of failed_guesses")
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
        self._refill(now)
        if self.tokens < tokens:
            return False
        self.tokens -= tokens
        return True

    def has(self, now: float, tokens: float = 1.0) -> bool:
        """Whether that many tokens could be taken."""
        self._refill(now)
        return self.tokens >= tokens

    def is_full(self, now: float) -> bool:
        """Whether nothing is owed, so that the bucket may be forgotten."""
        self._refill(now)
        return self.tokens >= self.burst

    def _refill(self, now: float) -> None:
        if now > self.updated:
            self.tokens = min(self.burst, self.tokens + (now - self.updated) * self.rate)
            self.updated = now


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


@define
class _AddressUse:
    """What one address uses now: open connections, and its budget of new ones."""

    connections: int
    arrivals: TokenBucket


@define
class ConnectionBudget:
    """Admits connections within the total and within each address's number and rate.

    Attributes:
        limits: the bounds.
        total: connections that are open now.
        addresses: those with open connections or an arrival budget that is not full.

    """

    limits: Limits
    total: int = 0
    addresses: dict[AddressKey, _AddressUse] = field(factory=dict)

    def admit(self, key: AddressKey, now: float) -> ErrorCode | None:
        """Count one more connection of that address, or say why not; what was admitted is given back by `release`."""
        if self.total >= self.limits.connections:
            return ErrorCode.SERVER_FULL
        use = self.addresses.get(key)
        if use is None:
            arrivals = TokenBucket.full(self.limits.address_connection_rate, self.limits.address_connection_burst, now)
            use = self.addresses[key] = _AddressUse(connections=0, arrivals=arrivals)
        if use.connections >= self.limits.address_connections or not use.arrivals.take(now):
            return ErrorCode.TOO_MANY_CONNECTIONS
        use.connections += 1
        self.total += 1
        return None

    def release(self, key: AddressKey) -> None:
        """One admitted connection of that address is closed."""
        self.addresses[key].connections -= 1
        self.total -= 1

    def tick(self, now: float) -> None:
        """Forget addresses that have no connection and owe nothing."""
        idle = [key for key, use in self.addresses.items() if not use.connections and use.arrivals.is_full(now)]
        for key in idle:
            del self.addresses[key]


@define
class GuessBudget:
    """Counts asked-for session ids that do not exist, for each address.

    Attributes:
        limits: the bounds.
        addresses: a bucket for each address that has guessed wrongly and not yet regained its whole budget.

    """

    limits: Limits
    addresses: dict[AddressKey, TokenBucket] = field(factory=dict)

    def allows(self, key: AddressKey, now: float) -> bool:
        """Whether that address may ask for a session."""
        bucket = self.addresses.get(key)
        return bucket is None or bucket.has(now)

    def failed(self, key: AddressKey, now: float) -> None:
        """Count a wrong guess."""
        burst = self.limits.failed_guesses
        bucket = self.addresses.get(key)
        if bucket is None:
            rate = burst / self.limits.failed_guesses_seconds
            bucket = self.addresses[key] = TokenBucket.full(rate, burst, now)
        bucket.take(now)

    def tick(self, now: float) -> None:
        """Forget addresses that have regained their whole budget."""
        for key in [key for key, bucket in self.addresses.items() if bucket.is_full(now)]:
            del self.addresses[key]
