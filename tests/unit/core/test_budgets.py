"""Rate limits by address and admission control."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald.core.budgets import (
    AddressBudget,
    ConnectionBudget,
    GuessBudgets,
    RateLimit,
    connection_rate,
    guess_rate,
    http_request_rate,
    message_rate,
    session_rate,
)
from signald.core.errors import ErrorCode
from signald.core.limits import AddressKey, Limits, TokenBucket, address_key

ANN = AddressKey("192.0.2.1")
BOB = AddressKey("192.0.2.2")


def in_network(number: int) -> AddressKey:
    """One of the 65,536 /64 networks of one /48 network."""
    return address_key(f"2001:db8:7:{number:x}::1")


class RateLimitTests(SynchronousTestCase):
    """The rate limits that the settings define."""

    def test_each_budget_has_its_rate_limit(self) -> None:
        """Each budget has its own rate and burst; all share the network factor and the bound on tracked addresses."""
        limits = Limits(
            address_connection_rate=1.0,
            address_connection_burst=2,
            address_request_rate=3.0,
            address_request_burst=4,
            address_session_rate=5.0,
            address_session_burst=6,
            address_message_rate=9.0,
            address_message_burst=100,
            failed_guesses=7,
            failed_guesses_seconds=14.0,
            network_factor=8,
            tracked_addresses=99,
        )
        self.assertEqual(connection_rate(limits), RateLimit(1.0, 2, 8, 99))
        self.assertEqual(http_request_rate(limits), RateLimit(3.0, 4, 8, 99))
        self.assertEqual(session_rate(limits), RateLimit(5.0, 6, 8, 99))
        self.assertEqual(message_rate(limits), RateLimit(9.0, 100, 8, 99))
        self.assertEqual(guess_rate(limits), RateLimit(0.5, 7, 8, 99))


class AddressBudgetTests(SynchronousTestCase):
    """A token bucket for each address."""

    def test_a_charge(self) -> None:
        """A charge takes tokens even from an empty bucket, and from the network's bucket too; the debt is bounded."""
        budget = AddressBudget(RateLimit(1.0, 3, 2, 100))
        budget.charge(ANN, 5, 0.0)
        self.assertFalse(budget.take_token(ANN, 2.9))
        self.assertTrue(budget.take_token(ANN, 3.0))
        self.assertTrue(budget.take_token(BOB, 0.0))
        budget.charge(in_network(1), 12, 0.0)
        self.assertFalse(budget.has_token(in_network(2), 0.9))
        budget.charge(BOB, 10**9, 0.0)
        self.assertTrue(budget.take_token(BOB, 30.0))

    def test_seconds_until_there_are_tokens(self) -> None:
        """An address waits for its own bucket and for its network's; never for more than the burst."""
        budget = AddressBudget(RateLimit(2.0, 10, 2, 100))
        self.assertEqual(budget.seconds_until(ANN, 10, 0.0), 0.0)
        budget.charge(ANN, 14, 0.0)
        for tokens, seconds in ((0, 2.0), (1, 2.5), (10, 7.0), (99, 7.0)):
            self.assertEqual(budget.seconds_until(ANN, tokens, 0.0), seconds, tokens)
        self.assertEqual(budget.seconds_until(ANN, 1, 2.0), 0.5)
        self.assertEqual(budget.seconds_until(BOB, 1, 0.0), 0.0)
        for number in range(3):
            budget.charge(in_network(number), 10, 0.0)
        # The network, which counts as two addresses, owes ten tokens, of which it gets four in a second.
        self.assertEqual(budget.seconds_until(in_network(99), 0, 0.0), 2.5)
        self.assertEqual(budget.seconds_until(in_network(99), 1, 0.0), 2.75)
        self.assertEqual(budget.seconds_until(in_network(99), 1, 60.0), 0.0)

    def test_a_returned_token(self) -> None:
        """A token that is given back is there again for the address and its network; no budget exceeds its burst."""
        budget = AddressBudget(RateLimit(1.0, 2, 1, 100))
        for key, neighbour in ((BOB, BOB), (in_network(1), in_network(2))):
            for _ in range(2):
                budget.take_token(key, 0.0)
            self.assertFalse(budget.has_token(neighbour, 0.0))
            budget.return_token(key, 0.0)
            self.assertEqual([budget.take_token(neighbour, 0.0) for _ in range(2)], [True, False])
        budget.take_token(ANN, 0.0)
        budget.return_token(ANN, 5.0)
        budget.return_token(ANN, 5.0)
        self.assertNotIn(ANN, budget.full_at)
        self.assertEqual([budget.take_token(ANN, 5.0) for _ in range(3)], [True, True, False])

    def test_burst_and_rate(self) -> None:
        """An address can take its burst at once and then the rate; each address has its own bucket."""
        budget = AddressBudget(RateLimit(2.0, 3, 16, 100))
        self.assertEqual([budget.take_token(ANN, 10.0) for _ in range(4)], [True, True, True, False])
        self.assertFalse(budget.has_token(ANN, 10.4))
        self.assertTrue(budget.has_token(ANN, 10.5))
        self.assertTrue(budget.take_token(BOB, 10.0))
        self.assertEqual([budget.take_token(ANN, 99.0) for _ in range(4)], [True, True, True, False])

    @given(
        st.sampled_from([(50.0, 300), (10 / 1800, 10), (0.3, 1), (7.0, 5)]),
        st.floats(0, 1e7),
        st.lists(st.floats(0, 3), max_size=100),
    )
    def test_it_decides_as_a_bucket_of_tokens(self, limit: tuple[float, int], now: float, steps: list[float]) -> None:
        """It decides as a token bucket does for any rate, burst and times, up to a thousandth of a token."""
        rate, burst = limit
        budget, bucket = AddressBudget(RateLimit(rate, burst, 16, 100)), TokenBucket.full(rate, burst, now)
        for step in steps:
            now += step
            bucket.take(now, 0.0)
            if abs(bucket.tokens - 1.0) < 0.01:
                # The exact result is within the rounding error here, so the bucket may decide either way.
                return
            self.assertEqual(budget.take_token(ANN, now), bucket.take(now))

    def test_a_network_counts_as_so_many_addresses(self) -> None:
        """A /48 network has a fixed multiple of an address's tokens.

        The number of its addresses does not matter, and a refused token is not charged anywhere.
        """
        budget = AddressBudget(RateLimit(1.0, 2, 3, 100))
        taken = [budget.take_token(in_network(number), 0.0) for number in range(10)]
        self.assertEqual(taken, [True] * 6 + [False] * 4)
        self.assertNotIn(in_network(9), budget.full_at)
        self.assertTrue(budget.take_token(address_key("2001:db8:8::1"), 0.0))
        self.assertEqual([budget.take_token(in_network(0), 0.4) for _ in range(2)], [True, False])

    def test_memory(self) -> None:
        """Full buckets are removed, the least recently used first.

        Buckets that are not full are removed too if there are too many.
        """
        budget = AddressBudget(RateLimit(1.0, 2, 16, 64))
        for number in range(1000):
            budget.take_token(AddressKey(f"a{number}"), 0.0)
        self.assertEqual(list(budget.full_at), [f"a{number}" for number in range(936, 1000)])
        budget.take_token(AddressKey("a936"), 0.5)
        budget.prune(1.0)
        self.assertEqual(list(budget.full_at), ["a936"])
        budget.prune(2.0)
        self.assertEqual(list(budget.full_at), [])

    def test_a_charged_bucket_is_kept_longest(self) -> None:
        """A charge makes a bucket the most recently used one, so that debts are not forgotten first."""
        budget = AddressBudget(RateLimit(1.0, 2, 16, 2))
        budget.charge(ANN, 1, 0.0)
        budget.charge(BOB, 1, 0.0)
        budget.charge(ANN, 1, 0.0)
        budget.charge(AddressKey("192.0.2.3"), 1, 0.0)
        self.assertEqual(list(budget.full_at), [ANN, "192.0.2.3"])

    def test_another_rate_limit(self) -> None:
        """A new rate limit applies at once, and debts stay."""
        budget = AddressBudget(RateLimit(1.0, 2, 16, 100))
        for _ in range(2):
            budget.take_token(ANN, 0.0)
        budget.rate_limit = RateLimit(1.0, 3, 16, 100)
        self.assertEqual([budget.take_token(ANN, 0.0) for _ in range(2)], [True, False])


