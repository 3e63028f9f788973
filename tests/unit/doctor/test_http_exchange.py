"""Tests of the doctor's HTTP request over a new connection."""

from __future__ import annotations

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.error import (
    ConnectionDone,
    ConnectionRefusedError,
    DNSLookupError,
    NoRouteError,
    TimeoutError,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport, StringTransportWithDisconnection
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from signald.core.errors import ErrorCode
from signald.doctor.handshakes import handshake
from signald.doctor.http_exchange import ANSWER_SECONDS, Exchange, UnreachableError, exchange, unreachable
from signald.doctor.targets import PublicUrl, Target
from signald.server.problems import last_response
from tests.support.memory_network import MemoryNetwork

URL = PublicUrl.read("http://calls.example.org/")


class ExchangeTests(SynchronousTestCase):
    """Tests of `Exchange`, which sends one HTTP request and reads the response."""

    def setUp(self) -> None:
        """Open a connection in memory and send a request."""
        self.protocol = Exchange(handshake(URL, None))
        self.wire = StringTransportWithDisconnection()
        self.wire.abortConnection = self.wire.loseConnection  # type: ignore[method-assign] # it has none of its own
        self.wire.protocol = self.protocol
        self.protocol.makeConnection(self.wire)

    def reason(self) -> str:
        """Return the message with which the exchange failed."""
        return str(self.failureResultOf(self.protocol.answered, UnreachableError).value)

    def test_answer(self) -> None:
        """The exchange succeeds and closes the TCP connection as soon as the response is complete."""
        self.assertEqual(self.wire.value(), handshake(URL, None))
        data = last_response(ErrorCode.BAD_ORIGIN)
        self.protocol.dataReceived(data[:50])
        self.assertNoResult(self.protocol.answered)
        self.protocol.dataReceived(data[50:])
        self.assertEqual(self.successResultOf(self.protocol.answered).response.code, "bad-origin")
        self.assertFalse(self.wire.connected)

    def test_answer_to_the_end(self) -> None:
        """A response without Content-Length is read until it reaches the size limit, and then it counts."""
        self.protocol.dataReceived(b"HTTP/1.1 200 OK\r\n\r\nbody")
        self.assertNoResult(self.protocol.answered)
        self.protocol.dataReceived(b"x" * 70000)
        self.assertEqual(self.successResultOf(self.protocol.answered).response.status, 200)

    def test_closed(self) -> None:
        """A TCP connection that is closed after half a status line is reported as closed without a response."""
        self.protocol.dataReceived(b"HTTP/1.1 2")
        self.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.reason(), "the connection was closed without an answer")

    def test_no_tls(self) -> None:
        """A failed TLS handshake is reported as such."""
        self.protocol.connectionLost(Failure(SSL.Error([])))
        self.assertEqual(self.reason(), "TLS could not be agreed on")

    def test_something_else(self) -> None:
        """A server of another protocol is reported as soon as its first bytes arrive."""
        self.protocol.dataReceived(b"SSH-2.0-OpenSSH_9.2\r\n")
        self.assertEqual(self.reason(), "what answers there does not speak HTTP/1.1")

    def test_closed_after_an_answer(self) -> None:
        """A response without Content-Length counts when the server closes the TCP connection after it."""
        self.protocol.dataReceived(b"HTTP/1.0 200 OK\r\n\r\nbody")
        self.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.successResultOf(self.protocol.answered).response.body, b"body")

    def test_first_result(self) -> None:
        """Bytes that arrive after the result do not change it, whether it is a response or an error."""
        data = last_response(ErrorCode.BAD_ORIGIN)
        self.protocol.dataReceived(data)
        self.protocol.dataReceived(b"more")
        self.assertEqual(self.successResultOf(self.protocol.answered).response.code, "bad-origin")
        other = Exchange(b"")
        other.makeConnection(StringTransport())
        other.dataReceived(b"SSH-2.0-OpenSSH_9.2\r\n")
        other.dataReceived(b"more")
        self.failureResultOf(other.answered, UnreachableError)

    def test_silence(self) -> None:
        """A server that accepts the TCP connection and sends nothing is unreachable after a timeout."""
        network = MemoryNetwork(Factory.forProtocol(Protocol))
        done = Deferred.fromCoroutine(exchange(network, Target("192.0.2.1", 80, False), b""))
        network.run_for(ANSWER_SECONDS + 0.5)
        self.assertEqual(
            str(self.failureResultOf(done, UnreachableError).value), f"no answer comes within {ANSWER_SECONDS:.0f} s"
        )

    def test_reasons(self) -> None:
        """Each error of an attempt to open a TCP connection has its own text."""
        errors = (DNSLookupError(), ConnectionRefusedError(), TimeoutError(), NoRouteError())
        texts = [
            "its name has no address",
            "nothing listens there",
            "nothing answers within 5 s",
            "there is no way to it",
        ]
        self.assertEqual([unreachable(error) for error in errors], texts)
