"""Tests of the transport that sends at once, on pairs of sockets without a network."""

from __future__ import annotations

import random
import socket
from typing import Any

from twisted.internet import tcp
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IPullProducer
from twisted.internet.main import CONNECTION_DONE
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from signald.server.direct_transport import DirectTransport
from signald.server.output import OutputQueue, is_sent
from tests.support.accepted import Accepted, HalfCloseable, Recorder, reset_pair

MUCH = bytes(range(256)) * 8192
"""Two MiB: more than the kernel takes at once."""


class TransportCase(SynchronousTestCase):
    """A test with an accepted connection."""

    def connect(self, transport: type[tcp.Server] = DirectTransport, **options: Any) -> Accepted:
        """Connect a recording protocol, until the end of the test."""
        accepted = Accepted(options.pop("protocol", None) or Recorder(), transport, **options)
        self.addCleanup(accepted.close)
        return accepted


class PauseTests(TransportCase):
    """A transport that was paused receives nothing."""

    def test_paused_before_its_turn(self) -> None:
        """What the reactor has seen already is left in the socket, and received when the transport reads again."""
        accepted = self.connect()
        accepted.peer.sendall(b"one")
        accepted.transport.pauseProducing()
        self.assertIsNone(accepted.transport.doRead())
        self.assertEqual(accepted.protocol.received, [])
        accepted.transport.resumeProducing()
        accepted.transport.doRead()
        self.assertEqual(accepted.protocol.received, [b"one"])


class WriteTests(TransportCase):
    """A write reaches the peer at once, and only what the kernel does not take waits for the reactor."""

    def test_at_once(self) -> None:
        """The peer has the bytes before the reactor runs, and the reactor is asked for nothing."""
        accepted = self.connect()
        accepted.transport.write(b"one")
        accepted.transport.write(b"two")
        self.assertEqual(accepted.peer.recv(100), b"onetwo")
        self.assertEqual(accepted.reactor.writers, set())
        self.assertTrue(is_sent(accepted.transport))

    def test_rest(self) -> None:
        """What does not fit into the kernel's buffer follows in order, before later writes."""
        accepted = self.connect()
        accepted.transport.write(MUCH)
        self.assertFalse(is_sent(accepted.transport))
        accepted.transport.write(b"later")
        self.assertEqual(accepted.take_all(), MUCH + b"later")
        self.assertTrue(is_sent(accepted.transport))
        accepted.transport.write(b"last")
        self.assertEqual(accepted.take(), [b"last"])

    def test_producer(self) -> None:
        """A producer is paused while more than 64 KiB wait, and resumed when all of it is sent."""
        accepted = self.connect()
        given_up: list[str] = []
        output = OutputQueue(accepted.transport, accepted.reactor, 2 * len(MUCH), 5.0, given_up.append)
        output.write(b"x" * 200)
        self.assertFalse(output._paused)
        output.write(MUCH)
        self.assertTrue(output._paused)
        output.write(b"after")
        self.assertEqual(output.waiting_bytes, 5)
        self.assertFalse(output.is_sent)
        self.assertEqual(accepted.take_all(), b"x" * 200 + MUCH + b"after")
        self.assertFalse(output._paused)
        self.assertTrue(output.is_sent)
        self.assertEqual(given_up, [])

    def test_reader_that_takes_nothing(self) -> None:
        """The bounds of a slow reader hold: in bytes at once, in seconds by the clock."""
        for limit, more in (("output_bytes", len(MUCH)), ("output_seconds", 100)):
            accepted = self.connect()
            given_up: list[str] = []
            output = OutputQueue(accepted.transport, accepted.reactor, 2 * len(MUCH), 5.0, given_up.append)
            output.write(MUCH)
            accepted.reactor.settle()
            self.assertEqual(given_up, [])
            output.write(b"x" * more)
            accepted.reactor.advance(5.0)
            self.assertEqual(given_up[0], limit)

    def test_pull_producer(self) -> None:
        """A producer that is asked for each piece is asked until it has no more."""

        @implementer(IPullProducer)
        class Pieces:
            left = 5

            def resumeProducing(self) -> None:
                self.left -= 1
                accepted.transport.write(b"%d" % self.left)
                if not self.left:
                    accepted.transport.unregisterProducer()

            def stopProducing(self) -> None:
                """Do nothing."""

        accepted = self.connect()
        accepted.transport.registerProducer(Pieces(), False)
        self.assertEqual(accepted.take_all(), b"")
        accepted.reactor.settle()
        self.assertEqual(accepted.take_all(), b"43210")

    def test_error(self) -> None:
        """A write to a connection that was reset does not end it; the reactor finds that out, once."""
        accepted = self.connect(pair=reset_pair())
        accepted.peer.close()
        accepted.transport.write(b"x")
        self.assertEqual(accepted.protocol.ended, [])
        accepted.reactor.settle()
        self.assertEqual(accepted.protocol.ended, [ConnectionLost])
        accepted.transport.write(b"y")
        self.assertEqual(accepted.protocol.ended, [ConnectionLost])

    def test_after_the_end(self) -> None:
        """Nothing is sent after an abort."""
        accepted = self.connect()
        accepted.transport.abortConnection()
        accepted.transport.write(b"x")
        accepted.reactor.advance(0)
        self.assertEqual(accepted.take(), [b""])
        self.assertEqual(accepted.protocol.ended, [ConnectionAborted])


