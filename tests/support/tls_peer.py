"""An OpenSSL client of an accepted connection, which decides how its records are cut into reads."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress

from OpenSSL import SSL
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import TLSMemoryBIOProtocol

from signald.tls.context import ServerTLS, TLSFactory
from tests.support.accepted import Accepted
from tests.support.select_clock import SelectClock


class TLSPeer:
    """A client that is connected to a protocol of the server over TLS, on a pair of sockets.

    Attributes:
        accepted: the connection.
        client: the client's OpenSSL connection.
        server: the server's TLS transport.
        received: the plaintext that the client has received.
        is_closed: whether the server has sent its closing alert.
        is_lost: whether the connection of the sockets has ended.

    """

    def __init__(
        self,
        tls: ServerTLS,
        context: SSL.Context,
        protocol: Protocol,
        *,
        transport: type[TLSMemoryBIOProtocol] | None = None,
        kind: socket.SocketKind = socket.SOCK_STREAM,
    ) -> None:
        """Connect the sockets; `handshake` begins TLS.

        Arguments:
            tls: the TLS options of the server.
            context: the TLS context of the client.
            protocol: the server's protocol.
            transport: the class of the server's TLS transport, if it is not that of `TLSFactory`.
            kind: the kind of the sockets.

        """
        reactor = SelectClock()
        factory = TLSFactory(tls, False, Factory.forProtocol(lambda: protocol), reactor)
        if transport is not None:
            factory.protocol = transport
        built = factory.buildProtocol(None)
        assert built is not None
        self.server = built
        self.accepted = Accepted(built, kind=kind, reactor=reactor)
        self.client = SSL.Connection(context)
        self.client.set_connect_state()
        self.received = b""
        self.is_closed = self.is_lost = False

    def handshake(self) -> None:
        """Complete the handshake.

        Raises:
            SSL.Error: the handshake failed.

        """
        for _flight in range(4):
            try:
                self.client.do_handshake()
            except SSL.WantReadError:
                self.flush()
                self.receive()
            else:
                self.flush()
                return
        raise AssertionError("the handshake does not end")

    def records(self) -> bytes:
        """Take what the client has to send."""
        taken = b""
        with suppress(SSL.WantReadError):
            while True:
                taken += self.client.bio_read(65536)
        return taken

    def encrypt(self, *pieces: bytes) -> bytes:
        """Return the records of plaintext."""
        for piece in pieces:
            self.client.sendall(piece)
        return self.records()

    def flush(self, sizes: Iterator[int] | None = None) -> None:
        """Send what the client has to send, in pieces of these sizes, each in a read of its own."""
        self.deliver(self.records(), sizes)

    def deliver(self, records: bytes, sizes: Iterator[int] | None = None) -> None:
        """Send bytes to the server, in pieces of these sizes, each in a read of its own."""
        while records:
            size = len(records) if sizes is None else next(sizes)
            with suppress(ConnectionError):
                self.accepted.send(records[:size])
            records = records[size:]
            if sizes is not None:
                self.receive()

    def receive(self) -> bytes:
        """Receive what the server has sent; returns the plaintext of it."""
        before = len(self.received)
        while not self.is_lost:
            try:
                pieces = self.accepted.take()
            except ConnectionResetError:
                self.is_lost = True
                break
            if not pieces:
                break
            self.is_lost = not pieces[-1]
            for piece in filter(None, pieces):
                self.client.bio_write(piece)
            self._decrypt()
            self.accepted.reactor.settle()
        return self.received[before:]

    def close(self) -> None:
        """Send the closing alert."""
        with suppress(SSL.Error):
            self.client.shutdown()
        self.flush()

    def _decrypt(self) -> None:
        if self.client.get_state_string() != b"SSL negotiation finished successfully":
            return
        try:
            while True:
                self.received += self.client.recv(65536)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.is_closed = True
