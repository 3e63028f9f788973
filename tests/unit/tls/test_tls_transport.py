"""Tests of the server's TLS transport: it does what Twisted's does, with fewer calls of OpenSSL and of the kernel."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterator
from typing import Any

from OpenSSL import SSL
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOProtocol
from twisted.trial.unittest import SynchronousTestCase

from signald.server.output import OutputQueue
from signald.tls.authority import Authority, wall_time
from signald.tls.context import ServerTLS, TLSFactory, server_context
from signald.tls.tls_transport import DirectTLSTransport
from tests.support.accepted import Accepted, Recorder
from tests.support.handshake import client_context
from tests.support.key_updates import KeyUpdatingClient
from tests.support.machines import NOW, machine
from tests.support.select_clock import SelectClock
from tests.support.tls_peer import TLSPeer

VERSIONS = (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION)

UPDATE_BYTES = 27
"""The size of a record that updates a key: its header, the message of 5 bytes, its inner type, and the tag."""

MUCH = bytes(range(256)) * 4096
"""One MiB: more than the kernel takes at once."""


class TLSCase(SynchronousTestCase):
    """A test with a server certificate."""

    def setUp(self) -> None:
        """Create the certificate."""
        names = machine("attic", ["192.168.1.20"])
        self.authority = Authority.create(names, NOW)
        self.pair = self.authority.issue(names, NOW)
        self.tls = ServerTLS(server_context(self.pair))

    def connect(
        self,
        protocol: Recorder | None = None,
        version: int = SSL.TLS1_3_VERSION,
        handshake: bool = True,
        **options: Any,
    ) -> tuple[TLSPeer, Recorder]:
        """Connect a client to a recording protocol, until the end of the test."""
        context = client_context(self.authority.certificate, wall_time(NOW))
        context.set_max_proto_version(version)
        protocol = protocol or Recorder()
        peer = TLSPeer(self.tls, context, protocol, **options)
        self.addCleanup(peer.accepted.close)
        if handshake:
            peer.handshake()
        return peer, protocol


class ReadTests(TLSCase):
    """Records are read once each, whatever the reads are that they arrive in."""

    def count_failed_reads(self, peer: TLSPeer) -> list[int]:
        """Count the calls of OpenSSL that had no result, from now on: the list grows by one for each."""
        connection: Any = peer.server._tlsConnection
        raise_error: Callable[[object, int], None] = connection._raise_ssl_error
        failed: list[int] = []

        def count(ssl: object, result: int) -> None:
            if result <= 0:
                failed.append(result)
            raise_error(ssl, result)

        connection._raise_ssl_error = count
        return failed

    def test_whole_records(self) -> None:
        """No read of OpenSSL fails while whole records arrive, and those of one read are delivered together."""
        for version in VERSIONS:
            peer, protocol = self.connect(version=version)
            failed = self.count_failed_reads(peer)
            peer.deliver(peer.encrypt(b"one"))
            peer.deliver(peer.encrypt(b"two", b"three", b"x" * 16384))
            self.assertEqual(protocol.received, [b"one", b"twothree" + b"x" * 16384])
            self.assertEqual(failed, [])

    def test_parts_of_records(self) -> None:
        """Wherever reads cut a stream of records, all of it is delivered as soon as its record is whole."""
        peer, protocol = self.connect()
        for cut in range(1, 60):
            protocol.received.clear()
            records = peer.encrypt(b"first", b"second")
            self.assertEqual(len(records), 2 * 22 + 11)
            peer.deliver(records[:cut])
            whole = b"first" if cut >= 27 else b""
            self.assertEqual(b"".join(protocol.received), whole + (b"second" if cut >= 55 else b""))
            peer.deliver(records[cut:])
            self.assertEqual(b"".join(protocol.received), b"firstsecond")
        failed = self.count_failed_reads(peer)
        peer.deliver(peer.encrypt(b"whole"))
        self.assertEqual(failed, [])

    def test_more_than_the_buffer(self) -> None:
        """Any amount that arrives in one read is delivered."""
        peer, protocol = self.connect()
        peer.server.dataReceived(peer.encrypt(MUCH))
        self.assertEqual(b"".join(protocol.received), MUCH)

    def test_data_with_the_handshake(self) -> None:
        """What arrives in one read with the end of the handshake is delivered, and answered."""
        peer, protocol = self.connect(handshake=False)
        protocol.on_data = lambda data: protocol.transport.write(data.upper())
        self.assertRaises(SSL.WantReadError, peer.client.do_handshake)
        peer.flush()
        peer.accepted.reactor.settle()
        for piece in peer.accepted.take():
            peer.client.bio_write(piece)
        peer.client.do_handshake()
        peer.deliver(peer.encrypt(b"early"))
        self.assertEqual(peer.receive(), b"EARLY")
        self.assertEqual(protocol.received, [b"early"])

    def test_paused(self) -> None:
        """A protocol that pauses the transport receives nothing more than what one read brought."""
        peer, protocol = self.connect()
        protocol.on_data = lambda data: protocol.transport.pauseProducing()
        peer.deliver(peer.encrypt(b"1", b"2"))
        peer.deliver(peer.encrypt(b"3"))
        self.assertEqual(protocol.received, [b"12"])
        protocol.transport.resumeProducing()
        peer.accepted.reactor.settle()
        self.assertEqual(protocol.received, [b"12", b"3"])

    def test_record_that_is_none(self) -> None:
        """The plaintext before a forged record is delivered; then the connection ends with an alert."""
        for transport in (DirectTLSTransport, TLSMemoryBIOProtocol):
            peer, protocol = self.connect(transport=transport)
            protocol.on_data = lambda data, protocol=protocol: protocol.transport.write(b"x" if data == b"x" else b"")  # type: ignore[misc]
            good, forged = peer.encrypt(b"good"), peer.encrypt(b"forged")
            peer.deliver(good + forged[:-1] + bytes([forged[-1] ^ 1]))
            self.assertEqual(protocol.received, [b"good"])
            error = self.assertRaises(SSL.Error, peer.receive)
            self.assertIn("bad record mac", str(error))
            self.assertEqual([reason is not None and reason.__name__ for reason in protocol.ended], ["Error"])

    def test_answer_to_what_preceded_a_forged_record(self) -> None:
        """An answer that can no longer be encrypted is discarded, and the alert is sent."""
        peer, protocol = self.connect()
        protocol.on_data = lambda data: protocol.transport.write(b"answer")
        good, forged = peer.encrypt(b"good"), peer.encrypt(b"forged")
        peer.deliver(good + forged[:-1] + bytes([forged[-1] ^ 1]))
        self.assertIn("bad record mac", str(self.assertRaises(SSL.Error, peer.receive)))
        self.assertEqual(peer.received, b"")
        self.assertIn("bad record mac", str(protocol.reasons[0].value))

    def test_record_that_is_too_long(self) -> None:
        """A header that announces more than a record may hold ends the connection before the rest arrives."""
        peer, protocol = self.connect()
        peer.deliver(b"\x17\x03\x03\xff\xff")
        self.assertEqual(len(protocol.ended), 1)

    def test_no_tls(self) -> None:
        """A client that speaks no TLS is disconnected."""
        peer, protocol = self.connect(handshake=False)
        peer.deliver(b"GET / HTTP/1.1\r\n\r\n")
        self.assertEqual(peer.accepted.take(), [b""])
        self.assertEqual([str(reason) for reason in protocol.ended], ["<class 'OpenSSL.SSL.Error'>"])

    def test_no_renegotiation(self) -> None:
        """A request to renegotiate is refused with an alert, and the connection lives."""
        peer, protocol = self.connect(version=SSL.TLS1_2_VERSION)
        self.assertTrue(peer.client.renegotiate())
        self.assertRaises(SSL.WantReadError, peer.client.do_handshake)
        peer.flush()
        for piece in peer.accepted.take():
            peer.client.bio_write(piece)
        self.assertIn("no renegotiation", str(self.assertRaises(SSL.Error, peer.client.do_handshake)))
        self.assertEqual(protocol.ended, [])


class Counter(Recorder):
    """Counts the reads that bring nothing."""

    count = 0

    def receive_nothing(self) -> None:
        """Count one."""
        self.count += 1


class ControlRecordTests(TLSCase):
    """Records without plaintext are few, and reads that bring none have their price."""

    def accept(self, protocol: Recorder) -> tuple[Accepted, KeyUpdatingClient, bytes]:
        """Begin a handshake with a protocol; return the connection, the client, and its last flight."""
        client = KeyUpdatingClient()
        self.addCleanup(client.close)
        factory = TLSFactory(self.tls, False, Factory.forProtocol(lambda: protocol), SelectClock())
        accepted = Accepted(factory.buildProtocol(None))
        self.addCleanup(accepted.close)
        accepted.send(client.handshake())
        return accepted, client, client.handshake(accepted.take_all())

    def test_updates_of_keys(self) -> None:
        """A few updates are answered, and what follows them is received."""
        protocol = Recorder()
        accepted, client, flight = self.accept(protocol)
        accepted.send(flight)
        accepted.take_all()
        for data in (b"one", b"two", b"three"):
            accepted.send(client.update_keys(4) + client.encrypt(data))
            self.assertGreaterEqual(len(accepted.take_all()), UPDATE_BYTES)
        self.assertEqual(protocol.received, [b"one", b"two", b"three"])
        self.assertEqual(protocol.reasons, [])

    def test_many_updates_of_keys(self) -> None:
        """Many of them end the connection before OpenSSL has answered them all, also right behind the handshake."""
        for at_once in (False, True):
            protocol = Recorder()
            accepted, client, flight = self.accept(protocol)
            if not at_once:
                accepted.send(flight)
                flight = b""
            accepted.peer.sendall(flight + client.update_keys(2000) + client.encrypt(b"late"))
            sent = self.count_output(accepted)
            accepted.reactor.settle()
            accepted.reactor.advance(0)
            self.assertEqual((protocol.received, len(protocol.reasons)), ([], 1))
            self.assertLess(sum(sent), 200 * UPDATE_BYTES)

    def count_output(self, accepted: Accepted) -> list[int]:
        """Count the bytes that the transport is given from now on."""
        sizes: list[int] = []
        write = accepted.transport.write

        def count(data: bytes) -> None:
            sizes.append(len(data))
            write(data)

        accepted.transport.write = count
        return sizes

    def test_reads_without_plaintext(self) -> None:
        """A protocol is told of each read that brings it nothing, of the handshake and of a part of a record."""
        protocol = Counter()
        peer, _ = self.connect(protocol)
        handshake = protocol.count
        self.assertGreater(handshake, 0)
        records = peer.encrypt(b"first", b"second")
        peer.deliver(records, iter([10, 10, 10, 10, 10, 100]))
        self.assertEqual(b"".join(protocol.received), b"firstsecond")
        self.assertEqual(protocol.count - handshake, 6 - len(protocol.received))


class WriteTests(TLSCase):
    """Writes become records at once."""

    def test_at_once(self) -> None:
        """The peer has the bytes before the reactor runs, and nothing is scheduled."""
        peer, protocol = self.connect()
        protocol.transport.write(b"one")
        protocol.transport.writeSequence([b"t", b"wo"])
        protocol.transport.write(b"")
        self.assertEqual(peer.accepted.reactor.getDelayedCalls(), [])
        self.assertEqual(peer.receive(), b"onetwo")

    def test_much(self) -> None:
        """Writes larger than a record, and than the kernel's buffer, arrive whole and in order."""
        for version in VERSIONS:
            peer, protocol = self.connect(version=version)
            protocol.transport.write(MUCH)
            protocol.transport.write(b"later")
            self.assertEqual(peer.receive(), MUCH + b"later")

    def test_before_the_handshake(self) -> None:
        """What is written before the end of the handshake follows it, and a producer waits meanwhile."""

        class Eager(Recorder):
            def connectionMade(self) -> None:
                self.transport.write(MUCH)
                self.transport.write(b"eager")

        peer, _ = self.connect(Eager())
        peer.deliver(peer.encrypt(b"x"))
        self.assertEqual(peer.receive(), MUCH + b"eager")

    def test_write_that_waits(self) -> None:
        """What OpenSSL does not take, since it wants input, is sent after the next read."""
        peer, protocol = self.connect()
        peer.server._bufferedWrite(b"waits")
        self.assertEqual(peer.receive(), b"")
        peer.deliver(peer.encrypt(b"input"))
        self.assertEqual(peer.receive(), b"waits")
        self.assertEqual(protocol.received, [b"input"])

    def test_write_that_fails(self) -> None:
        """A write that OpenSSL refuses ends the connection, and the protocol is told why."""
        peer, protocol = self.connect()
        peer.server.getHandle().shutdown()
        protocol.transport.write(b"x")
        peer.accepted.reactor.settle()
        self.assertEqual(protocol.ended, [SSL.Error])

    def test_answers_in_one_send(self) -> None:
        """The answers to one read leave in one `send`."""
        peer, protocol = self.connect(kind=socket.SOCK_SEQPACKET)
        peer.accepted.take()
        protocol.on_data = lambda data: [protocol.transport.write(b"answer") for _ in range(3)]  # type: ignore[assignment]
        peer.deliver(peer.encrypt(b"x"))
        sent = peer.accepted.take()
        self.assertEqual([len(piece) for piece in sent], [3 * (6 + 22)])

    def test_slow_reader(self) -> None:
        """The bounds of a reader that takes nothing hold, and it is aborted."""
        for limit, more in (("output_bytes", 3 * len(MUCH)), ("output_seconds", 100)):
            peer, protocol = self.connect()
            given_up: list[str] = []

            def give_up(limit: str, given_up: list[str] = given_up, protocol: Recorder = protocol) -> None:
                given_up.append(limit)
                protocol.transport.abortConnection()

            output = OutputQueue(protocol.transport, peer.accepted.reactor, 3 * len(MUCH), 5.0, give_up)
            output.write(MUCH)
            peer.accepted.reactor.settle()
            self.assertFalse(output.is_sent)
            output.write(b"x" * more)
            peer.accepted.reactor.advance(5.0)
            self.assertEqual(given_up, [limit])
            peer.accepted.reactor.advance(0)
            self.assertEqual(protocol.ended, [ConnectionLost])

    def test_reader_that_reads_again(self) -> None:
        """A slow reader that reads again gets everything, and the queue is empty then."""
        peer, protocol = self.connect()
        output = OutputQueue(protocol.transport, peer.accepted.reactor, 3 * len(MUCH), 5.0, self.fail)
        output.write(MUCH)
        output.write(b"waits")
        self.assertEqual(output.waiting_bytes, 5)
        self.assertEqual(peer.receive(), MUCH + b"waits")
        self.assertTrue(output.is_sent)


