"""TLS handshakes in memory: signald's server side under Twisted, and an OpenSSL client."""

from __future__ import annotations

import datetime
from contextlib import suppress

from cryptography import x509
from OpenSSL import SSL, crypto
from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol

from signald.tls.context import ServerTLS
from signald.tls.tls_transport import DirectTLSTransport


class Echo(Protocol):
    """A server protocol that sends all received data back."""

    def dataReceived(self, data: bytes) -> None:
        """Send the data back."""
        assert self.transport is not None
        self.transport.write(data)


class EchoFactory(Factory[Echo]):
    """Creates an `Echo` for each connection."""

    protocol = Echo


def client_context(authority: x509.Certificate, at: datetime.datetime) -> SSL.Context:
    """Return a TLS context of a client that trusts one authority, at a given time."""
    context = SSL.Context(SSL.TLS_METHOD)
    store = context.get_cert_store()
    assert store is not None
    store.add_cert(crypto.X509.from_cryptography(authority))
    store.set_time(at)
    context.set_verify(SSL.VERIFY_PEER)
    return context


class Link:
    """A client that is connected to an echo server over TLS in memory.

    Attributes:
        client: the client's OpenSSL connection.
        received: how much the server has sent, in bytes.

    """

    def __init__(
        self,
        tls: ServerTLS,
        context: SSL.Context,
        session: SSL.Session | None = None,
        *,
        protocol: type[TLSMemoryBIOProtocol] = DirectTLSTransport,
        begin: bool = True,
    ) -> None:
        """Connect the client to the server.

        Arguments:
            tls: the TLS options of the server.
            context: the TLS context of the client.
            session: the TLS session that the client offers to resume.
            protocol: the TLS protocol of the server.
            begin: whether to do the handshake, which raises `OpenSSL.SSL.Error` if it fails.

        """
        self._clock = Clock()
        factory = TLSMemoryBIOFactory(tls, False, EchoFactory(), self._clock)
        factory.protocol = protocol
        built = factory.buildProtocol(IPv4Address("TCP", "192.168.1.30", 50000))
        assert isinstance(built, TLSMemoryBIOProtocol)
        self._server = built
        self._wire = StringTransport()
        self._server.makeConnection(self._wire)
        self.received = 0
        self.client = SSL.Connection(context, None)
        self.client.set_connect_state()
        if session is not None:
            self.client.set_session(session)
        if begin:
            self.handshake()

    def handshake(self) -> None:
        """Complete the client's TLS handshake."""
        for _flight in range(4):
            try:
                self.client.do_handshake()
            except SSL.WantReadError:
                self.exchange()
            else:
                self.exchange()
                return
        raise AssertionError("the handshake does not end")

    def exchange(self) -> None:
        """Transfer the pending bytes of each side to the other side."""
        with suppress(SSL.WantReadError):
            self._server.dataReceived(self.client.bio_read(65536))
        self._clock.advance(0)
        answer = self._wire.value()
        self._wire.clear()
        self.received += len(answer)
        if answer:
            self.client.bio_write(answer)

    def echo(self, data: bytes) -> bytes:
        """Send bytes to the server, and return the echoed bytes."""
        self.client.send(data)
        self.exchange()
        return self.client.recv(65536)

    @property
    def shown(self) -> x509.Certificate:
        """The certificate that the server presented."""
        certificate = self.client.get_peer_certificate(as_cryptography=True)
        assert certificate is not None
        return certificate
