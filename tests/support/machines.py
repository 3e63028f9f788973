"""Builds the descriptions of machines for tests: host names, addresses, and a time of day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from ipaddress import ip_address

from signald.net.addresses import Address, Names, best_address, usable

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()
"""The wall time of the tests, in seconds since the epoch."""

HOUR = 3600.0
"""The seconds of an hour."""

DAY = 86400.0
"""The seconds of a day."""


def addresses(*texts: str) -> tuple[Address, ...]:
    """Parse texts as IP addresses."""
    return tuple(map(ip_address, texts))


def machine(host: str | None = "attic", texts: Iterable[str] = ("192.168.1.20",)) -> Names:
    """Return a machine with this host name and these addresses in addition to the loopback addresses."""
    found = usable(addresses(*texts))
    return Names(host, found, best_address(found, []))
