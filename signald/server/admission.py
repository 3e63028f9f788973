"""Admission control of connections: by transport address, then by client address once a proxy header names it."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from functools import lru_cache

from attrs import define, field

from signald.core.budgets import AddressBudget, ConnectionBudget, http_request_rate
from signald.core.errors import ErrorCode
from signald.core.limits import AddressKey, Limits, address_key
from signald.monitoring.metrics import LIMIT_OF, Metrics
from signald.net.proxies import Network, is_trusted

__all__ = ["Admission", "AdmissionTicket", "recent_key"]

_FORGET_SECONDS = 60.0
"""Seconds between two searches for addresses whose budgets are full again. Their number grows with new connections
alone, so it is enough to search when one arrives."""

_RECENT_ADDRESSES = 1024
"""Addresses whose key is remembered: a connection needs its key three times until it is open, each time in 4 µs."""


@lru_cache(_RECENT_ADDRESSES)
def recent_key(address: str) -> AddressKey:
    """The key under which an address is counted (`address_key`), remembered for the next steps of a connection."""
    return address_key(address)


@define
class Admission:
    """Admits transports before their first request, when no proxy can have named the client yet.

    Without it one address could hold every descriptor for as long as a request may take, again and again, or keep
    the processor busy with TLS handshakes. All ports of a server share one, since they share the descriptors.

    Attributes:
        limits: the bounds of an address: those of its WebSockets, but counted apart.
        trusted_proxies: the networks of proxies that may have any number of transports, since they speak for many.
        metrics: counts the transports that are refused, which are sent no error.

    """

    limits: Limits
    trusted_proxies: Sequence[Network] = ()
    metrics: Metrics = field(factory=Metrics)
    _budget: ConnectionBudget = field(init=False)
    _forget_at: float = field(default=-math.inf, init=False)
    _counted: list[Collection[object]] = field(factory=list, init=False)
    _requests: AddressBudget = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Start with nothing counted."""
        self._budget = ConnectionBudget(self.limits)
        self._requests = AddressBudget(http_request_rate(self.limits))

    def reload_limits(self, limits: Limits, trusted_proxies: Sequence[Network]) -> None:
        """Use other limits and trust other proxies from the next transport or request on."""
        self.limits, self.trusted_proxies = limits, trusted_proxies
        self._budget.reload_limits(limits)
        self._requests.rate_limit = http_request_rate(limits)

    def count_among_all(self, connections: Collection[object]) -> None:
        """Count these connections towards the total; their owner goes on to add and to remove some."""
        self._counted.append(connections)

    def is_full(self) -> bool:
        """Whether there are as many connections as are allowed, on all ports and of all kinds."""
        return sum(map(len, self._counted)) >= self.limits.connections

    def admit(self, address: str, now: float) -> AddressKey | ErrorCode | None:
        """Count one more transport from an address, until `release` of the key that is returned.

        Returns:
            the key; an error where the transport is refused; None where it is a trusted proxy's, which is not counted.

        """
        if self.is_full():
            return ErrorCode.SERVER_FULL
        if is_trusted(address, self.trusted_proxies):
            return None
        if now >= self._forget_at:
            self._budget.prune(now)
            self._forget_at = now + _FORGET_SECONDS
        key = recent_key(address)
        return self._budget.admit(key, now) or key

    def admit_request(self, address: str, now: float) -> bool:
        """Take one HTTP request from the rate limit of a client's address behind its proxies; False refuses it.

        A trusted proxy's own requests, with which it checks the server's health, are not counted.
        """
        if is_trusted(address, self.trusted_proxies):
            return True
        return self._requests.take_token(recent_key(address), now)

    def release(self, key: AddressKey) -> None:
        """Give back an admitted transport: it ended, or it is counted by its client's address now."""
        self._budget.release(key)


@define
class AdmissionTicket:
    """The parts of the budgets that one connection holds; each is given back once.

    Attributes:
        admission: admits it as a transport, by the address of its other end.
        budget: admits it as a WebSocket, by its client's address.

    """

    admission: Admission
    budget: ConnectionBudget
    _transport: AddressKey | None = field(default=None, init=False)
    _websocket: AddressKey | None = field(default=None, init=False)

    def admit_transport(self, address: str, now: float) -> ErrorCode | None:
        """Count the connection by the address of its other end; an error, which is counted, where it is refused."""
        answer = self.admission.admit(address, now)
        if isinstance(answer, ErrorCode):
            self.admission.metrics.count_limit_hit(LIMIT_OF[answer])
            return answer
        self._transport = answer
        return None

    @property
    def transport_key(self) -> AddressKey | None:
        """The address that the transport is counted by; None for a trusted proxy, and after `release_transport`."""
        return self._transport

    def admit_websocket(self, key: AddressKey, now: float) -> ErrorCode | None:
        """Count the connection as a WebSocket of its client's address; an error where it is refused."""
        refused = self.budget.admit(key, now)
        if refused is None:
            self._websocket = key
        return refused

    def charge_offence(self, now: float) -> None:
        """Charge the client's address for what its peer did; new WebSockets from there start slowly for a while."""
        if self._websocket is not None:
            self.budget.charge_offence(self._websocket, now)

    def release_transport(self) -> None:
        """Stop to count the connection by the address of its other end."""
        if self._transport is not None:
            self.admission.release(self._transport)
            self._transport = None

    def release_all(self) -> None:
        """Give back everything: the connection ended."""
        self.release_transport()
        if self._websocket is not None:
            self.budget.release(self._websocket)
            self._websocket = None