class ConnectionBudgetTests(SynchronousTestCase):
    """Admission of connections."""

    def test_an_address_has_so_many_connections(self) -> None:
        """The connections of an address are bounded.

        Another address is not affected, and a closed connection makes room.
        """
        budget = ConnectionBudget(Limits(address_connections=2))
        self.assertEqual([budget.admit(ANN, 0.0) for _ in range(2)], [None, None])
        self.assertEqual(budget.admit(ANN, 0.0), ErrorCode.TOO_MANY_CONNECTIONS)
        self.assertIsNone(budget.admit(BOB, 0.0))
        budget.release(ANN)
        self.assertIsNone(budget.admit(ANN, 0.0))
        self.assertEqual(budget.total, 3)

    def test_a_network_has_so_many_connections(self) -> None:
        """A /48 network may have as many connections as its factor of addresses.

        A closed connection makes room, and no counter of an unused network stays.
        """
        budget = ConnectionBudget(Limits(address_connections=2, network_factor=3))
        answers = [budget.admit(in_network(number), 0.0) for number in range(7)]
        self.assertEqual(answers, [None] * 6 + [ErrorCode.TOO_MANY_CONNECTIONS])
        budget.release(in_network(0))
        self.assertIsNone(budget.admit(in_network(6), 0.0))
        for number in range(1, 7):
            budget.release(in_network(number))
        self.assertEqual((budget.total, budget.addresses), (0, {}))

    def test_an_address_connects_so_often(self) -> None:
        """Time refills the rate limit of new connections; closing a connection does not."""
        budget = ConnectionBudget(Limits(address_connection_burst=1, address_connection_rate=1.0))
        self.assertIsNone(budget.admit(ANN, 0.0))
        budget.release(ANN)
        self.assertEqual(budget.admit(ANN, 0.5), ErrorCode.TOO_MANY_NEW_CONNECTIONS)
        self.assertIsNone(budget.admit(ANN, 1.0))

    def test_the_server_has_so_many_connections(self) -> None:
        """Beyond the total no connection is admitted, and nothing is counted."""
        budget = ConnectionBudget(Limits(connections=1))
        self.assertIsNone(budget.admit(ANN, 0.0))
        self.assertEqual(budget.admit(BOB, 0.0), ErrorCode.SERVER_FULL)
        self.assertEqual((budget.total, budget.addresses), (1, {ANN: 1}))

    def test_addresses_are_forgotten(self) -> None:
        """The count is removed with the last connection, the bucket when it is full again."""
        budget = ConnectionBudget(Limits())
        budget.admit(ANN, 0.0)
        budget.prune(10.0)
        self.assertEqual((budget.addresses, dict(budget.new_connections.full_at)), ({ANN: 1}, {}))
        budget.release(ANN)
        self.assertEqual(budget.addresses, {})

    def test_other_limits(self) -> None:
        """Connections beyond new limits stay open, and can still be released."""
        budget = ConnectionBudget(Limits())
        for _ in range(3):
            budget.admit(ANN, 0.0)
        budget.reload_limits(Limits(address_connections=2))
        self.assertEqual(budget.admit(ANN, 0.0), ErrorCode.TOO_MANY_CONNECTIONS)
        for _ in range(2):
            budget.release(ANN)
        self.assertIsNone(budget.admit(ANN, 0.0))

    def test_an_offence_refuses_nobody(self) -> None:
        """After many offences others behind the address connect as before; the address pays for ten minutes at most."""
        budget = ConnectionBudget(Limits())
        self.assertFalse(budget.has_offended(ANN, 0.0))
        budget.charge_offence(ANN, 0.0)
        self.assertEqual([budget.has_offended(ANN, now) for now in (0.0, 59.0, 61.0)], [True, True, False])
        for _ in range(1000):
            budget.charge_offence(ANN, 0.0)
        self.assertEqual([budget.admit(ANN, 0.0) for _ in range(50)], [None] * 50)
        self.assertEqual([budget.has_offended(ANN, now) for now in (599.0, 601.0)], [True, False])
        self.assertFalse(budget.has_offended(BOB, 0.0))
        budget.prune(601.0)
        self.assertEqual(budget.offences.full_at, {})

    def test_other_limits_of_offences(self) -> None:
        """A reload changes how many addresses a network counts as for offences too."""
        budget = ConnectionBudget(Limits(network_factor=1))
        budget.charge_offence(in_network(1), 0.0)
        self.assertTrue(budget.has_offended(in_network(2), 0.0))
        budget.reload_limits(Limits(network_factor=16))
        budget.charge_offence(in_network(3), 600.0)
        self.assertFalse(budget.has_offended(in_network(4), 600.0))


class GuessBudgetsTests(SynchronousTestCase):
    """The budgets for wrong guesses."""

    def test_kinds(self) -> None:
        """Each kind of secret has a budget of its own; a reload changes all of them, and full ones are forgotten."""
        guesses = GuessBudgets.of(Limits(failed_guesses=1))
        budgets = (guesses.sessions, guesses.passwords, guesses.tokens)
        for budget in budgets:
            self.assertEqual([budget.take_token(ANN, 0.0) for _ in range(2)], [True, False])
        guesses.reload_limits(Limits(failed_guesses=2))
        for budget in budgets:
            self.assertEqual(budget.rate_limit, guess_rate(Limits(failed_guesses=2)))
        guesses.prune(1800.0)
        self.assertEqual([budget.full_at for budget in budgets], [{}] * 3)