class ReadTests(TransportCase):
    """Each event reads once, and the output of the protocol leaves at the end of the read."""

    def test_one_send(self) -> None:
        """What the protocol writes to its own transport during a read leaves in one `send`."""
        accepted = self.connect(kind=socket.SOCK_SEQPACKET)
        seen: list[Any] = []

        def respond(data: bytes) -> None:
            accepted.transport.write(b"head")
            accepted.transport.writeSequence([b" and ", b"body"])
            seen.append((accepted.take(), is_sent(accepted.transport)))

        accepted.protocol.on_data = respond
        accepted.send(b"request")
        self.assertEqual(seen, [([], False)])
        self.assertEqual(accepted.take(), [b"head and body"])
        self.assertTrue(is_sent(accepted.transport))
        self.assertEqual(accepted.reactor.writers, set())

    def test_to_others_at_once(self) -> None:
        """What it writes to another transport is sent at once."""
        one, other = self.connect(), self.connect()
        seen: list[Any] = []

        def forward(data: bytes) -> None:
            other.transport.write(data)
            seen.append(other.take())

        one.protocol.on_data = forward
        one.send(b"message")
        self.assertEqual(seen, [[b"message"]])

    def test_much_output(self) -> None:
        """What the kernel does not take at the end of a read is left to the reactor, before what later reads add."""
        accepted = self.connect()
        accepted.protocol.on_data = lambda data: accepted.transport.write(MUCH + data)
        accepted.send(b"1", b"2")
        self.assertEqual(accepted.take_all(), MUCH + b"1" + MUCH + b"2")

    def test_waiting_output(self) -> None:
        """Output of a read does not go to the kernel before the reactor says so, if earlier output waits for that."""
        accepted = self.connect()
        accepted.transport.write(MUCH)
        accepted.reactor.settle()
        accepted.transport.doWrite = self.fail
        accepted.protocol.on_data = accepted.transport.write
        accepted.peer.sendall(b"x")
        self.assertIsNone(accepted.transport.doRead())
        del accepted.transport.doWrite
        self.assertEqual(accepted.take_all(), MUCH + b"x")

    def test_paused(self) -> None:
        """A protocol that pauses the transport while it handles a read receives nothing more until it resumes."""
        accepted = self.connect()
        accepted.protocol.on_data = lambda data: accepted.transport.pauseProducing()
        accepted.peer.sendall(b"x" * 100_000)
        accepted.reactor.settle()
        self.assertEqual([len(data) for data in accepted.protocol.received], [65536])
        accepted.transport.resumeProducing()
        accepted.reactor.settle()
        self.assertEqual([len(data) for data in accepted.protocol.received], [65536, 34464])

    def test_nothing_to_read(self) -> None:
        """An event without bytes is no end."""
        accepted = self.connect()
        self.assertIsNone(accepted.transport.doRead())
        self.assertEqual(accepted.protocol.received, [])

    def test_end_of_input(self) -> None:
        """The peer's orderly end, and a reset, are told apart."""
        accepted = self.connect()
        accepted.peer.shutdown(socket.SHUT_WR)
        accepted.reactor.settle()
        self.assertEqual(accepted.protocol.ended, [ConnectionDone])
        accepted = self.connect(pair=reset_pair())
        accepted.peer.close()
        accepted.reactor.settle()
        self.assertEqual(accepted.protocol.ended, [ConnectionLost])

    def test_exception(self) -> None:
        """After an exception of the protocol the transport sends at once again."""
        accepted = self.connect()
        accepted.protocol.on_data = lambda data: 1 // 0
        accepted.peer.sendall(b"x")
        self.assertRaises(ZeroDivisionError, accepted.transport.doRead)
        accepted.transport.write(b"y")
        self.assertEqual(accepted.take(), [b"y"])


