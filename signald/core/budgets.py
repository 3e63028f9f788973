"""Rate limits by address: token buckets for connections, requests, messages, new sessions and wrong guesses.

An IPv6 /64 network counts as one address, and the /48 network around it as `network_factor` addresses, since the
holder of a /48 network has 65,536 of the former. The number of buckets is bounded, however many addresses there are.
"""

from __future__ import annotations

from collections import OrderedDict

from attrs import define, field, frozen

from signald.core.errors import ErrorCode
from signald.core.limits import AddressKey, Limits, network_key

__all__ = [
    "SLOW_START_BYTES",
    "SLOW_START_MESSAGES",
    "AddressBudget",
    "ConnectionBudget",
    "GuessBudgets",
    "RateLimit",
    "address_buckets",
    "connection_rate",
    "guess_rate",
    "http_request_rate",
    "message_rate",
    "session_rate",
]

_OFFENCE_SECONDS = 60.0
"""Seconds of slow start for each offence of an address. Connections from it are admitted as before, since others behind
the address may need them, but start with a part of their message budgets: otherwise reconnecting would give a peer that
exceeds its budget a full one as often as it may connect."""

SLOW_START_MESSAGES = 32
"""Messages that a connection may send at once after a slow start: a hello, a join, and the offers and candidates of the
first negotiations in a session of eight. At the default rate of new connections an address that is closed again and
again then sends 1,600 messages per second, where its 200 connections may send 20,000 within their limits."""

SLOW_START_BYTES = 131072
"""Bytes that a connection may send at once after a slow start; always one message of the greatest size."""

_MAX_DEBT_BURSTS = 10
"""The most that an address can owe, as a multiple of its burst."""

_TOLERANCE = 0.001
"""The part of a token that rounding in floating-point sums may be off by."""


@frozen
class RateLimit:
    """The rate limit of one address.

    Attributes:
        rate: tokens per second, in the long run.
        burst: tokens at once.
        network_factor: how many addresses an IPv6 /48 network counts as.
        tracked_addresses: the most buckets that are kept.

    """

    rate: float
    burst: float
    network_factor: int
    tracked_addresses: int


def connection_rate(limits: Limits) -> RateLimit:
    """The rate limit of new connections from an address."""
    return _address_rate(limits, limits.address_connection_rate, limits.address_connection_burst)


def http_request_rate(limits: Limits) -> RateLimit:
    """The rate limit of HTTP requests from an address."""
    return _address_rate(limits, limits.address_request_rate, limits.address_request_burst)


def message_rate(limits: Limits) -> RateLimit:
    """The rate limit of messages from an address, where one that costs more than a small one takes several tokens."""
    return _address_rate(limits, limits.address_message_rate, limits.address_message_burst)


def session_rate(limits: Limits) -> RateLimit:
    """The rate limit of sessions opened from an address, whatever identities it uses."""
    return _address_rate(limits, limits.address_session_rate, limits.address_session_burst)


def guess_rate(limits: Limits) -> RateLimit:
    """The rate limit of wrong guesses from an address: of session ids, passwords or tokens."""
    return _address_rate(limits, limits.failed_guesses / limits.failed_guesses_seconds, limits.failed_guesses)


def _offence_rate(limits: Limits) -> RateLimit:
    """The rate at which offences of an address are forgotten."""
    return _address_rate(limits, 1.0 / _OFFENCE_SECONDS, 1)


def _address_rate(limits: Limits, rate: float, burst: float) -> RateLimit:
    return RateLimit(rate, burst, limits.network_factor, limits.tracked_addresses)


@define
class AddressBudget:
    """A token bucket for each address, stored as the time at which the bucket is full again.

    This is the generic cell rate algorithm in its virtual scheduling form (ITU-T I.371, Annex A), which admits exactly
    what a token bucket admits. A full bucket is removed. When too many are not full, the least recently used ones are
    removed; an attacker with that many addresses gains nothing by it.

    Attributes:
        rate_limit: the rate limit of each address; a new one applies to existing buckets too.
        full_at: when each bucket is full again, monotonic seconds, in the order of the last use.

    """

    rate_limit: RateLimit
    full_at: OrderedDict[AddressKey, float] = field(factory=OrderedDict)

    def has_token(self, key: AddressKey, now: float) -> bool:
        """Whether an address and its network have a token each."""
        longest = (self.rate_limit.burst + _TOLERANCE) / self.rate_limit.rate
        return all(
            self._full_after(each, share, now) - now <= longest
            for each, share in address_buckets(key, self.rate_limit.network_factor)
        )

    def take_token(self, key: AddressKey, now: float) -> bool:
        """Take a token from an address and one from its network; False, and take none, where either has none."""
        latest = now + (self.rate_limit.burst + _TOLERANCE) / self.rate_limit.rate
        taken = [
            (each, self._full_after(each, share, now))
            for each, share in address_buckets(key, self.rate_limit.network_factor)
        ]
        for _, full_at in taken:
            if full_at > latest:
                return False
        for each, full_at in taken:
            self.full_at[each] = full_at
            self.full_at.move_to_end(each)
        self.prune(now)
        return True

    def return_token(self, key: AddressKey, now: float) -> None:
        """Give a token that `take_token` took back to the address and to its network."""
        for each, share in address_buckets(key, self.rate_limit.network_factor):
            full_at = self.full_at.get(each)
            if full_at is None:
                # The bucket was evicted meanwhile, which has filled it.
                continue
            self.full_at[each] = full_at - 1.0 / (self.rate_limit.rate * share)
            if self.full_at[each] <= now:
                del self.full_at[each]

    def charge(self, key: AddressKey, tokens: float, now: float) -> None:
        """Take tokens from an address and its network even where they have too few; the debt is bounded."""
        longest = _MAX_DEBT_BURSTS * self.rate_limit.burst / self.rate_limit.rate
        for each, share in address_buckets(key, self.rate_limit.network_factor):
            owed = max(self.full_at.get(each, now), now) + tokens / (self.rate_limit.rate * share)
            self.full_at[each] = min(owed, now + longest)
            self.full_at.move_to_end(each)
        self.prune(now)

    def seconds_until(self, key: AddressKey, tokens: float, now: float) -> float:
        """Seconds after which an address and its network have so many tokens, at most their burst; 0 if they do."""
        burst, rate = self.rate_limit.burst, self.rate_limit.rate
        buckets = address_buckets(key, self.rate_limit.network_factor)
        return max(
            0.0,
            *(
                self.full_at.get(each, now) - now - (burst - min(tokens / share, burst)) / rate
                for each, share in buckets
            ),
        )

    def prune(self, now: float) -> None:
        """Remove the least recently used buckets while they are full or too many."""
        while self.full_at:
            oldest = next(iter(self.full_at))
            if self.full_at[oldest] > now and len(self.full_at) <= self.rate_limit.tracked_addresses:
                return
            del self.full_at[oldest]

    def _full_after(self, key: AddressKey, share: int, now: float) -> float:
        """The time at which the bucket of `share` addresses is full again if one more token is taken."""
        return max(self.full_at.get(key, now), now) + 1.0 / (self.rate_limit.rate * share)


