"""Tests of the doctor's dialogues with STUN and TURN servers over UDP, TCP and TLS."""

from __future__ import annotations

import socket
from typing import Any

from cryptography import x509
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from signald.doctor.allocation import Credentials, Dialogue, Outcome, Result
from signald.doctor.chain import trusted_store
from signald.doctor.findings import Finding, Mark
from signald.doctor.ice_targets import ANSWER_SECONDS, read_ice_url
from signald.doctor.relays import Datagrams, Stream, check_ice
from signald.doctor.stun import encode
from signald.tls.context import ServerTLS, TLSFactory, server_context
from tests.support.machines import NOW
from tests.support.memory_network import MemoryNetwork
from tests.support.memory_turn import ADA, MemoryTurnServer, transactions
from tests.support.public_authority import PublicAuthority
from tests.support.reactors import install_reactor


class RecordingTransport:
    """A datagram transport that records what is sent."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.peer: tuple[str, int] | None = None

    def connect(self, host: str, port: int) -> None:
        """Record the peer."""
        self.peer = (host, port)

    def write(self, data: bytes) -> None:
        """Record a datagram."""
        self.sent.append(data)


class TransportTests(SynchronousTestCase):
    """Tests of dialogues over UDP and TCP."""

    def test_datagrams(self) -> None:
        """A request over UDP is retransmitted until its response arrives, and nothing is sent after the end."""
        clock, wire, server = Clock(), RecordingTransport(), MemoryTurnServer()
        protocol = Datagrams(Dialogue(ADA, transactions().__next__), ("192.0.2.1", 3478), clock)
        protocol.transport = wire
        protocol.startProtocol()
        clock.pump([0.5] * 2)
        self.assertEqual(len(wire.sent), 3)
        self.assertEqual(len(set(wire.sent)), 1)
        for _ in range(8):
            protocol.datagramReceived(encode(server.respond(wire.sent[-1])), ("192.0.2.1", 3478))
        self.assertEqual(self.successResultOf(protocol.runner.ended), Outcome(Result.RELAYED))
        sent = len(wire.sent)
        clock.pump([0.5] * 4)
        self.assertEqual(len(wire.sent), sent)
        protocol.stopProtocol()
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_refused_datagrams(self) -> None:
        """A closed UDP port ends the dialogue as closed, and a datagram that is not STUN ends it as nonsense."""
        for happens, result in (
            (lambda protocol: protocol.connectionRefused(), Result.CLOSED),
            (lambda protocol: protocol.stopProtocol(), Result.CLOSED),
            (lambda protocol: protocol.datagramReceived(b"hello", None), Result.NONSENSE),
        ):
            protocol = Datagrams(Dialogue(None, transactions().__next__), ("192.0.2.1", 3478), Clock())
            protocol.transport = RecordingTransport()
            protocol.startProtocol()
            happens(protocol)
            self.assertEqual(self.successResultOf(protocol.runner.ended), Outcome(result))

    def test_stream(self) -> None:
        """Responses over TCP are reassembled, even if each byte arrives separately."""
        server, wire = MemoryTurnServer(), StringTransport()
        protocol = Stream(Dialogue(ADA, transactions().__next__))
        protocol.makeConnection(wire)
        for _ in range(8):
            if not (request := wire.value()):
                break
            wire.clear()
            for byte in encode(server.respond(request)):
                protocol.dataReceived(bytes((byte,)))
        self.assertEqual(self.successResultOf(protocol.runner.ended), Outcome(Result.RELAYED))

    def test_stream_of_something_else(self) -> None:
        """A TCP server of another protocol is detected from its first bytes."""
        protocol = Stream(Dialogue(None, transactions().__next__))
        protocol.makeConnection(StringTransport())
        protocol.dataReceived(b"HTTP/1.1 400 Bad Request\r\n")
        self.assertEqual(self.successResultOf(protocol.runner.ended), Outcome(Result.NONSENSE))

    def test_closed_stream(self) -> None:
        """A TCP connection that is closed without a response ends the dialogue as closed."""
        protocol = Stream(Dialogue(None, transactions().__next__))
        protocol.makeConnection(StringTransport())
        protocol.connectionLost()
        self.assertEqual(self.successResultOf(protocol.runner.ended), Outcome(Result.CLOSED))


class TurnProtocol(Protocol):
    """The server's side of a TCP connection; each read is one request, because the doctor waits for responses."""

    def __init__(self, server: MemoryTurnServer) -> None:
        self._server = server

    def dataReceived(self, data: bytes) -> None:
        """Send the response."""
        assert self.transport is not None
        self.transport.write(encode(self._server.respond(data)))


class SilentProtocol(Protocol):
    """The server's side of a TCP connection on which the server sends nothing."""


