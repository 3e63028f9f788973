"""What each address has left: budgets of connections, requests, new sessions and wrong guesses; pure.

An IPv6 /64 counts as one address, and the /48 around it as `network_factor` of them: who has a whole /48 has 65,536
addresses to count under. The memory is bounded, however many addresses there are.
"""

from __future__ import annotations

from collections import OrderedDict

from attrs import define, field, frozen

from signald.core.errors import ErrorCode
from signald.core.limits import AddressKey, Limits, network_key

__all__ = [
    "OFFENCE",
    "AddressBudget",
    "ConnectionBudget",
    "RateLimit",
    "guesses",
    "new_connections",
    "new_sessions",
    "requests",
]

OFFENCE = 20
"""New connections that one counts as which had to be closed for what its peer did: coming again is no way to begin with
a whole budget of messages as often as one may connect."""

_LONGEST_DEBT = 10
"""How many times its burst an address may owe at most."""

_GRAIN = 0.001
"""Of a token, that sums of fractions may be wrong by."""


@frozen
class RateLimit:
    """What an address may.

    Attributes:
        rate: tokens per second, in the long run.
        burst: tokens at once.
        factor: how many addresses a /48 network counts as.
        most: addresses that are remembered.

    """

    rate: float
    burst: float
    factor: int
    most: int


def new_connections(limits: Limits) -> RateLimit:
    """How fast an address may connect."""
    return _terms(limits, limits.address_connection_rate, limits.address_connection_burst)


def requests(limits: Limits) -> RateLimit:
    """How fast an address may ask for something by HTTP."""
    return _terms(limits, limits.address_request_rate, limits.address_request_burst)


def new_sessions(limits: Limits) -> RateLimit:
    """How fast sessions may be opened from an address, whatever identities it takes on."""
    return _terms(limits, limits.address_session_rate, limits.address_session_burst)


def guesses(limits: Limits) -> RateLimit:
    """How often an address may guess wrongly: session ids, or passwords."""
    return _terms(limits, limits.failed_guesses / limits.failed_guesses_seconds, limits.failed_guesses)


def _terms(limits: Limits, rate: float, burst: float) -> RateLimit:
    return RateLimit(rate, burst, limits.network_factor, limits.tracked_addresses)


@define
class AddressBudget:
    """A token bucket for each address, kept as the one number that says when it is full again.

    That is the generic cell rate algorithm in its form of virtual scheduling (ITU-T I.371, Annex A): it decides as a
    bucket of tokens does. A bucket that is full is forgotten; when too many are not, those that were used the longest
    ago are. Whoever has that many addresses gains nothing by it.

    Attributes:
        terms: what an address may; others may take their place, and count for what is owed too.
        full_at: when each bucket is full again, monotonic seconds; in the order of their last use.

    """

    terms: RateLimit
    full_at: OrderedDict[AddressKey, float] = field(factory=OrderedDict)

    def has(self, key: AddressKey, now: float) -> bool:
        """Whether an address, and its network, have a token."""
        longest = (self.terms.burst + _GRAIN) / self.terms.rate
        return all(self._after(each, share, now) - now <= longest for each, share in _counted(key, self.terms.factor))

    def take(self, key: AddressKey, now: float) -> bool:
        """Take a token of an address and one of its network if both have one; whether they had."""
        if not self.has(key, now):
            return False
        for each, share in _counted(key, self.terms.factor):
            self.full_at[each] = self._after(each, share, now)
            self.full_at.move_to_end(each)
        self.forget(now)
        return True

    def charge(self, key: AddressKey, tokens: float, now: float) -> None:
        """Take that many tokens of an address and of its network, whether or not they are there; a debt is bounded."""
        longest = _LONGEST_DEBT * self.terms.burst / self.terms.rate
        for each, share in _counted(key, self.terms.factor):
            owed = max(self.full_at.get(each, now), now) + tokens / (self.terms.rate * share)
            self.full_at[each] = min(owed, now + longest)
            self.full_at.move_to_end(each)
        self.forget(now)

    def forget(self, now: float) -> None:
        """Forget the oldest as long as they are full, or too many."""
        while self.full_at:
            oldest = next(iter(self.full_at))
            if self.full_at[oldest] > now and len(self.full_at) <= self.terms.most:
                return
            del self.full_at[oldest]

    def _after(self, key: AddressKey, share: int, now: float) -> float:
        """When a bucket of so many addresses would be full again after one more token was taken."""
        return max(self.full_at.get(key, now), now) + 1.0 / (self.terms.rate * share)


@define
class ConnectionBudget:
    """Admits connections within the total and within each address's number and rate.

    Attributes:
        limits: the bounds.
        total: connections that are open now.
        addresses: how many of them each address and network has.
        arrivals: how fast they come.

    """

    limits: Limits
    total: int = 0
    addresses: dict[AddressKey, int] = field(factory=dict)
    arrivals: AddressBudget = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Begin with nothing counted."""
        self.arrivals = AddressBudget(new_connections(self.limits))

    def configure(self, limits: Limits) -> None:
        """Go on with other limits; connections that are too many by now stay."""
        self.limits = limits
        self.arrivals.terms = new_connections(limits)

    def admit(self, key: AddressKey, now: float) -> ErrorCode | None:
        """Count one more connection of that address, or say why not; what was admitted is given back by `release`."""
        limits = self.limits
        if self.total >= limits.connections:
            return ErrorCode.SERVER_FULL
        counted = _counted(key, limits.network_factor)
        if any(self.addresses.get(each, 0) >= limits.address_connections * share for each, share in counted):
            return ErrorCode.TOO_MANY_CONNECTIONS
        if not self.arrivals.take(key, now):
            return ErrorCode.TOO_MANY_NEW_CONNECTIONS
        for each, _ in counted:
            self.addresses[each] = self.addresses.get(each, 0) + 1
        self.total += 1
        return None

    def release(self, key: AddressKey) -> None:
        """One admitted connection of that address is closed."""
        for each, _ in _counted(key, self.limits.network_factor):
            self.addresses[each] -= 1
            if not self.addresses[each]:
                del self.addresses[each]
        self.total -= 1

    def offended(self, key: AddressKey, now: float) -> None:
        """A connection of that address had to be closed for what its peer did."""
        self.arrivals.charge(key, OFFENCE, now)

    def tick(self, now: float) -> None:
        """Forget addresses that owe nothing; to be called now and then."""
        self.arrivals.forget(now)


def _counted(key: AddressKey, factor: int) -> tuple[tuple[AddressKey, int], ...]:
    """What something from an address counts under: itself, and its network as so many addresses."""
    network = network_key(key)
    return ((key, 1),) if network is None else ((key, 1), (network, factor))