@define
class GuessBudgets:
    """The budgets of each address for wrong guesses, one for each kind of secret, so that kinds do not add up.

    Attributes:
        sessions: for joining sessions that do not exist.
        passwords: for wrong passwords of sessions.
        tokens: for tokens with a wrong signature.

    """

    sessions: AddressBudget
    passwords: AddressBudget
    tokens: AddressBudget

    @classmethod
    def of(cls, limits: Limits) -> GuessBudgets:
        """Create full budgets with the rate limit of guesses."""
        return cls(*(AddressBudget(guess_rate(limits)) for _ in range(3)))

    def reload_limits(self, limits: Limits) -> None:
        """Replace the limits; what addresses have used of their budgets stays charged."""
        for budget in (self.sessions, self.passwords, self.tokens):
            budget.rate_limit = guess_rate(limits)

    def prune(self, now: float) -> None:
        """Forget addresses whose budgets are full again; call this now and then."""
        for budget in (self.sessions, self.passwords, self.tokens):
            budget.prune(now)


@define
class ConnectionBudget:
    """Admission control: bounds the open connections in all and of each address, and the rate of new ones.

    Attributes:
        limits: the limits.
        total: the number of open connections.
        addresses: the number of open connections of each address and network.
        new_connections: the budget of each address for new connections.
        offences: the budget of each address for connections that are closed for their peer's misbehaviour.

    """

    limits: Limits
    total: int = 0
    addresses: dict[AddressKey, int] = field(factory=dict)
    new_connections: AddressBudget = field(init=False)
    offences: AddressBudget = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Create the budgets from the limits."""
        self.new_connections = AddressBudget(connection_rate(self.limits))
        self.offences = AddressBudget(_offence_rate(self.limits))

    def reload_limits(self, limits: Limits) -> None:
        """Replace the limits; connections beyond the new ones stay open."""
        self.limits = limits
        self.new_connections.rate_limit = connection_rate(limits)
        self.offences.rate_limit = _offence_rate(limits)

    def admit(self, key: AddressKey, now: float) -> ErrorCode | None:
        """Count a new connection of an address, or return the error that rejects it; `release` frees it again."""
        limits = self.limits
        if self.total >= limits.connections:
            return ErrorCode.SERVER_FULL
        counted = address_buckets(key, limits.network_factor)
        if any(self.addresses.get(each, 0) >= limits.address_connections * share for each, share in counted):
            return ErrorCode.TOO_MANY_CONNECTIONS
        if not self.new_connections.take_token(key, now):
            return ErrorCode.TOO_MANY_NEW_CONNECTIONS
        for each, _ in counted:
            self.addresses[each] = self.addresses.get(each, 0) + 1
        self.total += 1
        return None

    def release(self, key: AddressKey) -> None:
        """Free an admitted connection of an address when it has closed."""
        for each, _ in address_buckets(key, self.limits.network_factor):
            self.addresses[each] -= 1
            if not self.addresses[each]:
                del self.addresses[each]
        self.total -= 1

    def charge_offence(self, key: AddressKey, now: float) -> None:
        """Charge an address for a connection that had to be closed for its peer's misbehaviour."""
        self.offences.charge(key, 1, now)

    def has_offended(self, key: AddressKey, now: float) -> bool:
        """Whether an address or its network still pays for offences, so that its new connections start slowly."""
        return not self.offences.has_token(key, now)

    def prune(self, now: float) -> None:
        """Remove the buckets of addresses that owe nothing; call this now and then."""
        self.new_connections.prune(now)
        self.offences.prune(now)


def address_buckets(key: AddressKey, factor: int) -> tuple[tuple[AddressKey, int], ...]:
    """The buckets that an address counts in: its own, and its network's with the size of `factor` addresses."""
    if "/" not in key:
        # An IPv4 address, as most are; an opening handshake asks for its buckets twelve times.
        return ((key, 1),)
    network = network_key(key)
    return ((key, 1),) if network is None else ((key, 1), (network, factor))
