"""Limits, the token bucket, and the keys of addresses."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald.core.limits import AddressKey, Limits, TokenBucket, address_key, network_key


class LimitsTests(SynchronousTestCase):
    """The settings of an operator."""

    def test_a_value_out_of_range_is_refused(self) -> None:
        """Each limit has its own range, and none is infinite."""
        for limit in ({"message_bytes": 0}, {"session_members": 1}):
            self.assertRaises(ValueError, Limits, **limit)
        for seconds in (-1.0, math.inf, math.nan):
            self.assertRaises(ValueError, Limits, ping_seconds=seconds)

    def test_a_whole_limit_takes_no_fraction(self) -> None:
        """The range is also checked for limits that are created in code."""
        self.assertRaises(ValueError, Limits, message_bytes=4096.5)

    def test_a_refusal_names_the_range(self) -> None:
        """The message of a value that cannot be used names the limit, what it has to be, and the value."""
        for name, value, message in (
            ("message_bytes", 1023, "message_bytes: expected an integer of at least 1024, got 1023"),
            ("message_burst", 1.5, "message_burst: expected an integer of at least 1, got 1.5"),
            ("control_rate", 0.5, "control_rate: expected a number of at least 1, got 0.5"),
            ("control_rate", math.inf, "control_rate: expected a number of at least 1, got inf"),
        ):
            values: dict[str, Any] = {name: value}
            self.assertEqual(str(self.assertRaises(ValueError, Limits, **values)), message)


class TokenBucketTests(SynchronousTestCase):
    """A token bucket."""

    def test_it_holds_its_burst_and_refills_at_its_rate(self) -> None:
        """The bucket never holds more than its burst, however long it is idle."""
        bucket = TokenBucket.full(rate=2.0, burst=3, now=0.0)
        self.assertEqual([bucket.take(0.0) for _ in range(4)], [True, True, True, False])
        self.assertFalse(bucket.take(0.4))
        self.assertTrue(bucket.take(0.5))
        self.assertEqual([bucket.take(100.0) for _ in range(4)], [True, True, True, False])

    def test_a_clock_that_stands_still_or_steps_back_gives_nothing(self) -> None:
        """The bucket does not refill, and a refused request takes no token."""
        bucket = TokenBucket.full(rate=1.0, burst=1, now=10.0)
        self.assertTrue(bucket.take(10.0))
        self.assertFalse(bucket.take(9.0))
        self.assertFalse(bucket.take(10.5))
        self.assertTrue(bucket.take(11.0))

    def test_a_slow_start(self) -> None:
        """A slow start leaves so many tokens, and adds none; the rate and a refill fill the bucket."""
        for tokens, expected in ((8.0, 8), (99.0, 20)):
            bucket = TokenBucket.full(rate=1.0, burst=20, now=0.0)
            bucket.start_slowly(tokens)
            self.assertEqual([bucket.take(0.0) for _ in range(21)].count(True), expected)
            self.assertEqual([bucket.take(4.0) for _ in range(21)].count(True), 4)
            bucket.refill(5.0)
            self.assertEqual([bucket.take(5.0) for _ in range(21)].count(True), 20)

    @given(st.lists(st.floats(0, 1), max_size=200))
    def test_it_never_gives_more_than_it_may(self, steps: list[float]) -> None:
        """In any period the bucket allows at most the burst plus the rate times the period."""
        bucket = TokenBucket.full(rate=5.0, burst=10, now=0.0)
        now, taken = 0.0, 0
        for step in steps:
            now += step
            taken += bucket.take(now)
        self.assertLessEqual(taken, 10 + 5.0 * now + 1e-6)


class AddressKeyTests(SynchronousTestCase):
    """The key under which an address is counted."""

    def test_forms(self) -> None:
        """IPv4 counts by address, even if mapped into IPv6.

        IPv6 counts by /64 without its zone, and any other text is a key of its own.
        """
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

    def test_networks(self) -> None:
        """Only a /64 key has a /48 network."""
        for key, network in (
            ("2001:db8:1:2::/64", "2001:db8:1::/48"),
            ("2001:db8::/64", "2001:db8::/48"),
            ("::/64", "::/48"),
            ("192.0.2.1", None),
            ("/run/socket", None),
            ("", None),
        ):
            self.assertEqual(network_key(AddressKey(key)), network)