class CloseTests(TLSCase):
    """The end of a connection is told apart from its truncation."""

    def test_close_frame_and_alert(self) -> None:
        """A protocol that answers a read and closes has its answer and the closing alert leave in one `send`."""
        peer, protocol = self.connect(kind=socket.SOCK_SEQPACKET)
        peer.accepted.take()

        def answer(data: bytes) -> None:
            protocol.transport.write(b"close frame")
            protocol.transport.loseConnection()

        protocol.on_data = answer
        peer.deliver(peer.encrypt(b"close frame"))
        self.assertEqual([len(piece) for piece in peer.accepted.take()], [11 + 22 + 2 + 22])
        self.assertEqual(protocol.ended, [])
        peer.close()
        self.assertEqual(protocol.ended, [ConnectionDone])

    def test_nothing_is_truncated(self) -> None:
        """A slow reader gets everything before the closing alert."""
        for version in VERSIONS:
            peer, protocol = self.connect(version=version)
            protocol.transport.write(MUCH)
            protocol.transport.loseConnection()
            protocol.transport.write(b"too late")
            self.assertEqual(peer.receive(), MUCH)
            self.assertTrue(peer.is_closed)
            self.assertFalse(peer.is_lost)
            peer.close()
            self.assertEqual(protocol.ended, [ConnectionDone])

    def test_close_by_the_peer(self) -> None:
        """The peer's closing alert is answered after what preceded it, and the connection closed."""
        peer, protocol = self.connect()
        protocol.on_data = lambda data: protocol.transport.write(data.upper())
        records = peer.encrypt(b"last")
        peer.client.shutdown()
        peer.deliver(records + peer.records())
        self.assertEqual(peer.receive(), b"LAST")
        self.assertTrue(peer.is_closed)
        self.assertTrue(peer.is_lost)
        self.assertEqual(protocol.ended, [ConnectionDone])

    def test_end_without_an_alert(self) -> None:
        """A connection that ends without a closing alert was lost."""
        peer, protocol = self.connect()
        peer.accepted.peer.close()
        peer.accepted.reactor.settle()
        self.assertEqual(protocol.ended, [ConnectionLost])
        protocol.transport.write(b"x")
        self.assertEqual(len(protocol.ended), 1)

    def test_abort(self) -> None:
        """An abort sends no closing alert, since the peer would take the end for an orderly one.

        The protocol is told of a lost connection, as by Twisted's transport.
        """
        peer, protocol = self.connect()
        protocol.transport.write(b"part of a message")
        protocol.transport.abortConnection()
        peer.accepted.reactor.advance(0)
        peer.receive()
        self.assertEqual(peer.received, b"part of a message")
        self.assertTrue(peer.is_lost)
        self.assertFalse(peer.is_closed)
        self.assertEqual(protocol.ended, [ConnectionLost])

    def test_abort_within_a_read(self) -> None:
        """A protocol that aborts gets nothing of what follows."""
        peer, protocol = self.connect()
        protocol.on_data = lambda data: protocol.transport.abortConnection()
        peer.deliver(peer.encrypt(b"1"))
        peer.server.dataReceived(peer.encrypt(b"2"))
        self.assertEqual(protocol.received, [b"1"])

    def test_close_before_the_handshake(self) -> None:
        """A connection that is closed during its handshake is aborted."""
        peer, protocol = self.connect(handshake=False)
        protocol.transport.loseConnection()
        peer.accepted.reactor.advance(0)
        self.assertEqual(protocol.ended, [ConnectionLost])

    def test_replaced_certificate(self) -> None:
        """An open connection lives on when the certificate is replaced."""
        peer, protocol = self.connect()
        protocol.on_data = lambda data: protocol.transport.write(data)
        self.tls.replace(server_context(self.authority.issue(machine("attic", ["192.168.1.20"]), NOW)))
        peer.deliver(peer.encrypt(b"still here"))
        self.assertEqual(peer.receive(), b"still here")


