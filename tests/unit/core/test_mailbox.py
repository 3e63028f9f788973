"""Outboxes and inboxes: counting, keeping, acknowledging and replaying."""

from __future__ import annotations

import orjson
from twisted.trial.unittest import SynchronousTestCase

from signald.core.limits import AddressKey, Limits
from signald.core.mailbox import Inbox, Outbox
from signald.core.message_sizes import message_size
from signald.core.messages import (
    CountedEvent,
    ForwardedMessage,
    SessionId,
    UserId,
)
from signald.core.outbox_quotas import TotalQuota
from tests.support.allocated import allocated_bytes

SESSION = SessionId("7Q2M9RT6ZC")
ANN = UserId("A" * 26)
LIMITS = Limits(outbox_messages=16)


def message(text: str = "") -> ForwardedMessage:
    """A message from another member."""
    return ForwardedMessage(SESSION, ANN, text)


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
        """A replay can start after any count from the last acknowledged to the last sent event, both included."""
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
