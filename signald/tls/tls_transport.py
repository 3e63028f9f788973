"""TLS over a transport that sends at once: each record is read once, and no write waits for others."""

from __future__ import annotations

from typing import Any

from OpenSSL.SSL import WantReadError, ZeroReturnError
from twisted.internet.interfaces import ITransport
from twisted.protocols.policies import ProtocolWrapper
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure

from signald.tls.memory_bio import ALL, KEPT_BYTES, add_input, decrypt, encrypt, shrink_input, take_output
from signald.tls.records import RecordCutter

__all__ = ["MOST_CONTROL_RECORDS", "DirectTLSTransport"]

MOST_CONTROL_RECORDS = 16
"""Records without plaintext that a connection may send after its handshake, besides those that OpenSSL limits. They are
updates of keys, which clients send after millions of records if ever (RFC 8446 §5.5), and requests to renegotiate.
OpenSSL answers any number of them in one read, at 15 to 45 µs each."""

_HANDSHAKE_PIECE_BYTES = 2048
"""Bytes that OpenSSL is given at a time during the handshake, of which each flight of a client has fewer, or a few
times as many with client certificates."""


class DirectTLSTransport(TLSMemoryBIOProtocol):
    """The server's side of a TLS connection, at little cost for each small message.

    Twisted's `BufferingTLSTransport`, the default, collects writes until the next iteration of the reactor, and each
    of its reads ends in an exception. Here a write becomes records and reaches the transport below at once. Reads
    follow the headers of the records: where whole records have arrived, as is usual, each of them is read once, and
    nothing tries to read a further one.

    Up to `RECORDS_PER_PIECE` records that arrived together are delivered together, so that a read of a protocol costs
    about the same with TLS and without: in calls, in the points of its address, and when the protocol pauses the
    transport meanwhile.
    """

    transport: Any
    wrappedProtocol: Any
    _tlsConnection: Any

    _records = ALL
    """How many records the next read decrypts."""

    _plaintext_records = 0
    """How many records with plaintext were decrypted."""

    _is_unread = True
    """Whether nothing has arrived yet."""

    _is_unencrypted = False
    """Whether the client does not speak TLS, but HTTP."""

    _control_records = 0
    """How many records brought no plaintext since the end of the handshake."""

    def makeConnection(self, transport: ITransport) -> None:
        """Begin with the handshake.

        The base class declares each interface of the transport on its own, which takes 36 µs, and then, as here, all.
        """
        self._tlsConnection = self.factory._creatorCallable(self)
        self._appSendBuffer: list[bytes] = []
        self._cutter = RecordCutter()
        ProtocolWrapper.makeConnection(self, transport)
        self._checkHandshakeStatus()

    def dataReceived(self, data: bytes) -> None:
        """Decrypt what has arrived, and deliver the plaintext.

        A read that brings no plaintext is told to a protocol that has `receive_nothing`, since it has its price too.
        """
        before = self._plaintext_records
        if not self._handshakeDone or self._appSendBuffer:
            self._receive_handshake(data)
        elif self._cutter.is_record(data):
            self._receive_records(data, 1, True)
        else:
            self._receive_pieces(data)
        if before == self._plaintext_records and not (self._aborted or self._lostTLSConnection):
            receive_nothing = getattr(self.wrappedProtocol, "receive_nothing", None)
            if receive_nothing is not None:
                receive_nothing()

    def _receive_records(self, data: bytes, ends: int, is_whole: bool) -> None:
        """Decrypt bytes that arrived after the handshake, in which so many records end.

        Arguments:
            data: the bytes.
            ends: how many records end in them.
            is_whole: whether they consist of whole records.

        """
        connection, before = self._tlsConnection, self._plaintext_records
        self._records = ends if is_whole else ALL
        add_input(connection, data)
        self._flushReceiveBIO()
        if len(data) > KEPT_BYTES:
            shrink_input(connection)
        control_records = ends - (self._plaintext_records - before)
        if control_records:
            self._control_records += control_records
            if self._control_records > MOST_CONTROL_RECORDS and not self._lostTLSConnection:
                self.abortConnection()

    def _receive_pieces(self, data: bytes) -> None:
        """Decrypt bytes that arrived after the handshake, a few records at a time."""
        for piece, ends, is_whole in self._cutter.cut(data):
            self._receive_records(piece, ends, is_whole)
            if self._aborted or self._lostTLSConnection:
                return

    def _receive_handshake(self, data: bytes) -> None:
        """Give OpenSSL bytes of the handshake, in small pieces since others than records of it may follow.

        The first byte tells a handshake (RFC 8446 §5.1) from an HTTP request, which begins with its method. A protocol
        that has `receive_unencrypted` gets such a request, and its answer ends the connection.
        """
        if self._is_unread:
            self._is_unread = False
            self._is_unencrypted = data[:1].isupper() and hasattr(self.wrappedProtocol, "receive_unencrypted")
        if self._is_unencrypted:
            answer = self.wrappedProtocol.receive_unencrypted(data)
            if answer is not None:
                self.transport.write(answer)
                self.transport.loseConnection()
            return
        for start in range(0, len(data), _HANDSHAKE_PIECE_BYTES):
            if self._handshakeDone and not self._appSendBuffer:
                self._receive_pieces(data[start:])
                return
            piece = data[start : start + _HANDSHAKE_PIECE_BYTES]
            self._cutter.cut(piece)
            super().dataReceived(piece)
            if self._aborted or self._lostTLSConnection:
                return

    def _flushReceiveBIO(self) -> None:
        """Decrypt the records that have arrived, deliver their plaintext, and send what OpenSSL answers."""
        records, self._records = self._records, ALL
        while not self._lostTLSConnection:
            wanted = records
            plaintext, records, error = decrypt(self._tlsConnection, records)
            self._plaintext_records += wanted - records
            if error is not None and not isinstance(error, (WantReadError, ZeroReturnError)):
                # OpenSSL encrypts nothing more, so that the protocol's answers to this plaintext are discarded.
                self._lostTLSConnection = True
            if plaintext and not self._aborted:
                self.wrappedProtocol.dataReceived(plaintext)
            if not records:
                # Each record held plaintext, so that OpenSSL has nothing to answer.
                return
            if isinstance(error, WantReadError):
                break
            if isinstance(error, ZeroReturnError):
                # The peer's closing alert is answered. Why the connection ended is told by the transport below.
                self._shutdownTLS()
                self._tlsShutdownFinished(None)
            elif error is not None:
                self._tlsShutdownFinished(Failure(error))
        self._flushSendBIO()

    def _write(self, data: bytes) -> None:
        """Encrypt bytes and send the records; what OpenSSL does not take before the end of the handshake is kept."""
        if self._lostTLSConnection:
            return
        sent, error = encrypt(self._tlsConnection, data)
        if isinstance(error, WantReadError):
            self._bufferedWrite(data[sent:])
        elif error is not None:
            self._tlsShutdownFinished(Failure(error))
        self._flushSendBIO()

    def _flushSendBIO(self) -> None:
        """Send what OpenSSL has to send."""
        output = take_output(self._tlsConnection)
        if output:
            self.transport.write(output)

    def abortConnection(self) -> None:
        """Drop the connection at once, without TLS's closing alert: the peer would take the end for an orderly one."""
        self._aborted = True
        self.disconnecting = True
        self.transport.abortConnection()
