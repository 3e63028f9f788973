"""Finds a reverse proxy that was not named as trusted: one address that forwards for others and has most traffic."""

from __future__ import annotations

import math

from attrs import define, field
from twisted.logger import Logger

from signald.core.limits import AddressKey

__all__ = ["ForwardingTraffic"]

WINDOW_SECONDS = 60.0
"""Seconds of traffic that are judged together."""

LEAST_POINTS = 1000
"""Points (`signald.server.fairness`) of all addresses in a window, of which the share of one says something: thirty
connections with TLS."""

MOST_ADDRESSES = 64
"""Addresses that send X-Forwarded-For whose traffic is counted, at most: not more than one can have most of it."""

_log = Logger()


@define
class ForwardingTraffic:
    """Counts the traffic of all addresses, and of those whose X-Forwarded-For is not believed.

    Clients behind a proxy that `trusted_proxies` does not name count as one address and share its limits. A warning
    says so once, when more than half of a minute's traffic comes from one address that sends X-Forwarded-For; it does
    not name the address, since the log contains none.

    Attributes:
        unnamed_proxy: the address for which that was so in the last minute that was judged; None where there is none.

    """

    unnamed_proxy: AddressKey | None = field(default=None, init=False)
    _total: int = field(default=0, init=False)
    _points: dict[AddressKey, int] = field(factory=dict, init=False)
    """The points of the addresses that send X-Forwarded-For."""

    _window_ends: float = field(default=-math.inf, init=False)
    _is_warned: bool = field(default=False, init=False)

    def note_forwarding(self, address: AddressKey) -> None:
        """Count the traffic of an address that sends X-Forwarded-For and is not trusted."""
        if address not in self._points and len(self._points) >= MOST_ADDRESSES:
            del self._points[min(self._points, key=lambda known: self._points[known])]
        self._points.setdefault(address, 0)

    def count(self, address: AddressKey, points: int, now: float) -> None:
        """Count points that an address has spent."""
        if now >= self._window_ends:
            self._judge()
            self._window_ends = now + WINDOW_SECONDS
        self._total += points
        if address in self._points:
            self._points[address] += points

    def _judge(self) -> None:
        """Judge the minute that has ended, and begin the next one."""
        largest = max(self._points, key=lambda known: self._points[known], default=None)
        is_most = largest is not None and self._total >= LEAST_POINTS and self._points[largest] * 2 > self._total
        self.unnamed_proxy = largest if is_most else None
        self._total = 0
        self._points = dict.fromkeys(self._points, 0)
        if is_most and not self._is_warned:
            self._is_warned = True
            _log.warn(
                "more than half of all traffic comes from one address that sends X-Forwarded-For and is not trusted: "
                "if it is a proxy, name it in trusted_proxies, since all clients behind it share its limits",
                event="unnamed-proxy",
            )
