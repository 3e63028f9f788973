"""Tests of the bounds of log lines about clients."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.limits import AddressKey
from signald.monitoring.line_budget import (
    ADDRESS_BURST,
    ADDRESS_RATE,
    REPORT_SECONDS,
    TOTAL_BURST,
    TOTAL_RATE,
    LineBudget,
)

HOSTILE, OTHER = AddressKey("192.0.2.66"), AddressKey("192.0.2.67")


class LineBudgetTests(SynchronousTestCase):
    """Lines about one address, and about all, are bounded, and those that are left out are counted."""

    def count(self, budget: LineBudget, address: AddressKey | None, times: int, now: float = 0.0) -> int:
        """Return how many of so many lines may be written."""
        return sum(budget.allows(address, now) for _ in range(times))

    def test_one_address(self) -> None:
        """One address uses up its own budget alone, which fills again with time."""
        budget = LineBudget()
        self.assertEqual(self.count(budget, HOSTILE, ADDRESS_BURST + 50), ADDRESS_BURST)
        self.assertEqual(self.count(budget, OTHER, 5), 5)
        self.assertEqual(self.count(budget, HOSTILE, 100, now=1.0), ADDRESS_RATE)

    def test_many_addresses(self) -> None:
        """All addresses together have a budget too, and so have lines about nobody's address."""
        budget = LineBudget()
        allowed = sum(self.count(budget, AddressKey(f"192.0.2.{number}"), 400) for number in range(20))
        self.assertEqual(allowed, TOTAL_BURST)
        self.assertEqual(self.count(budget, None, 10), 0)
        self.assertEqual(self.count(budget, None, 1000, now=1.0), TOTAL_RATE)

    def test_reports(self) -> None:
        """What was left out is reported once a minute at most, and not where there is nothing to report."""
        budget = LineBudget()
        self.assertEqual(budget.take_report(0.0), 0)
        self.count(budget, HOSTILE, ADDRESS_BURST + 3)
        self.assertEqual([budget.take_report(0.0), budget.take_report(0.0)], [3, 0])
        self.count(budget, HOSTILE, 2)
        self.assertEqual(budget.take_report(REPORT_SECONDS - 1), 0)
        self.assertEqual(budget.take_report(REPORT_SECONDS), 2)
