"""The queue for output that a slow reader has not taken, and the detector of stalled transports."""

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
    """An output of 200,000 bytes and 5 seconds over a transport that fills up."""

    def setUp(self) -> None:
        """Make the queue and its transport."""
        self.clock = Clock()
        self.transport = MemoryTransport(None, IPv4Address("TCP", CLIENT, 50000))
        self.given_up: list[str] = []
        self.output = OutputQueue(self.transport, self.clock, MOST, 5.0, self.give_up)

    def give_up(self, limit: str) -> None:
        """Record the limit, and stop the queue as a protocol does."""
        self.given_up.append(limit)
        self.output.stop()


class BytesTests(OutputCase):
    """The bound in bytes."""

    def test_order(self) -> None:
        """Queued bytes are sent after those that were not queued, and before those that are written later."""
        pieces = [bytes([number]) * 20_000 for number in range(8)]
        for piece in pieces:
            self.output.write(piece)
        self.assertLessEqual(len(self.transport.dataBuffer), TRANSPORT_BYTES + 20_000)
        read = self.transport.take_all()
        self.output.write(b"last")
        self.assertEqual(read + self.transport.take_all(), b"".join(pieces) + b"last")
        self.assertEqual(self.given_up, [])

    def test_too_much(self) -> None:
        """It gives up while it is written to, without waiting for the clock; nothing is left in memory."""
        for _ in range((MOST - TRANSPORT_BYTES) // 1000):
            self.output.write(b"x" * 1000)
        self.assertEqual(self.given_up, [])
        for _ in range(TRANSPORT_BYTES // 1000 + 1):
            if not self.given_up:
                self.output.write(b"x" * 1000)
        self.assertEqual(self.given_up, ["output_bytes"])
        self.assertEqual(self.output._waiting_bytes, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_was_read_does_not_count(self) -> None:
        """A reader that keeps up may get any amount."""
        for _ in range(100):
            for _ in range(10):
                self.output.write(b"x" * 10_000)
            self.transport.take_all()
        self.assertEqual(self.given_up, [])

    def test_takes_over(self) -> None:
        """It is the transport's producer, in the place of the one before."""
        former: Any = object()
        transport = MemoryTransport(None, IPv4Address("TCP", CLIENT, 50000))
        transport.registerProducer(former, True)
        output = OutputQueue(transport, self.clock, MOST, 5.0, self.give_up)
        self.assertIs(transport.producer, output)
        verifyObject(IPushProducer, output)


class SecondsTests(OutputCase):
    """The bound in seconds."""

    def fill(self) -> None:
        """Write more than the transport takes at once."""
        self.output.write(b"x" * 100_000)
        self.output.write(b"y" * 10_000)

    def test_nothing_is_read(self) -> None:
        """It gives up after its seconds."""
        self.fill()
        self.clock.advance(4.9)
        self.assertEqual(self.given_up, [])
        self.clock.advance(0.2)
        self.assertEqual(self.given_up, ["output_seconds"])
        self.clock.advance(60)
        self.assertEqual(self.given_up, ["output_seconds"])

    def test_slow_reader(self) -> None:
        """One that reads a little in each of them is slow, not gone."""
        self.fill()
        for _ in range(10):
            self.clock.advance(4.9)
            self.transport.take(1000)
        self.assertEqual(self.given_up, [])
        self.clock.pump([1.0] * 11)
        self.assertEqual(self.given_up, ["output_seconds"])

    def test_read(self) -> None:
        """When everything is read nothing is waited for."""
        self.fill()
        self.transport.take_all()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_gone(self) -> None:
        """Nor when the transport is gone."""
        self.fill()
        self.output.stopProducing()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_finish(self) -> None:
        """After `finish` everything is the transport's, and the time runs although it no longer pauses."""
        self.fill()
        self.output.finish()
        self.assertEqual(len(self.transport.dataBuffer), 110_000)
        self.clock.advance(5.0)
        self.assertEqual(self.given_up, ["output_seconds"])

    def test_finish_when_all_is_sent(self) -> None:
        """A transport that has nothing left to send and is not closed either is given up too: TLS without an answer."""
        self.output.write(b"x")
        self.transport.take_all()
        self.output.finish()
        self.clock.advance(5.0)
        self.assertEqual(self.given_up, ["output_seconds"])


class WatchTests(SynchronousTestCase):
    """Whether a transport gets on."""

    def test_unknown_transport(self) -> None:
        """A transport whose position is unknown counts as stalled."""
        clock = Clock()
        stalled: list[float] = []
        watch = StallDetector(object(), clock, 5.0, lambda: stalled.append(clock.seconds()))
        watch.start()
        watch.start()
        clock.advance(5.0)
        self.assertEqual(stalled, [5.0])

    def test_wrapped_transport(self) -> None:
        """Under TLS the wrapped one is looked at."""

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