class CloseTests(TransportCase):
    """A connection that is closed sends its output first."""

    def test_during_a_read(self) -> None:
        """A connection that its protocol closes during a read is closed at its end, with the output in one `send`."""
        accepted = self.connect(kind=socket.SOCK_SEQPACKET)

        def respond(data: bytes) -> None:
            accepted.transport.write(b"close frame")
            accepted.transport.loseConnection()
            accepted.transport.write(b", alert")
            self.assertEqual(accepted.protocol.ended, [])

        accepted.protocol.on_data = respond
        accepted.peer.sendall(b"close frame")
        self.assertIs(accepted.transport.doRead(), CONNECTION_DONE)
        accepted.transport.connectionLost(Failure(CONNECTION_DONE))
        self.assertEqual(accepted.take(), [b"close frame, alert", b""])
        self.assertEqual(accepted.protocol.ended, [ConnectionDone])

    def test_much_output(self) -> None:
        """A slow reader gets everything before the connection is closed."""
        for closes_during_a_read in (True, False):
            accepted = self.connect()

            def respond(data: bytes, accepted: Accepted = accepted) -> None:
                accepted.transport.write(MUCH)
                accepted.transport.loseConnection()

            accepted.protocol.on_data = respond
            if closes_during_a_read:
                accepted.send(b"x")
            else:
                respond(b"")
            self.assertEqual(accepted.protocol.ended, [])
            self.assertEqual(len(accepted.take_all()), len(MUCH))
            self.assertEqual(accepted.protocol.ended, [ConnectionDone])

    def test_half_closed(self) -> None:
        """A protocol that supports half-closed connections is told of the peer's end, but not of its own as that."""
        accepted = self.connect(protocol=HalfCloseable())
        accepted.transport.readConnectionLost(Failure(CONNECTION_DONE))
        self.assertEqual((accepted.protocol.halves, accepted.protocol.ended), (1, []))
        accepted.transport.write(b"still open")
        self.assertEqual(accepted.take(), [b"still open"])
        accepted.transport.loseConnection()
        accepted.transport.readConnectionLost(Failure(CONNECTION_DONE))
        self.assertEqual((accepted.protocol.halves, accepted.protocol.ended), (1, [ConnectionDone]))

    def test_half_close_of_ours(self) -> None:
        """After `loseWriteConnection` the rest is sent, and later writes are not."""
        accepted = self.connect()
        accepted.transport.write(MUCH)
        accepted.transport.loseWriteConnection()
        self.assertEqual(accepted.take_all(), MUCH)
        accepted.transport.write(b"x")
        accepted.reactor.settle()
        self.assertEqual(accepted.take(), [b""])

    def test_abort_during_a_read(self) -> None:
        """A connection that its protocol aborts during a read sends nothing of the output."""
        accepted = self.connect()

        def abort(data: bytes) -> None:
            accepted.transport.write(b"x")
            accepted.transport.abortConnection()

        accepted.protocol.on_data = abort
        accepted.send(b"x")
        accepted.reactor.advance(0)
        self.assertEqual(accepted.take(), [b""])
        self.assertEqual(accepted.protocol.ended, [ConnectionAborted])


class DifferenceTests(TransportCase):
    """Whatever a protocol does, the peer sees what it sees with Twisted's own transport."""

    def run_script(self, transport: type[tcp.Server], seed: int) -> tuple[bytes, bytes, list[Any]]:
        """Let the protocol and the peer do random things; return what each received, and how the connection ended."""
        chance = random.Random(seed)
        accepted = self.connect(transport)
        received = b""
        is_closing = False

        def act(*_data: object) -> None:
            nonlocal is_closing
            for _ in range(chance.randrange(4)):
                if is_closing:
                    # What is written now is sent or not, as it happens, by Twisted's transport too.
                    return
                match chance.randrange(9):
                    case 0:
                        accepted.transport.writeSequence([b"sequence", chance.randbytes(chance.randrange(2000))])
                    case 1:
                        accepted.transport.write(chance.randbytes(chance.randrange(300_000)))
                    case 2 if chance.random() < 0.3:
                        is_closing = True
                        chance.choice([accepted.transport.loseConnection, accepted.transport.loseWriteConnection])()
                    case _:
                        accepted.transport.write(chance.randbytes(chance.randrange(500)))

        accepted.protocol.on_data = act
        for _ in range(30):
            if accepted.protocol.ended:
                break
            if chance.random() < 0.5 and not is_closing:
                accepted.peer.sendall(chance.randbytes(chance.randrange(1, 1000)))
                accepted.reactor.settle()
            elif chance.random() < 0.5:
                act()
                accepted.reactor.settle()
            else:
                received += accepted.take_all()
        received += accepted.take_all()
        accepted.reactor.settle()
        return received, b"".join(accepted.protocol.received), accepted.protocol.ended

    def test_random_scripts(self) -> None:
        """The bytes, their order and the end are the same in 150 random scripts."""
        for seed in range(150):
            self.assertEqual(self.run_script(DirectTransport, seed), self.run_script(tcp.Server, seed), seed)
