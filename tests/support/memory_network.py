"""A network in memory, in which the doctor's checks reach one server over TCP and UDP."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, cast

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import (
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
)
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport, IOPump, connect
from zope.interface import implementer


@implementer(IHostnameResolver, IHostResolution)
class Resolver:
    """Resolves every name to the same address."""

    name = "calls.example.org"

    def resolveHostName(  # Twisted's interface
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[Any] | None = None,
        transportSemantics: str = "TCP",
    ) -> Any:
        """Complete the resolution immediately."""
        resolutionReceiver.resolutionBegan(self)
        self.deliver(resolutionReceiver, portNumber)
        resolutionReceiver.resolutionComplete()
        return self

    def deliver(self, receiver: IResolutionReceiver, port: int) -> None:
        """Deliver the address."""
        receiver.addressResolved(IPv4Address("TCP", "192.0.2.1", port))

    def cancel(self) -> None:
        """Do nothing, because the resolution is already complete."""


class NoNames(Resolver):
    """Finds no address for any name."""

    def deliver(self, receiver: IResolutionReceiver, port: int) -> None:
        """Deliver none."""


class MemoryDatagrams:
    """A UDP socket in memory, which is connected to the server of its network.

    Attributes:
        peer: the address and the port that the socket is connected to.

    """

    def __init__(self, network: MemoryNetwork, protocol: DatagramProtocol) -> None:
        self.peer = ("", 0)
        self._network = network
        self._protocol = protocol
        self._sent: deque[bytes] = deque()

    def connect(self, host: str, port: int) -> None:
        """Record the peer."""
        self.peer = (host, port)

    def write(self, data: bytes) -> None:
        """Queue a datagram."""
        self._sent.append(data)

    def carry(self) -> None:
        """Deliver the queued datagrams and their responses; a datagram to a closed port is reported as refused."""
        while self._sent and self in self._network.sockets:
            data = self._sent.popleft()
            if self._network.answer is None:
                self._protocol.connectionRefused()
            elif (response := self._network.answer(data)) is not None:
                self._protocol.datagramReceived(response, self.peer)

    def stopListening(self) -> None:  # Twisted's name
        """Close the socket."""
        self._network.sockets.remove(self)
        self._protocol.doStop()


@implementer(IReactorPluggableNameResolver)
class MemoryNetwork(MemoryReactorClock):
    """A reactor in memory whose TCP connections and datagrams all lead to one server.

    Attributes:
        site: the factory of the server's protocols; None if no server listens.
        answer: the function that returns the UDP server's response to a datagram, or None if the server sends none;
            None if no server listens.
        pumps: the pumps that carry the bytes of the TCP connections.
        sockets: the open UDP sockets.

    """

    nameResolver = Resolver()

    def __init__(self, site: Any = None) -> None:
        super().__init__()
        self.site = site
        self.answer: Callable[[bytes], bytes | None] | None = None
        self.pumps: list[IOPump] = []
        self.sockets: list[MemoryDatagrams] = []

    def installNameResolver(self, resolver: Any) -> Any:
        """Ignore the resolver."""
        return resolver

    def listenUDP(self, port: int, protocol: DatagramProtocol, interface: str = "") -> MemoryDatagrams:
        """Open a UDP socket."""
        socket = MemoryDatagrams(self, protocol)
        self.sockets.append(socket)
        protocol.makeConnection(cast(Any, socket))
        return socket

    def run_for(self, seconds: float) -> None:
        """Open the pending TCP connections, carry bytes and datagrams, and advance the clock in steps of 0.1 s."""
        for _ in range(round(seconds * 10) + 1):
            while self.tcpClients:
                _host, _port, factory, *_ = self.tcpClients.pop()
                if self.site is None:
                    factory.clientConnectionFailed(self.connectors[-1], Failure(ConnectionRefusedError()))
                    continue
                peer = IPv4Address("TCP", "127.0.0.1", 50000)
                client, server = factory.buildProtocol(peer), self.site.buildProtocol(peer)
                self.pumps.append(
                    connect(
                        server,
                        FakeTransport(server, True, peerAddress=peer),
                        client,
                        FakeTransport(client, False, peerAddress=peer),
                    )
                )
            for pump in self.pumps:
                pump.flush()
            for socket in list(self.sockets):
                socket.carry()
            self.advance(0.1)
