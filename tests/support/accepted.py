"""Accepted connections: a transport of the server on one socket of a pair, and the peer's socket."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet import tcp
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from signald.server.direct_transport import DirectTransport
from tests.support.select_clock import SelectClock


class Recorder(Protocol):
    """Records what its transport reports.

    Attributes:
        received: the bytes of each read.
        reasons: the reason of each report that the connection ended.
        on_data: called with the bytes of each read.

    """

    transport: Any

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.reasons: list[Failure] = []
        self.on_data: Callable[[bytes], None] = lambda data: None

    def dataReceived(self, data: bytes) -> None:
        """Record the bytes, and call the function."""
        self.received.append(data)
        self.on_data(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Record the reason."""
        self.reasons.append(reason)

    @property
    def ended(self) -> list[type[BaseException] | None]:
        """The type of each reason."""
        return [reason.type for reason in self.reasons]


@implementer(IHalfCloseableProtocol)
class HalfCloseable(Recorder):
    """A recorder that supports half-closed connections.

    Attributes:
        halves: how often it was told that the peer sends nothing more.

    """

    def __init__(self) -> None:
        super().__init__()
        self.halves = 0

    def readConnectionLost(self) -> None:
        """Count the peer's end."""
        self.halves += 1

    def writeConnectionLost(self) -> None:
        """Do nothing."""


class Accepted:
    """An accepted connection on one socket of a pair, without a network.

    Attributes:
        reactor: reads and writes when `settle` is called.
        protocol: the server's protocol.
        transport: the server's transport.
        peer: the peer's socket, which does not block.

    """

    def __init__(
        self,
        protocol: Any,
        transport: type[tcp.Server] = DirectTransport,
        *,
        kind: socket.SocketKind = socket.SOCK_STREAM,
        pair: tuple[socket.socket, socket.socket] | None = None,
        reactor: Any = None,
    ) -> None:
        """Connect.

        Arguments:
            protocol: the server's protocol.
            transport: the class of the server's transport.
            kind: the kind of the sockets; with `SOCK_SEQPACKET`, each `send` of one side is a `recv` of the other.
            pair: the sockets of the server and of the peer; a pair of Unix sockets by default.
            reactor: the reactor.

        """
        self.reactor = SelectClock() if reactor is None else reactor
        self.protocol = protocol
        ours, self.peer = pair or socket.socketpair(socket.AF_UNIX, kind)
        self.peer.setblocking(False)
        self.transport: Any = transport(ours, protocol, ("192.0.2.1", 50000), None, 1, self.reactor)  # type: ignore[arg-type]
        protocol.makeConnection(self.transport)

    def send(self, *pieces: bytes) -> None:
        """Send each piece, and let the server read it."""
        for piece in pieces:
            self.peer.sendall(piece)
            self.reactor.settle()

    def take(self) -> list[bytes]:
        """Receive what has arrived at the peer; an empty last element is the end."""
        taken = []
        while True:
            try:
                taken.append(self.peer.recv(1 << 20))
            except BlockingIOError:
                return taken
            if not taken[-1]:
                return taken

    def take_all(self) -> bytes:
        """Receive, and let the server write, until nothing more arrives or the connection ends."""
        received = b""
        while pieces := self.take():
            received += b"".join(pieces)
            if not pieces[-1]:
                break
            self.reactor.settle()
        return received

    def close(self) -> None:
        """Close both sockets."""
        self.peer.close()
        if self.transport.connected:
            self.transport.connectionLost(Failure(ConnectionAbortedError()))


def reset_pair() -> tuple[socket.socket, socket.socket]:
    """Return a connected pair of TCP sockets of the loopback interface; the close of the second is a reset."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        peer = socket.create_connection(listening.getsockname())
        ours, _ = listening.accept()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    return ours, peer
