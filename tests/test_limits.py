"""Limits, token buckets and the budgets of addresses."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald.errors import ErrorCode
from signald.limits import AddressKey, ConnectionBudget, Limits, TokenBucket, address_key

ANN = AddressKey("192.0.2.1")
BOB = AddressKey("192.0.2.2")


class LimitsTests(SynchronousTestCase):
    """Limits as an operator sets them."""

    def test_a_value_out_of_range_is_refused(self) -> None:
        """Each limit has its own bounds, and none is endless."""
        for limit in ({"message_bytes": 0}, {"session_members": 1}):
            self.assertRaises(ValueError, Limits, **limit)
        for seconds in (-1.0, math.inf, math.nan):
            self.assertRaises(ValueError, Limits, ping_seconds=seconds)

    def test_a_whole_limit_takes_no_fraction(self) -> None:
        """Also when it is made in code."""
        self.assertRaises(ValueError, Limits, message_bytes=4096.5)


class TokenBucketTests(SynchronousTestCase):
    """A budget that refills."""

    def test_it_holds_its_burst_and_refills_at_its_rate(self) -> None:
        """Never more than the burst, however long it waits."""
        bucket = TokenBucket.full(rate=2.0, burst=3, now=0.0)
        self.assertEqual([bucket.take(0.0) for _ in range(4)], [True, True, True, False])
        self.assertFalse(bucket.has(0.4))
        self.assertTrue(bucket.take(0.5))
        self.assertEqual([bucket.take(100.0) for _ in range(4)], [True, True, True, False])

    def test_a_clock_that_stands_still_or_steps_back_gives_nothing(self) -> None:
        """Nor does it take anything away."""
        bucket = TokenBucket.full(rate=1.0, burst=1, now=10.0)
        self.assertTrue(bucket.take(10.0))
        self.assertFalse(bucket.take(9.0))
        self.assertFalse(bucket.is_full(10.5))
        self.assertTrue(bucket.is_full(11.0))

    @given(st.lists(st.floats(0, 1), max_size=200))
    def test_it_never_gives_more_than_it_may(self, steps: list[float]) -> None:
        """In any time: the burst and the rate times the time."""
        bucket = TokenBucket.full(rate=5.0, burst=10, now=0.0)
        now, taken = 0.0, 0
        for step in steps:
            now += step
            taken += bucket.take(now)
        self.assertLessEqual(taken, 10 + 5.0 * now + 1e-6)


class AddressKeyTests(SynchronousTestCase):
    """What counts as one address."""

    def test_forms(self) -> None:
        """IPv4 whole, also mapped into IPv6; IPv6 by /64, without its zone; anything else is itself."""
        for address, key in (
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::", "2001:db8:1:2::/64"),
            ("fe80::1%eth0", "fe80::/64"),
            ("/run/socket", "/run/socket"),
            ("", ""),
        ):
            self.assertEqual(address_key(address), key)


class ConnectionBudgetTests(SynchronousTestCase):
    """Which connections are admitted."""

    def test_an_address_has_so_many_connections(self) -> None:
        """Another address is not affected, and a closed connection makes room."""
        budget = ConnectionBudget(Limits(address_connections=2))
        self.assertEqual([budget.admit(ANN, 0.0) for _ in range(2)], [None, None])
        self.assertEqual(budget.admit(ANN, 0.0), ErrorCode.TOO_MANY_CONNECTIONS)
        self.assertIsNone(budget.admit(BOB, 0.0))
        budget.release(ANN)
        self.assertIsNone(budget.admit(ANN, 0.0))
        self.assertEqual(budget.total, 3)

    def test_an_address_connects_so_often(self) -> None:
        """Closing a connection does not give the arrival back; time does."""
        budget = ConnectionBudget(Limits(address_connection_burst=1, address_connection_rate=1.0))
        self.assertIsNone(budget.admit(ANN, 0.0))
        budget.release(ANN)
        self.assertEqual(budget.admit(ANN, 0.5), ErrorCode.TOO_MANY_CONNECTIONS)
        self.assertIsNone(budget.admit(ANN, 1.0))

    def test_the_server_has_so_many_connections(self) -> None:
        """Past the total nobody is admitted, and nothing is counted."""
        budget = ConnectionBudget(Limits(connections=1))
        self.assertIsNone(budget.admit(ANN, 0.0))
        self.assertEqual(budget.admit(BOB, 0.0), ErrorCode.SERVER_FULL)
        self.assertEqual((budget.total, set(budget.addresses)), (1, {ANN}))

    def test_addresses_are_forgotten(self) -> None:
        """Once they have no connection and their budget is whole again."""
        budget = ConnectionBudget(Limits())
        budget.admit(ANN, 0.0)
        budget.tick(10.0)
        self.assertEqual(set(budget.addresses), {ANN})
        budget.release(ANN)
        budget.tick(10.0)
        self.assertEqual(budget.addresses, {})
