"""Frames that one read brings for one receiver leave in one write."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.messages import ForwardedCandidates, ForwardedOffer
from signald.core.users import PeerId
from signald.monitoring.metrics import Metrics
from signald.server.forward_batch import MOST_BYTES, ForwardBatch
from tests.support.endpoints import TEXT, parse_frames

ANN, BOB = PeerId(1), PeerId(2)


class RecordingReceiver:
    """Records each write."""

    def __init__(self) -> None:
        self.writes: list[list[bytes]] = []
        self.fails = False

    def send_frames(self, frames: bytes) -> None:
        """Record the payloads of the frames, or fail."""
        if self.fails:
            raise ArithmeticError
        parsed = parse_frames(frames)
        assert {opcode for opcode, _ in parsed} == {TEXT}
        self.writes.append([payload for _, payload in parsed])


class BatchTests(SynchronousTestCase):
    """A batch."""

    def setUp(self) -> None:
        """Make a batch and two receivers."""
        self.failed: list[PeerId] = []
        self.metrics = Metrics()
        self.batch = ForwardBatch(self.metrics, self.failed.append)
        self.ann, self.bob = RecordingReceiver(), RecordingReceiver()

    def test_one_write(self) -> None:
        """Nothing is written before the flush, and then all frames together; each is counted."""
        for payload in (b"1", b"2", b"3"):
            self.batch.add(ANN, self.ann, payload, ForwardedCandidates)
        self.assertEqual(self.ann.writes, [])
        self.batch.flush()
        self.batch.flush()
        self.assertEqual(self.ann.writes, [[b"1", b"2", b"3"]])
        self.assertEqual(self.metrics.sent[ForwardedCandidates], 3)

    def test_size(self) -> None:
        """A write has a bound in bytes; one message that is larger leaves alone."""
        most, part = b"x" * MOST_BYTES, b"y" * (MOST_BYTES // 2 - 16)
        for payload in (part, part, part, most, part):
            self.batch.add(ANN, self.ann, payload, ForwardedOffer)
        self.batch.flush()
        self.assertEqual([len(write) for write in self.ann.writes], [2, 1, 1, 1])
        self.assertEqual([write[0] for write in self.ann.writes], [part, part, most, part])

    def test_another_receiver(self) -> None:
        """What goes to another receiver is written after that which was added before."""
        self.batch.add(ANN, self.ann, b"1", ForwardedOffer)
        self.batch.add(BOB, self.bob, b"2", ForwardedOffer)
        self.assertEqual((self.ann.writes, self.bob.writes), ([[b"1"]], []))
        self.batch.add(ANN, self.ann, b"3", ForwardedOffer)
        self.batch.flush()
        self.assertEqual((self.ann.writes, self.bob.writes), ([[b"1"], [b"3"]], [[b"2"]]))

    def test_a_failing_receiver(self) -> None:
        """A receiver whose write raises is ended alone, and the next one gets its frames."""
        self.ann.fails = True
        self.batch.add(ANN, self.ann, b"1", ForwardedOffer)
        self.batch.add(BOB, self.bob, b"2", ForwardedOffer)
        self.batch.flush()
        self.assertEqual((self.failed, self.bob.writes), ([ANN], [[b"2"]]))