class DifferenceTests(TLSCase):
    """Whatever the sizes and the reads are, both sides see what they see with Twisted's transports."""

    def run_script(self, transport: type[TLSMemoryBIOProtocol], seed: int) -> tuple[bytes, bytes, bool, list[Any]]:
        """Exchange random amounts in random pieces; return what each side received, and how the connection ended."""
        chance = random.Random(seed)
        peer, protocol = self.connect(version=chance.choice(VERSIONS), transport=transport)
        # The pieces differ between the runs as the records do; their sizes do not depend on what the script does.
        pieces = random.Random(seed + 1)

        def sizes() -> Iterator[int]:
            while True:
                yield pieces.choice([1, 5, 6, 27, 300, 5000, 70_000])

        protocol.on_data = lambda data: protocol.transport.write(data.upper())
        for _ in range(chance.randrange(1, 12)):
            match chance.randrange(6):
                case 0:
                    peer.deliver(peer.encrypt(*(chance.randbytes(chance.randrange(1, 40)) for _ in range(4))), sizes())
                case 1:
                    peer.deliver(peer.encrypt(chance.randbytes(chance.randrange(200, 60_000))), sizes())
                case 2:
                    protocol.transport.write(chance.randbytes(chance.randrange(1, 90_000)))
                case 3:
                    peer.receive()
                case _:
                    peer.deliver(peer.encrypt(chance.randbytes(chance.randrange(1, 300))))
            peer.accepted.reactor.advance(0)  # what Twisted's transport has collected
        end = chance.randrange(4)
        if end == 0:
            protocol.transport.loseConnection()
        elif end == 1:
            peer.close()
        elif end == 2:
            peer.accepted.peer.shutdown(socket.SHUT_WR)
        peer.accepted.reactor.advance(0)
        peer.accepted.reactor.settle()
        peer.receive()
        return b"".join(protocol.received), peer.received, peer.is_closed, protocol.ended

    def test_random_scripts(self) -> None:
        """The plaintext, its order and the end are the same in 60 random scripts."""
        for seed in range(60):
            direct = self.run_script(DirectTLSTransport, seed)
            self.assertEqual(direct, self.run_script(BufferingTLSTransport, seed), seed)
