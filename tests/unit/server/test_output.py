"""Tests for the output queue of a slow reader and for the detection of stalled transports."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from signald.server.output import OutputQueue, StallDetector
from tests.support.endpoints import CLIENT, TRANSPORT_BYTES, MemoryTransport

MOST = 200_000


class OutputCase(SynchronousTestCase):
    """A test with an output queue of 200,000 bytes and 5 seconds over a transport whose buffer fills up."""

    def setUp(self) -> None:
        """Create the queue and its transport."""
        self.clock = Clock()
        self.transport = MemoryTransport(None, IPv4Address("TCP", CLIENT, 50000))
        self.given_up: list[str] = []
        self.output = OutputQueue(self.transport, self.clock, MOST, 5.0, self.give_up)

    def give_up(self, limit: str) -> None:
        """Record the exceeded limit, and stop the queue as a protocol does."""
        self.given_up.append(limit)
        self.output.stop()


class BytesTests(OutputCase):
    """The number of queued bytes is bounded."""

    def test_order(self) -> None:
        """Queued bytes are sent after the bytes that were written directly, and before later ones."""
        pieces = [bytes([number]) * 20_000 for number in range(8)]
        for piece in pieces:
            self.output.write(piece)
        self.assertLessEqual(len(self.transport.dataBuffer), TRANSPORT_BYTES + 20_000)
        read = self.transport.take_all()
        self.output.write(b"last")
        self.assertEqual(read + self.transport.take_all(), b"".join(pieces) + b"last")
        self.assertEqual(self.given_up, [])

    def test_too_much(self) -> None:
        """The write that exceeds the bound gives up at once, without waiting for the clock, and frees the queue."""
        for _ in range((MOST - TRANSPORT_BYTES) // 1000):
            self.output.write(b"x" * 1000)
        self.assertEqual(self.given_up, [])
        for _ in range(TRANSPORT_BYTES // 1000 + 1):
            if not self.given_up:
                self.output.write(b"x" * 1000)
        self.assertEqual(self.given_up, ["output_bytes"])
        self.assertEqual(self.output._waiting_bytes, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_half_full(self) -> None:
        """From half of the bound on the queue says so, and no more once the peer has read."""
        for _ in range(TRANSPORT_BYTES // 1000 + 2):
            self.output.write(b"x" * 1000)
        self.assertFalse(self.output.is_half_full)
        for _ in range((MOST // 2 - TRANSPORT_BYTES) // 1000):
            self.output.write(b"x" * 1000)
        self.assertTrue(self.output.is_half_full)
        self.transport.take_all()
        self.assertFalse(self.output.is_half_full)
        self.assertEqual(self.given_up, [])

    def test_what_was_read_does_not_count(self) -> None:
        """A peer that keeps reading can receive any number of bytes."""
        for _ in range(100):
            for _ in range(10):
                self.output.write(b"x" * 10_000)
            self.transport.take_all()
        self.assertEqual(self.given_up, [])

    def test_takes_over(self) -> None:
        """The queue registers as the transport's producer in place of the previous producer."""
        former: Any = object()
        transport = MemoryTransport(None, IPv4Address("TCP", CLIENT, 50000))
        transport.registerProducer(former, True)
        output = OutputQueue(transport, self.clock, MOST, 5.0, self.give_up)
        self.assertIs(transport.producer, output)
        verifyObject(IPushProducer, output)


class SecondsTests(OutputCase):
    """The time without progress is bounded."""

    def fill(self) -> None:
        """Write more than the transport's buffer accepts at once."""
        self.output.write(b"x" * 100_000)
        self.output.write(b"y" * 10_000)

    def test_nothing_is_read(self) -> None:
        """The queue gives up if the peer reads nothing within the timeout."""
        self.fill()
        self.clock.advance(4.9)
        self.assertEqual(self.given_up, [])
        self.clock.advance(0.2)
        self.assertEqual(self.given_up, ["output_seconds"])
        self.clock.advance(60)
        self.assertEqual(self.given_up, ["output_seconds"])

    def test_slow_reader(self) -> None:
        """A peer that reads a little within each timeout is slow but not stalled, so the queue does not give up."""
        self.fill()
        for _ in range(10):
            self.clock.advance(4.9)
            self.transport.take(1000)
        self.assertEqual(self.given_up, [])
        self.clock.pump([1.0] * 11)
        self.assertEqual(self.given_up, ["output_seconds"])

    def test_read(self) -> None:
        """The timeout is cancelled when the peer has read everything."""
        self.fill()
        self.transport.take_all()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_gone(self) -> None:
        """The timeout is cancelled when the transport is closed."""
        self.fill()
        self.output.stopProducing()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_finish(self) -> None:
        """`finish` passes all queued bytes on, and the timeout runs although the transport no longer pauses."""
        self.fill()
        self.output.finish()
        self.assertEqual(len(self.transport.dataBuffer), 110_000)
        self.assertEqual(self.output.waiting_bytes, 0)
        self.clock.advance(5.0)
        self.assertEqual(self.given_up, ["output_seconds"])

    def test_finish_when_all_is_sent(self) -> None:
        """A transport with an empty buffer that does not close is given up too.

        An example is a TLS peer that never sends its close_notify.
        """
        self.output.write(b"x")
        self.transport.take_all()
        self.output.finish()
        self.clock.advance(5.0)
        self.assertEqual(self.given_up, ["output_seconds"])


class WatchTests(SynchronousTestCase):
    """The progress of a transport is derived from the bytes that its socket has sent."""

    def test_unknown_transport(self) -> None:
        """A transport whose number of sent bytes is unknown counts as stalled."""
        clock = Clock()
        stalled: list[float] = []
        watch = StallDetector(object(), clock, 5.0, lambda: stalled.append(clock.seconds()))
        watch.start()
        watch.start()
        clock.advance(5.0)
        self.assertEqual(stalled, [5.0])

    def test_wrapped_transport(self) -> None:
        """Under TLS the progress of the wrapped TCP transport is measured."""

        class Wrapper:
            transport = MemoryTransport(None, IPv4Address("TCP", CLIENT, 50000))

        clock = Clock()
        stalled: list[float] = []
        watch = StallDetector(Wrapper(), clock, 5.0, lambda: stalled.append(clock.seconds()))
        Wrapper.transport.write(b"xyz")
        watch.start()
        Wrapper.transport.take(1)
        clock.advance(5.0)
        self.assertEqual(stalled, [])
        clock.advance(5.0)
        self.assertEqual(stalled, [10.0])
