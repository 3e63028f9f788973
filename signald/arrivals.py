"""Connections that have said nothing yet: counted by the address of the other end until they have."""

from __future__ import annotations

import math
from collections.abc import Sequence

from attrs import define, field

from signald.errors import ErrorCode
from signald.limits import AddressKey, ConnectionBudget, Limits, address_key
from signald.proxies import Network, is_trusted

__all__ = ["Arrivals"]

_FORGET_SECONDS = 60.0
"""Between two looks for addresses that owe nothing any more; they grow with arrivals alone, so these suffice for it."""


@define
class Arrivals:
    """Admits connections before their first request, when a proxy cannot have said yet whose they are.

    Without it one address could hold every descriptor for as long as a request may take, again and again, or keep
    the processor busy with TLS handshakes.

    Attributes:
        limits: the bounds of an address, the same as those of its WebSockets but counted apart.
        trusted_proxies: these may have any number, since they speak for many.

    """

    limits: Limits
    trusted_proxies: Sequence[Network] = ()
    _budget: ConnectionBudget = field(init=False)
    _forget_at: float = field(default=-math.inf, init=False)

    def __attrs_post_init__(self) -> None:
        """Begin with nothing counted."""
        self._budget = ConnectionBudget(self.limits)

    def admit(self, address: str, now: float) -> AddressKey | ErrorCode | None:
        """Count one more connection from that address, until `release` of what is returned; or an error: refuse it.

        None for one that is not counted.
        """
        if is_trusted(address, self.trusted_proxies):
            return None
        if now >= self._forget_at:
            self._budget.tick(now)
            self._forget_at = now + _FORGET_SECONDS
        key = address_key(address)
        return self._budget.admit(key, now) or key

    def release(self, key: AddressKey) -> None:
        """An admitted connection has said what it wants, or is gone."""
        self._budget.release(key)
