"""Machines for the tests to be on: names and addresses, and a time of day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from ipaddress import ip_address

from signald.net.addresses import Address, Names, best_address, usable

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()
"""Wall time, seconds since the epoch."""

HOUR = 3600.0
"""Seconds."""

DAY = 86400.0
"""Seconds."""


def addresses(*texts: str) -> tuple[Address, ...]:
    """Addresses from their texts."""
    return tuple(map(ip_address, texts))


def machine(host: str | None = "attic", texts: Iterable[str] = ("192.168.1.20",)) -> Names:
    """A machine of this name with these addresses besides loopback."""
    found = usable(addresses(*texts))
    return Names(host, found, best_address(found, []))
