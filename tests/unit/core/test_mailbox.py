"""Outboxes and inboxes: counting, keeping, acknowledging and replaying."""

from __future__ import annotations

import random
from collections import Counter

import orjson
from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from signald.core.deadlines import Deadlines
from signald.core.limits import AddressKey, Limits
from signald.core.mailbox import OWN_PART, Inbox, Outbox, TotalQuota, message_size
from signald.core.mailboxes import Mailboxes
from signald.core.messages import (
    Answer,
    AppMessage,
    Candidate,
    Candidates,
    CountedEvent,
    Event,
    ForwardedAnswer,
    ForwardedCandidates,
    ForwardedIceError,
    ForwardedMessage,
    ForwardedOffer,
    IceError,
    Instance,
    Leave,
    Left,
    Negotiation,
    Offer,
    Request,
    SessionId,
    Source,
    Traits,
    UserId,
)
from signald.core.users import User
from tests.support.allocated import allocated_bytes

SESSION = SessionId("7Q2M9RT6ZC")
ANN = UserId("A" * 26)
ONE = Negotiation(ANN, 1)
LIMITS = Limits(outbox_messages=16)


def message(text: str = "") -> ForwardedMessage:
    """A message from another member."""
    return ForwardedMessage(SESSION, ANN, text)


class SizeTests(SynchronousTestCase):
    """The size that a message counts as."""

    def test_free_text_counts_in_bytes(self) -> None:
        """A message has an envelope, each candidate one more, and texts and sources count by their length in UTF-8."""
        candidates = (Candidate("ab"), Candidate("ä"))
        weights: dict[Request | Event, int] = {
            Leave(SESSION): 256,
            Left(SESSION): 256,
            Offer(SESSION, ANN, ONE, "four"): 260,
            Answer(SESSION, ANN, ONE, "four"): 260,
            ForwardedOffer(SESSION, ANN, ONE, "four"): 260,
            ForwardedAnswer(SESSION, ANN, ONE, "four"): 260,
            Candidates(SESSION, ANN, ONE, candidates): 3 * 256 + 4,
            ForwardedCandidates(SESSION, ANN, candidates): 3 * 256 + 4,
            IceError(SESSION, ANN, "four"): 260,
            ForwardedIceError(SESSION, ANN, "four"): 260,
            Candidates(SESSION, ANN, ONE, (), source=Source("kind", "fünf")): 261,
            ForwardedCandidates(SESSION, ANN, candidates, source=Source("kind", "four")): 3 * 256 + 8,
            IceError(SESSION, ANN, "four", source=Source("kind", "four")): 264,
            ForwardedIceError(SESSION, ANN, "four", source=Source("kind", "four")): 264,
            AppMessage(SESSION, "four"): 260,
            message("four"): 260,
            message("äöüß"): 264,
            message("😀"): 260,
        }
        for said, expected in weights.items():
            self.assertEqual(message_size(said), expected, said)


