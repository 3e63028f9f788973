"""Tests whose outboxes are discarded when they hold too much."""

from __future__ import annotations

import random
from collections import Counter

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from signald.core.deadlines import Deadlines
from signald.core.limits import AddressKey, Limits
from signald.core.mailboxes import Mailboxes
from signald.core.messages import (
    ForwardedMessage,
    Instance,
    Left,
    SessionId,
    Traits,
    UserId,
)
from signald.core.outbox_quotas import OWN_PART
from signald.core.users import User

SESSION = SessionId("7Q2M9RT6ZC")
ANN = UserId("A" * 26)


def message(text: str = "") -> ForwardedMessage:
    """A message from another member."""
    return ForwardedMessage(SESSION, ANN, text)


class FullestTests(SynchronousTestCase):
    """When all outboxes together have too many bytes, the address with the most pays."""

    def setUp(self) -> None:
        """Create mailboxes for a million bytes."""
        self.limits = Limits(outboxes_bytes=1_000_000, outbox_messages=1000, address_outboxes_bytes=400_000)
        self.mailboxes = Mailboxes(self.limits, Deadlines())
        self.peers = 0

    def user(self, address: str) -> User:
        """Add a user of an address."""
        self.peers += 1
        id = UserId(f"{self.peers:026}")
        return self.mailboxes.add_user(id, None, AddressKey(address), Traits(), Instance("i"))

    def put(self, user: User, bytes: int) -> bool:
        """Send a user a message of a size, if there is room; return whether there was."""
        event = message("x" * (bytes - 256))
        if not self.mailboxes.has_room_for(user, event):
            return False
        self.mailboxes.send_event(user, event)
        return True

    def used(self) -> Counter[str]:
        """The bytes of each address, computed from the outboxes."""
        sizes = Counter[str]()
        for user in self.mailboxes.users.values():
            sizes[user.address] += user.outbox.size
        return sizes

    def test_users_of_a_network_that_end(self) -> None:
        """What the addresses of an IPv6 /48 hold is counted together until the last of their users has ended."""
        one, other = self.user("2001:db8:1:1::/64"), self.user("2001:db8:1:2::/64")
        for user in (one, other):
            self.put(user, 1000)
        [network] = self.mailboxes.quota.networks.values()
        self.assertEqual(network.used, 2000)
        self.mailboxes.remove_user(one)
        self.assertEqual((network.used, [*network.quotas]), (1000, [other.address]))
        self.mailboxes.remove_user(other)
        self.assertEqual(self.mailboxes.quota.networks, {})

    def test_sixteen_addresses_that_take_no_messages(self) -> None:
        """Addresses that fill all of their outboxes neither refuse nor discard a message of somebody else."""
        hoard = [self.user(f"198.51.100.{address}") for address in range(16) for _ in range(4)]
        ann = self.user("192.0.2.1")
        kept = refused = 0
        for number in range(4000):
            kept += self.put(hoard[number * 7 % len(hoard)], 1000)
            if number % 100 == 0:
                self.assertTrue(self.put(ann, 300))
                refused += 1
            self.assertLessEqual(self.mailboxes.quota.used, self.limits.outboxes_bytes)
        self.assertEqual((len(ann.outbox.unacknowledged), ann.outbox.complete), (refused, True))
        self.assertTrue(any(not user.outbox.complete for user in hoard))

    def test_users_of_the_fullest_address(self) -> None:
        """All its users have to start over but those with nothing waiting, and other addresses keep everything."""
        full, more, empty, other = self.user("a"), self.user("a"), self.user("a"), self.user("b")
        for user in (full, more, other):
            self.put(user, 100_000)
        self.mailboxes.quota.limit = 310_000
        self.put(other, 10_000)
        self.put(other, 1_000)
        self.assertEqual([user.outbox.complete for user in (full, more, empty, other)], [False, False, True, True])
        self.assertEqual((self.mailboxes.quota.used, self.mailboxes.quota.discarded), (111_000, 2))

    def test_the_addresses_of_a_network(self) -> None:
        """The addresses of an IPv6 /48 count as one: many small ones pay for what they keep together."""
        spread = [self.user(f"2001:db8:1:{number:x}::/64") for number in range(8)]
        other = self.user("192.0.2.1")
        for user in spread:
            self.put(user, 50_000)
        self.put(other, 60_000)
        self.mailboxes.quota.limit = 500_000
        self.put(other, 45_000)
        self.assertTrue(other.outbox.complete)
        self.assertEqual(self.mailboxes.quota.used, 105_000)

    def test_what_exceeds_the_own_parts(self) -> None:
        """Far below the limit of all, addresses hold together what one may hold, and each a small part of its own."""
        self.mailboxes.reload_limits(evolve(self.limits, outboxes_bytes=100_000_000))
        hoard = [self.user(f"198.51.100.{address}") for address in range(16) for _ in range(4)]
        others = [self.user(f"192.0.2.{address}") for address in range(100)]
        own = self.limits.address_outboxes_bytes // OWN_PART
        for other in others:
            self.assertTrue(self.put(other, own))
        for number in range(4000):
            self.put(hoard[number * 7 % len(hoard)], 1000)
            held = self.mailboxes.quota.used - len(others) * own
            self.assertLessEqual(held, self.limits.address_outboxes_bytes + 16 * own)
        self.assertTrue(all(other.outbox.complete for other in others))
        self.assertTrue(any(not user.outbox.complete for user in hoard))

    def test_other_limits(self) -> None:
        """A smaller limit of an address counts at once, and what exceeds it is discarded with the next message."""
        users = [self.user(address) for address in "abc"]
        for user in users:
            self.put(user, 90_000)
        self.mailboxes.reload_limits(evolve(self.limits, address_outboxes_bytes=128_000))
        self.assertFalse(self.put(users[0], 60_000))
        self.put(users[1], 1000)
        self.assertEqual([user.outbox.complete for user in users], [False, False, True])
        self.mailboxes.reload_limits(self.limits)
        self.assertTrue(self.put(users[2], 30_000))
        self.assertEqual(self.mailboxes.quota.excess, 120_000 - self.limits.address_outboxes_bytes // OWN_PART)

    def test_events_of_the_server(self) -> None:
        """What the server itself sends, which is kept in any case, keeps the limit of all outboxes too."""
        self.mailboxes.quota.limit = 1000
        user = self.user("a")
        for _ in range(4):
            self.mailboxes.send_event(user, Left(SESSION))
        self.assertEqual((self.mailboxes.quota.used, user.outbox.complete), (0, False))

    def test_a_random_life(self) -> None:
        """The limit is kept at each step, the sums are right, and no address below the mean pays or is refused."""
        rng = random.Random(6)
        users = [self.user(f"198.51.100.{rng.randrange(12)}") for _ in range(60)]
        discards = 0
        for _ in range(6000):
            user = rng.choice(users[: rng.choice((3, 60))])
            before, complete = self.used(), {other.id: other.outbox.complete for other in users}
            mean = before.total() / len(set(before))
            if rng.random() < 0.6:
                size = rng.choice((300, 5000, 60_000))
                had_room = self.put(user, size)
                if before[user.address] < mean and user.outbox.size + size < self.limits.outbox_bytes:
                    self.assertTrue(had_room)
            else:
                user.outbox.acknowledge(user.outbox.acknowledged + rng.randrange(3))
            if rng.random() < 0.05:
                user.outbox.reset()
            now = self.used()
            self.assertEqual(now.total(), self.mailboxes.quota.used)
            self.assertLessEqual(now.total(), self.limits.outboxes_bytes)
            own = self.limits.address_outboxes_bytes // OWN_PART
            excess = sum(max(0, used - own) for used in now.values())
            self.assertEqual(excess, self.mailboxes.quota.excess)
            self.assertLessEqual(excess, self.limits.address_outboxes_bytes)
            for other in users:
                if complete[other.id] and not other.outbox.complete:
                    discards += 1
                    self.assertGreaterEqual(before[other.address] + 60_000, mean)
                    self.assertGreaterEqual(before[other.address] + 60_000, max(before.values()))
        self.assertGreater(discards, 10)