class CheckTests(SynchronousTestCase):
    """Tests of `check_ice` in a network in memory."""

    def setUp(self) -> None:
        """Create a TURN server, and a network in which nothing listens yet."""
        self.network = MemoryNetwork()
        # Twisted's TLS clients use the reactor of the process.
        install_reactor(self, self.network)
        self.server = MemoryTurnServer()
        self.looked_up: list[str] = []

    def listen(self) -> None:
        """Let the TURN server listen for datagrams and TCP connections."""
        self.network.answer = lambda data: encode(self.server.respond(data))
        self.network.site = Factory.forProtocol(lambda: TurnProtocol(self.server))

    def look_up(self, function: Any, host: str, *_: Any) -> Deferred[Any]:
        """Return the address of every name in place of running `getaddrinfo` in a thread."""
        self.assertIs(function, socket.getaddrinfo)
        self.looked_up.append(host)
        return succeed([(socket.AF_INET, socket.SOCK_DGRAM, 17, "", ("192.0.2.1", 0))])

    def check(
        self, url: str, credentials: Credentials | None = ADA, *, now: float = NOW, roots: Any = (), look_up: Any = None
    ) -> list[Finding]:
        """Check a server, and return the findings."""
        server = read_ice_url(url, credentials)
        check = check_ice(self.network, server, trusted_store(roots), now, look_up or self.look_up, minted=False)
        done: Deferred[list[Finding]] = Deferred.fromCoroutine(check)
        self.network.run_for(ANSWER_SECONDS + 0.5)
        return self.successResultOf(done)

    def reason(self, url: str, **options: Any) -> str:
        """Check a server that cannot be reached, and return the text of the only finding."""
        (found,) = self.check(url, **options)
        self.assertEqual(found.mark, Mark.FAILURE)
        return found.text

    def test_datagrams(self) -> None:
        """A server is checked over UDP at the address of its name, and the socket is closed afterwards."""
        self.listen()
        (found,) = self.check("turn:turn.example.org")
        self.assertEqual(
            found.text, "turn:turn.example.org takes the credentials and relays; it refuses private peers."
        )
        self.assertEqual(self.looked_up, ["turn.example.org"])
        self.assertEqual(self.network.sockets, [])
        self.assertEqual(self.network.getDelayedCalls(), [])

    def test_address(self) -> None:
        """An IP address in a URL is used without a lookup."""
        self.listen()
        for url in ("stun:192.0.2.1", "stun:[2001:db8::1]"):
            self.assertEqual([found.text for found in self.check(url, None)], [f"{url} answers."])
        self.assertEqual(self.looked_up, [])

    def test_stream(self) -> None:
        """A server is checked over TCP if its URL says so."""
        self.listen()
        (found,) = self.check("turn:turn.example.org?transport=tcp")
        self.assertEqual(found.mark, Mark.OK)
        self.assertEqual(self.network.getDelayedCalls(), [])

    def test_certificate(self) -> None:
        """The certificate of a server that speaks TLS is judged as clients would."""
        self.listen()
        authority = PublicAuthority.create()
        pair = authority.issue(x509.DNSName("turn.example.org"))
        self.network.site = TLSFactory(ServerTLS(server_context(pair)), False, self.network.site, self.network)
        now = authority.now.timestamp()
        trusted = self.check("turns:turn.example.org", now=now, roots=[authority.root])
        self.assertEqual([found.mark for found in trusted], [Mark.OK] * 4)
        other_name = self.check("turns:calls.example.org", now=now, roots=[authority.root])
        self.assertIn("is not for calls.example.org", other_name[-1].text)

    def test_unreachable(self) -> None:
        """A name without an address, a closed port and a socket that cannot be opened are failures with the reason."""
        self.assertIn("nothing listens there", self.reason("turn:turn.example.org"))
        self.assertIn("nothing listens there", self.reason("turn:turn.example.org?transport=tcp"))
        text = self.reason("turn:nowhere.example.org", look_up=lambda *_: fail(socket.gaierror(-2, "unknown")))
        self.assertIn("its name has no address", text)

        def refuse(*_: object, **__: object) -> None:
            raise OSError

        self.patch(self.network, "listenUDP", refuse)
        self.assertIn("there is no way to it", self.reason("turn:192.0.2.1"))

    def test_silence(self) -> None:
        """A server that does not respond is reported after the timeout, over UDP and over TCP."""
        self.network.answer = lambda _: None
        self.network.site = Factory.forProtocol(SilentProtocol)
        for url in ("stun:192.0.2.1", "stun:192.0.2.1?transport=tcp"):
            self.assertIn(f"no answer comes within {ANSWER_SECONDS:.0f} s", self.reason(url, credentials=None))
        self.assertEqual(self.network.getDelayedCalls(), [])