class OutboxTests(SynchronousTestCase):
    """The events to one user."""

    def setUp(self) -> None:
        """Two outboxes with a common quota."""
        self.total = TotalQuota(2 * LIMITS.outbox_bytes, 2 * LIMITS.outbox_bytes)
        self.room = self.total.create_quota(AddressKey("a"))
        self.outbox = Outbox(LIMITS, self.room)

    def put(self, *events: CountedEvent) -> None:
        """Append events."""
        for event in events:
            self.outbox.append(event)

    def kept(self) -> list[CountedEvent]:
        """The events that are kept."""
        return self.outbox.events

    def test_acknowledged_events_are_removed(self) -> None:
        """An older count removes nothing more; a count beyond what was sent is refused and removes nothing."""
        self.put(message("a"), message("b"), message("c"))
        self.assertTrue(self.outbox.acknowledge(2))
        self.assertEqual((self.kept(), self.outbox.sent), ([message("c")], 3))
        self.assertTrue(self.outbox.acknowledge(1))
        self.assertFalse(self.outbox.acknowledge(4))
        self.assertEqual((self.kept(), self.outbox.acknowledged), ([message("c")], 2))
        self.assertTrue(self.outbox.acknowledge(3))
        self.assertEqual((self.outbox.size, self.room.used), (0, 0))

    def test_a_replay_needs_every_event(self) -> None:
        """A replay can start at any count that is neither acknowledged already nor in the future."""
        self.put(message("a"), message("b"), message("c"))
        self.outbox.acknowledge(1)
        self.assertEqual([self.outbox.can_replay_from(count) for count in range(5)], [False, True, True, True, False])

    def test_a_quota_counts_in_that_of_all(self) -> None:
        """An event counts in both quotas and is freed from both; it has to fit into that of the address alone."""
        self.put(message())
        self.assertEqual(self.room.used, self.total.used)
        self.room.limit = self.room.used
        self.assertFalse(self.outbox.has_room(message_size(message())))
        self.room.limit, self.total.limit = 10_000, self.room.used
        self.assertTrue(self.outbox.has_room(message_size(message())))
        self.outbox.clear()
        self.assertTrue(self.outbox.has_room(message_size(message())))
        self.assertEqual((self.room.used, self.total.used), (0, 0))

    def test_an_outbox_is_bounded_in_messages(self) -> None:
        """Messages of other members are bounded in number, and acknowledged ones make room."""
        self.put(*[message()] * 15)
        self.assertTrue(self.outbox.has_room(message_size(message())))
        self.put(message())
        self.assertFalse(self.outbox.has_room(message_size(message())))
        self.outbox.acknowledge(1)
        self.assertTrue(self.outbox.has_room(message_size(message())))

    def test_an_outbox_is_bounded_in_bytes(self) -> None:
        """Kept messages are bounded in bytes, in this outbox and in all outboxes together."""
        half = message("x" * (LIMITS.outbox_bytes // 2 - 256))
        self.put(half)
        self.assertTrue(self.outbox.has_room(message_size(half)))
        self.put(half)
        self.assertFalse(self.outbox.has_room(message_size(message())))
        other = Outbox(LIMITS, self.room)
        self.assertTrue(other.has_room(message_size(half)))
        self.room.limit = LIMITS.outbox_bytes
        self.assertFalse(other.has_room(message_size(message())))

    def test_memory_of_frames(self) -> None:
        """A kept frame takes the memory of its bytes, and not the space in which orjson encoded it."""
        for length in (250, 16000):
            self.outbox.reset()
            before = allocated_bytes()
            for number in range(8):
                self.outbox.append_frame(orjson.dumps({"content": f"{number}" * length}), length, lambda _: message())
            self.assertLess(allocated_bytes() - before, 8 * length + 8192)

    def test_frames(self) -> None:
        """An event that is kept as a frame counts like any other, and is decoded for a replay."""
        self.put(message("a"))
        self.outbox.append_frame(b"b", 300, lambda frame: message(frame.decode()))
        self.assertEqual(self.outbox.events, [message("a"), message("b")])
        self.assertEqual((self.outbox.size, self.room.used, self.outbox.sent), (557, 557, 2))
        self.outbox.acknowledge(2)
        self.assertEqual((self.outbox.events, self.room.used), ([], 0))

    def test_frames_after_an_overflow(self) -> None:
        """An outbox that is incomplete keeps no frame either."""
        self.outbox.discard()
        self.outbox.append_frame(b"b", 300, lambda frame: message(frame.decode()))
        self.assertEqual((self.outbox.events, self.room.used), ([], 0))

    def test_no_frames(self) -> None:
        """An outbox that was given no frame knows no way to decode one."""
        self.assertRaises(NotImplementedError, self.outbox.decode, b"b")

    def test_the_outbox_overflows_at_twice_the_limit(self) -> None:
        """An outbox overflows beyond twice the limit, which only the server's events can reach.

        Afterwards it keeps nothing until a reset.
        """
        self.put(*[message()] * 32)
        self.assertTrue(self.outbox.complete)
        self.put(message())
        self.assertEqual((self.outbox.complete, self.kept(), self.room.used), (False, [], 0))
        self.put(message())
        self.assertEqual(self.kept(), [])
        self.assertFalse(self.outbox.can_replay_from(0))
        self.assertTrue(self.outbox.acknowledge(33))
        self.outbox.reset()
        self.put(message("a"))
        self.assertEqual((self.outbox.complete, self.outbox.sent, self.kept()), (True, 1, [message("a")]))

    def test_events_that_are_not_kept_are_counted(self) -> None:
        """If the user cannot resume, events are counted and not kept."""
        self.outbox.count_unkept()
        self.assertEqual((self.outbox.sent, self.kept()), (1, []))
        self.assertTrue(self.outbox.acknowledge(1))
        self.assertFalse(self.outbox.acknowledge(2))

    def test_a_snapshot_restores_the_outbox(self) -> None:
        """The restored state is the same as in the other process, and uses its quota again."""
        self.outbox.restore(7, [(message("a"), 257)], whole=True)
        self.assertEqual((self.outbox.sent, self.outbox.size, self.room.used), (8, 257, 257))
        self.assertTrue(self.outbox.can_replay_from(7))


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


class InboxTests(SynchronousTestCase):
    """The messages from one user."""

    def test_an_ack_is_due_after_16_messages(self) -> None:
        """An acknowledgement is due after 16 messages, and again 16 later."""
        inbox = Inbox(Limits())
        for total in (16, 32):
            self.assertEqual([inbox.count_message(0, 0.0) for _ in range(16)], [False] * 15 + [True])
            self.assertEqual(inbox.acknowledge(), total)

    def test_an_ack_is_due_after_32_kib(self) -> None:
        """The bytes count from the last acknowledgement."""
        inbox = Inbox(Limits())
        self.assertFalse(inbox.count_message(32767, 0.0))
        self.assertTrue(inbox.count_message(1, 0.0))
        inbox.acknowledge()
        self.assertFalse(inbox.count_message(32767, 0.0))

    def test_an_ack_is_due_after_5_seconds(self) -> None:
        """The seconds count from the first message that is not acknowledged."""
        inbox = Inbox(Limits())
        self.assertFalse(inbox.count_message(0, 10.0))
        self.assertEqual(inbox.ack_due, 15.0)
        self.assertFalse(inbox.count_message(0, 14.9))
        self.assertTrue(inbox.count_message(0, 15.0))
        inbox.acknowledge()
        self.assertIsNone(inbox.ack_due)

    def test_a_reset_counts_from_0(self) -> None:
        """A reset starts the count at 0."""
        inbox = Inbox(Limits())
        inbox.count_message(100, 0.0)
        inbox.reset()
        self.assertEqual(inbox, Inbox(Limits()))
