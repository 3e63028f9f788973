"""What a connection is counted as: by the address of its other end until it says whose it is, and then by that."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from attrs import define, field

from signald.core.budgets import AddressBudget, ConnectionBudget, http_request_rate
from signald.core.errors import ErrorCode
from signald.core.limits import AddressKey, Limits, address_key
from signald.monitoring.metrics import LIMIT_OF, Metrics
from signald.net.proxies import Network, is_trusted

__all__ = ["Admission", "AdmissionTicket"]

_FORGET_SECONDS = 60.0
"""Between two looks for addresses that owe nothing any more; they grow with arrivals alone, so these suffice for it."""


@define
class Admission:
    """Admits connections before their first request, when a proxy cannot have said yet whose they are.

    Without it one address could hold every descriptor for as long as a request may take, again and again, or keep
    the processor busy with TLS handshakes. All ports of a server share one, since they share the descriptors.

    Attributes:
        limits: the bounds of an address, the same as those of its WebSockets but counted apart.
        trusted_proxies: these may have any number, since they speak for many.
        metrics: counts the transports that are refused, which nobody is told.

    """

    limits: Limits
    trusted_proxies: Sequence[Network] = ()
    metrics: Metrics = field(factory=Metrics)
    _budget: ConnectionBudget = field(init=False)
    _forget_at: float = field(default=-math.inf, init=False)
    _counted: list[Collection[object]] = field(factory=list, init=False)
    _requests: AddressBudget = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Begin with nothing counted."""
        self._budget = ConnectionBudget(self.limits)
        self._requests = AddressBudget(http_request_rate(self.limits))

    def configure(self, limits: Limits, trusted_proxies: Sequence[Network]) -> None:
        """Go on with other limits, and believe other proxies, from the next connection or request on."""
        self.limits, self.trusted_proxies = limits, trusted_proxies
        self._budget.reload_limits(limits)
        self._requests.rate_limit = http_request_rate(limits)

    def count(self, connections: Collection[object]) -> None:
        """Count those among all connections; their owner goes on to add to them and to take away."""
        self._counted.append(connections)

    def is_full(self) -> bool:
        """Whether there are as many connections as there may be, on all ports and of all kinds."""
        return sum(map(len, self._counted)) >= self.limits.connections

    def admit(self, address: str, now: float) -> AddressKey | ErrorCode | None:
        """Count one more connection from that address, until `release` of what is returned; or an error: refuse it.

        None for one that is not counted.
        """
        if self.is_full():
            return ErrorCode.SERVER_FULL
        if is_trusted(address, self.trusted_proxies):
            return None
        if now >= self._forget_at:
            self._budget.prune(now)
            self._forget_at = now + _FORGET_SECONDS
        key = address_key(address)
        return self._budget.admit(key, now) or key

    def may_request(self, address: str, now: float) -> bool:
        """Count one more HTTP request of a client, by the address that it has behind its proxies; or not: refuse it.

        A trusted proxy that asks for itself, to see whether the server is well, is not counted.
        """
        if is_trusted(address, self.trusted_proxies):
            return True
        return self._requests.take_token(address_key(address), now)

    def offended(self, key: AddressKey, now: float) -> None:
        """A connection of that address had to be closed for what its peer did."""
        self._budget.charge_offence(key, now)

    def release(self, key: AddressKey) -> None:
        """An admitted connection has said what it wants, or is gone."""
        self._budget.release(key)


@define
class AdmissionTicket:
    """What one connection holds of the budgets, each given back once.

    Attributes:
        admission: where it counts at first.
        budget: where it counts as a WebSocket.

    """

    admission: Admission
    budget: ConnectionBudget
    _arrived: AddressKey | None = field(default=None, init=False)
    _admitted: AddressKey | None = field(default=None, init=False)
    _other_end: AddressKey | None = field(default=None, init=False)

    def arrive(self, address: str, now: float) -> ErrorCode | None:
        """The connection is there; or why it may not, which is counted."""
        answer = self.admission.admit(address, now)
        if isinstance(answer, ErrorCode):
            self.admission.metrics.count_limit_hit(LIMIT_OF[answer])
            return answer
        self._arrived = self._other_end = answer
        return None

    def admit(self, key: AddressKey, now: float) -> ErrorCode | None:
        """It is to be a WebSocket; or why it may not."""
        refused = self.budget.admit(key, now)
        if refused is None:
            self._admitted = key
        return refused

    def offended(self, now: float) -> None:
        """It has to be closed for what its peer did, so that it counts as several of its address."""
        if self._admitted is not None:
            self.budget.charge_offence(self._admitted, now)
        if self._other_end is not None:
            self.admission.offended(self._other_end, now)

    def settle(self) -> None:
        """It no longer counts by its other end."""
        if self._arrived is not None:
            self.admission.release(self._arrived)
            self._arrived = None

    def leave(self) -> None:
        """It is gone."""
        self.settle()
        if self._admitted is not None:
            self.budget.release(self._admitted)
            self._admitted = None
