"""The budgets of addresses."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald.core.budgets import (
    AddressBudget,
    ConnectionBudget,
    RateLimit,
    guesses,
    new_connections,
    new_sessions,
    requests,
)
from signald.core.errors import ErrorCode
from signald.core.limits import AddressKey, Limits, TokenBucket, address_key

ANN = AddressKey("192.0.2.1")
BOB = AddressKey("192.0.2.2")


def in_network(number: int) -> AddressKey:
    """One of the 65,536 /64 networks of one /48."""
    return address_key(f"2001:db8:7:{number:x}::1")


class TermsTests(SynchronousTestCase):
    """What the limits say of each budget."""

    def test_terms(self) -> None:
        """Each has a rate and a burst of its own; all have the factor of networks and the bound of memory."""
        limits = Limits(
            address_connection_rate=1.0,
            address_connection_burst=2,
            address_request_rate=3.0,
            address_request_burst=4,
            address_session_rate=5.0,
            address_session_burst=6,
            failed_guesses=7,
            failed_guesses_seconds=14.0,
            network_factor=8,
            tracked_addresses=99,
        )
        self.assertEqual(new_connections(limits), RateLimit(1.0, 2, 8, 99))
        self.assertEqual(requests(limits), RateLimit(3.0, 4, 8, 99))
        self.assertEqual(new_sessions(limits), RateLimit(5.0, 6, 8, 99))
        self.assertEqual(guesses(limits), RateLimit(0.5, 7, 8, 99))


class AddressBudgetTests(SynchronousTestCase):
    """A token bucket for each address."""

    def test_a_charge(self) -> None:
        """It is taken whether or not it is there, of the network too, and the debt ends some time."""
        budget = AddressBudget(RateLimit(1.0, 3, 2, 100))
        budget.charge(ANN, 5, 0.0)
        self.assertFalse(budget.take(ANN, 2.9))
        self.assertTrue(budget.take(ANN, 3.0))
        self.assertTrue(budget.take(BOB, 0.0))
        budget.charge(in_network(1), 12, 0.0)
        self.assertFalse(budget.has(in_network(2), 0.9))
        budget.charge(BOB, 10**9, 0.0)
        self.assertTrue(budget.take(BOB, 30.0))

    def test_burst_and_rate(self) -> None:
        """So many at once, then as time goes; each address has its own."""
        budget = AddressBudget(RateLimit(2.0, 3, 16, 100))
        self.assertEqual([budget.take(ANN, 10.0) for _ in range(4)], [True, True, True, False])
        self.assertFalse(budget.has(ANN, 10.4))
        self.assertTrue(budget.has(ANN, 10.5))
        self.assertTrue(budget.take(BOB, 10.0))
        self.assertEqual([budget.take(ANN, 99.0) for _ in range(4)], [True, True, True, False])

    @given(
        st.sampled_from([(50.0, 300), (10 / 1800, 10), (0.3, 1), (7.0, 5)]),
        st.floats(0, 1e7),
        st.lists(st.floats(0, 3), max_size=100),
    )
    def test_it_decides_as_a_bucket_of_tokens(self, terms: tuple[float, int], now: float, steps: list[float]) -> None:
        """Whatever the rate, the burst and the moments; but for a thousandth of a token."""
        rate, burst = terms
        budget, bucket = AddressBudget(RateLimit(rate, burst, 16, 100)), TokenBucket.full(rate, burst, now)
        for step in steps:
            now += step
            bucket.take(now, 0.0)
            if abs(bucket.tokens - 1.0) < 0.01:
                # Either may be right.
                return
            self.assertEqual(budget.take(ANN, now), bucket.take(now))

    def test_a_network_counts_as_so_many_addresses(self) -> None:
        """However many of its own a /48 has; another network is not affected, and nothing is taken in vain."""
        budget = AddressBudget(RateLimit(1.0, 2, 3, 100))
        taken = [budget.take(in_network(number), 0.0) for number in range(10)]
        self.assertEqual(taken, [True] * 6 + [False] * 4)
        self.assertNotIn(in_network(9), budget.full_at)
        self.assertTrue(budget.take(address_key("2001:db8:8::1"), 0.0))
        self.assertEqual([budget.take(in_network(0), 0.4) for _ in range(2)], [True, False])

    def test_memory(self) -> None:
        """What is full is forgotten, the oldest first; and the oldest anyhow when there are too many."""
        budget = AddressBudget(RateLimit(1.0, 2, 16, 64))
        for number in range(1000):
            budget.take(AddressKey(f"a{number}"), 0.0)
        self.assertEqual(list(budget.full_at), [f"a{number}" for number in range(936, 1000)])
        budget.take(AddressKey("a936"), 0.5)
        budget.forget(1.0)
        self.assertEqual(list(budget.full_at), ["a936"])
        budget.forget(2.0)
        self.assertEqual(list(budget.full_at), [])

    def test_other_terms(self) -> None:
        """They take the place of the old ones at once; what is owed stays owed."""
        budget = AddressBudget(RateLimit(1.0, 2, 16, 100))
        for _ in range(2):
            budget.take(ANN, 0.0)
        budget.terms = RateLimit(1.0, 3, 16, 100)
        self.assertEqual([budget.take(ANN, 0.0) for _ in range(2)], [True, False])


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

    def test_a_network_has_so_many_connections(self) -> None:
        """As many as so many addresses; a closed one makes room, and nothing is left of the last."""
        budget = ConnectionBudget(Limits(address_connections=2, network_factor=3))
        answers = [budget.admit(in_network(number), 0.0) for number in range(7)]
        self.assertEqual(answers, [None] * 6 + [ErrorCode.TOO_MANY_CONNECTIONS])
        budget.release(in_network(0))
        self.assertIsNone(budget.admit(in_network(6), 0.0))
        for number in range(1, 7):
            budget.release(in_network(number))
        self.assertEqual((budget.total, budget.addresses), (0, {}))

    def test_an_address_connects_so_often(self) -> None:
        """Closing a connection does not give the arrival back; time does."""
        budget = ConnectionBudget(Limits(address_connection_burst=1, address_connection_rate=1.0))
        self.assertIsNone(budget.admit(ANN, 0.0))
        budget.release(ANN)
        self.assertEqual(budget.admit(ANN, 0.5), ErrorCode.TOO_MANY_NEW_CONNECTIONS)
        self.assertIsNone(budget.admit(ANN, 1.0))

    def test_the_server_has_so_many_connections(self) -> None:
        """Past the total nobody is admitted, and nothing is counted."""
        budget = ConnectionBudget(Limits(connections=1))
        self.assertIsNone(budget.admit(ANN, 0.0))
        self.assertEqual(budget.admit(BOB, 0.0), ErrorCode.SERVER_FULL)
        self.assertEqual((budget.total, budget.addresses), (1, {ANN: 1}))

    def test_addresses_are_forgotten(self) -> None:
        """Their number when they have no connection, their rate when it is whole again."""
        budget = ConnectionBudget(Limits())
        budget.admit(ANN, 0.0)
        budget.tick(10.0)
        self.assertEqual((budget.addresses, dict(budget.arrivals.full_at)), ({ANN: 1}, {}))
        budget.release(ANN)
        self.assertEqual(budget.addresses, {})

    def test_other_limits(self) -> None:
        """Connections that are too many by now stay, and are given back."""
        budget = ConnectionBudget(Limits())
        for _ in range(3):
            budget.admit(ANN, 0.0)
        budget.configure(Limits(address_connections=2))
        self.assertEqual(budget.admit(ANN, 0.0), ErrorCode.TOO_MANY_CONNECTIONS)
        for _ in range(2):
            budget.release(ANN)
        self.assertIsNone(budget.admit(ANN, 0.0))
