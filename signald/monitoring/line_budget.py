"""Bounds the log lines about clients, so that a hostile client cannot fill the disk or hide what others did."""

from __future__ import annotations

from attrs import define, field

from signald.core.budgets import AddressBudget, RateLimit
from signald.core.limits import AddressKey, Limits, TokenBucket

__all__ = ["ADDRESS_BURST", "ADDRESS_RATE", "LineBudget"]

ADDRESS_RATE, ADDRESS_BURST = 20.0, 500
"""Lines per second about the clients of one address in the long run, and at once: a call of two has about twenty."""

TOTAL_RATE, TOTAL_BURST = 300.0, 6000
"""Lines per second about all clients, and at once: systemd's journal drops what exceeds 10,000 in 30 s."""

REPORT_SECONDS = 60.0
"""The least time between two reports about lines that were not written."""


@define
class LineBudget:
    """Decides whether one more line about a client may be written, and counts those that may not.

    Attributes:
        suppressed: the lines that were not written since the last report.

    """

    suppressed: int = 0
    _addresses: AddressBudget = field(init=False)
    _total: TokenBucket = field(init=False)
    _report_due: float = float("-inf")

    def __attrs_post_init__(self) -> None:
        """Create full budgets."""
        limits = Limits()
        rate = RateLimit(ADDRESS_RATE, ADDRESS_BURST, limits.network_factor, limits.tracked_addresses)
        self._addresses = AddressBudget(rate)
        self._total = TokenBucket.full(TOTAL_RATE, TOTAL_BURST, 0.0)

    def allows(self, address: AddressKey | None, now: float) -> bool:
        """Whether a line may be written.

        Arguments:
            address: whose client it is about; None where it is about nobody's.
            now: monotonic seconds.

        """
        if address is not None and not self._addresses.take_token(address, now):
            self.suppressed += 1
            return False
        if not self._total.take(now):
            self.suppressed += 1
            return False
        return True

    def take_report(self, now: float) -> int:
        """Return how many lines were not written since the last report; 0 where none is due."""
        self._addresses.prune(now)
        if not self.suppressed or now < self._report_due:
            return 0
        count, self.suppressed = self.suppressed, 0
        self._report_due = now + REPORT_SECONDS
        return count
