"""What is counted, kept until it is acknowledged, and sent again."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.limits import Limits
from signald.core.mailbox import ByteQuota, Inbox, Outbox, weight
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
    Leave,
    Left,
    Negotiation,
    Offer,
    Request,
    SessionId,
    UserId,
)

SESSION = SessionId("7Q2M9RT6ZC")
ANN = UserId("A" * 26)
ONE = Negotiation(ANN, 1)
LIMITS = Limits(outbox_messages=16)


def message(text: str = "") -> ForwardedMessage:
    """What another member says."""
    return ForwardedMessage(SESSION, ANN, text)


class WeightTests(SynchronousTestCase):
    """How much a message counts."""

    def test_free_text_counts_in_bytes(self) -> None:
        """Each message weighs an envelope, each candidate one more, and all text what it is in UTF-8."""
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
            AppMessage(SESSION, "four"): 260,
            message("four"): 260,
            message("äöüß"): 264,
            message("😀"): 260,
        }
        for said, expected in weights.items():
            self.assertEqual(weight(said), expected, said)


class OutboxTests(SynchronousTestCase):
    """Events to one user."""

    def setUp(self) -> None:
        """Room for two outboxes."""
        self.room = ByteQuota(2 * LIMITS.outbox_bytes)
        self.outbox = Outbox(LIMITS, self.room)

    def put(self, *events: CountedEvent) -> None:
        """Put events in."""
        for event in events:
            self.outbox.put(event)

    def kept(self) -> list[CountedEvent]:
        """What is kept."""
        return [event for event, _ in self.outbox.waiting]

    def test_what_is_acknowledged_is_not_kept(self) -> None:
        """An older count drops nothing more; one of what was never sent is refused and drops nothing."""
        self.put(message("a"), message("b"), message("c"))
        self.assertTrue(self.outbox.acknowledge(2))
        self.assertEqual((self.kept(), self.outbox.sent), ([message("c")], 3))
        self.assertTrue(self.outbox.acknowledge(1))
        self.assertFalse(self.outbox.acknowledge(4))
        self.assertEqual((self.kept(), self.outbox.acknowledged), ([message("c")], 2))
        self.assertTrue(self.outbox.acknowledge(3))
        self.assertEqual((self.outbox.size, self.room.used), (0, 0))

    def test_what_can_be_continued(self) -> None:
        """From any count that is neither dropped already nor in the future."""
        self.put(message("a"), message("b"), message("c"))
        self.outbox.acknowledge(1)
        self.assertEqual([self.outbox.can_continue(count) for count in range(5)], [False, True, True, True, False])

    def test_a_room_is_part_of_a_whole(self) -> None:
        """What fits has to fit into both, and is given back to both."""
        part = ByteQuota(1000, whole=self.room)
        outbox = Outbox(LIMITS, part)
        outbox.put(message())
        self.assertEqual(part.used, self.room.used)
        part.most = part.used
        self.assertFalse(outbox.has_room(message()))
        part.most, self.room.most = 10_000, part.used
        self.assertFalse(outbox.has_room(message()))
        outbox.clear()
        self.assertTrue(outbox.has_room(message()))
        self.assertEqual((part.used, self.room.used), (0, 0))

    def test_there_is_room_for_so_many_messages(self) -> None:
        """Messages of other members; acknowledged ones make room."""
        self.put(*[message()] * 15)
        self.assertTrue(self.outbox.has_room(message()))
        self.put(message())
        self.assertFalse(self.outbox.has_room(message()))
        self.outbox.acknowledge(1)
        self.assertTrue(self.outbox.has_room(message()))

    def test_there_is_room_for_so_many_bytes(self) -> None:
        """In this outbox, and in all together."""
        half = message("x" * (LIMITS.outbox_bytes // 2 - 256))
        self.put(half)
        self.assertTrue(self.outbox.has_room(half))
        self.put(half)
        self.assertFalse(self.outbox.has_room(message()))
        other = Outbox(LIMITS, self.room)
        self.assertTrue(other.has_room(half))
        self.room.most = LIMITS.outbox_bytes
        self.assertFalse(other.has_room(message()))

    def test_past_twice_the_bound_all_of_it_is_lost(self) -> None:
        """Events of the server have no bound but this one; nothing is kept until the user begins anew."""
        self.put(*[message()] * 32)
        self.assertTrue(self.outbox.whole)
        self.put(message())
        self.assertEqual((self.outbox.whole, self.kept(), self.room.used), (False, [], 0))
        self.put(message())
        self.assertEqual(self.kept(), [])
        self.assertFalse(self.outbox.can_continue(0))
        self.assertTrue(self.outbox.acknowledge(33))
        self.outbox.restart()
        self.put(message("a"))
        self.assertEqual((self.outbox.whole, self.outbox.sent, self.kept()), (True, 1, [message("a")]))

    def test_what_is_not_kept_counts(self) -> None:
        """For one who cannot come back."""
        self.outbox.skip()
        self.assertEqual((self.outbox.sent, self.kept()), (1, []))
        self.assertTrue(self.outbox.acknowledge(1))
        self.assertFalse(self.outbox.acknowledge(2))

    def test_it_is_restored(self) -> None:
        """As it was in another process, with the room that it takes."""
        self.outbox.restore(7, [(message("a"), 257)], whole=True)
        self.assertEqual((self.outbox.sent, self.outbox.size, self.room.used), (8, 257, 257))
        self.assertTrue(self.outbox.can_continue(7))


class InboxTests(SynchronousTestCase):
    """Messages of one user."""

    def test_it_is_time_after_16_messages(self) -> None:
        """And again 16 later."""
        inbox = Inbox(Limits())
        for total in (16, 32):
            self.assertEqual([inbox.take(0, 0.0) for _ in range(16)], [False] * 15 + [True])
            self.assertEqual(inbox.acknowledge(), total)

    def test_it_is_time_after_32_kib(self) -> None:
        """Counted from the last acknowledgement."""
        inbox = Inbox(Limits())
        self.assertFalse(inbox.take(32767, 0.0))
        self.assertTrue(inbox.take(1, 0.0))
        inbox.acknowledge()
        self.assertFalse(inbox.take(32767, 0.0))

    def test_it_is_time_after_5_seconds(self) -> None:
        """From the first message that is not acknowledged."""
        inbox = Inbox(Limits())
        self.assertFalse(inbox.take(0, 10.0))
        self.assertEqual(inbox.due, 15.0)
        self.assertFalse(inbox.take(0, 14.9))
        self.assertTrue(inbox.take(0, 15.0))
        inbox.acknowledge()
        self.assertIsNone(inbox.due)

    def test_it_counts_from_0_again(self) -> None:
        """When the user begins anew."""
        inbox = Inbox(Limits())
        inbox.take(100, 0.0)
        inbox.restart()
        self.assertEqual(inbox, Inbox(Limits()))
