"""A TCP transport that sends at once what is written to it while nothing waits, without the reactor's help."""

from __future__ import annotations

from typing import Any

from twisted.internet import tcp
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.python.failure import Failure

__all__ = ["DirectTransport"]


class DirectTransport(tcp.Server):
    """An accepted TCP connection whose writes reach the kernel without a further event of the reactor.

    Twisted buffers each write, and asks the reactor to say when the socket can be written to: a system call and an
    event for each message. Here a write sends at once when nothing waits to be sent, and only what the kernel does not
    take is left to Twisted's buffer, with its producer and its bounds.

    What a protocol writes to its own transport while it handles a read leaves in one `send` at the end of that read,
    so that a response and its headers, or a close frame and TLS's closing alert, share a packet. A transport that the
    protocol closes meanwhile is closed then, too.

    TLS is a layer above (`signald.tls.context.TLSFactory`); `startTLS` is not supported.
    """

    _is_reading = False
    """Whether the protocol handles a read, at the end of which its output is sent."""

    _may_read = False
    """Whether the protocol has not paused the transport. The reactor asks its poller once for all sockets that have
    input, and then reads from each, also from one that was paused meanwhile: when an address has spent its share, its
    other connections are held before their turn to be read has come in the same round."""

    _has_output = False
    """Whether there is something to be done at the end of the read: output to be sent, or the connection to close."""

    _is_writing = False
    """Whether the reactor is to say when the socket can be written to, since output or a close waits for that."""

    def doRead(self) -> Any:
        """Read once, hand the bytes to the protocol, and send its output; returns why the connection ended, if so.

        One read for each event: a protocol that paused the transport receives nothing more.
        """
        if not self._may_read:
            return None
        try:
            data = self.socket.recv(self.bufferSize)
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if not data:
            return CONNECTION_DONE
        self._is_reading = True
        try:
            self.protocol.dataReceived(data)
        finally:
            self._is_reading = False
        return self._send_output() if self._has_output else None

    def startReading(self) -> None:
        """Read when there is input."""
        self._may_read = True
        super().startReading()

    def stopReading(self) -> None:
        """Read no more, not even what the reactor has seen already."""
        self._may_read = False
        super().stopReading()

    def write(self, data: bytes) -> None:
        """Send bytes, at once if possible, and buffer what the kernel does not take.

        An error is left to the reactor's next event for this socket, since a protocol expects no `connectionLost`
        within its `write`.
        """
        # A pull producer (`streamingProducer` False) is asked for more when the reactor has emptied the buffer.
        if (
            self.connected
            and not (self._is_reading or self._is_writing or self._aborting)
            and (self.producer is None or self.streamingProducer)
        ):
            try:
                sent = self.socket.send(data)
            except OSError:
                sent = 0
            if sent == len(data):
                return
            data = data[sent:]
        super().write(data)

    def startWriting(self) -> None:
        """Ask the reactor to say when the socket can be written to; during a read, wait for its end first."""
        if self._is_reading and not self._is_writing:
            self._has_output = True
        else:
            self._is_writing = True
            super().startWriting()

    def stopWriting(self) -> None:
        """Wait no more for the socket to be writable, nor for the end of the read."""
        self._has_output = self._is_writing = False
        super().stopWriting()

    def readConnectionLost(self, reason: Failure) -> None:
        """Close: the peer sends nothing more, or our own close is complete at the end of a read."""
        if self.disconnecting:
            # The base class would tell a protocol that supports half-closed connections of the former.
            self.connectionLost(reason)
        else:
            super().readConnectionLost(reason)

    def _send_output(self) -> Any:
        """Send what was written during the read, and leave the rest to the reactor; returns why the connection ended.

        `doWrite` also resumes the producer, and ends a connection that the protocol has closed.
        """
        self._has_output = False
        ended = self.doWrite()
        if ended is None and (self.dataBuffer or self._tempDataBuffer):
            self.startWriting()
        return ended
