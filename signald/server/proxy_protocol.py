"""The PROXY protocol below all else of a port: a connection of a trusted proxy starts with its client's address.

Twisted's `HAProxyWrappingFactory` is not used: it makes the protocols before the header has arrived, so that no client
could be refused by its address; it closes when a header arrives in two reads, and accepts invalid addresses.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, IDelayedCall, IProtocolFactory, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from zope.interface import directlyProvides, providedBy

from signald.net.proxies import is_trusted, peer_host
from signald.net.proxy_header import ProxyHeader, ProxyHeaderError, read_proxy_header
from signald.server.admission import Admission

__all__ = ["ProxyProtocolFactory"]

WARNING_SECONDS = 60.0
"""Seconds between two warnings about proxies that send no header, at least."""

_log = Logger()


class ProxyProtocolFactory(WrappingFactory["_Proxied"]):
    """Makes the protocols of another factory; for a trusted proxy, once the header has named the client.

    Other connections go to the other factory at once, for which a header is a bad request.
    """

    noisy = False

    def __init__(self, factory: IProtocolFactory, admission: Admission, clock: IReactorTime) -> None:
        """Make a factory.

        Arguments:
            factory: makes the protocols, and is given the client's address.
            admission: knows the trusted proxies, and counts the connections whose header has not arrived yet.
            clock: measures the deadline of a header, `header_seconds`.

        """
        super().__init__(factory)
        self.admission = admission
        self.clock = clock
        self.waiting: set[_Proxied] = set()
        admission.count_among_all(self.waiting)
        self._warning_due = float("-inf")

    def buildProtocol(self, addr: IAddress) -> Any:  # type: ignore[override] # may refuse, and not always wraps
        """Make the protocol of a connection; None, which closes it, where there are too many."""
        if not is_trusted(peer_host(addr), self.admission.trusted_proxies):
            return self.wrappedFactory.buildProtocol(addr)
        if self.admission.is_full():
            self.admission.metrics.count_limit_hit("connections")
            return None
        return _Proxied(self, addr)

    def warn(self) -> None:
        """Warn the operator that a trusted proxy sent no valid header, now and then."""
        now = self.clock.seconds()
        if now >= self._warning_due:
            self._warning_due = now + WARNING_SECONDS
            _log.warn(
                "a trusted proxy sent no valid PROXY header: is it told to (send-proxy)? Its connection was closed.",
                event="proxy-header-refused",
            )


class _Proxied(ProtocolWrapper):
    """A connection of a trusted proxy, which the protocol above sees as the client's."""

    factory: ProxyProtocolFactory
    transport: Any
    wrappedProtocol: Any

    def __init__(self, factory: ProxyProtocolFactory, proxy: IAddress) -> None:
        super().__init__(factory, Protocol())
        self._peer = proxy
        self._head: bytes | None = b""
        self._deadline: IDelayedCall | None = None

    def makeConnection(self, transport: Any) -> None:
        """Wait for the header, after which the protocol above is made."""
        directlyProvides(self, providedBy(transport))
        Protocol.makeConnection(self, transport)
        self.factory.waiting.add(self)
        self._deadline = self.factory.clock.callLater(self.factory.admission.limits.header_seconds, self._time_out)

    def dataReceived(self, data: bytes) -> None:
        """Parse the header, or pass bytes on after it."""
        if self._head is None:
            self.wrappedProtocol.dataReceived(data)
            return
        self._head += data
        try:
            header = read_proxy_header(self._head)
        except ProxyHeaderError:
            self.factory.warn()
            self._abort()
            return
        if header is not None:
            self._connect_client(header, self._head[header.size :])

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the protocol above, if there is one: the transport is closed."""
        self._stop_waiting()
        self.wrappedProtocol.connectionLost(reason)

    def getPeer(self) -> IAddress:
        """The client's address; the proxy's where the header says that it connects for itself (LOCAL)."""
        return self._peer

    def _connect_client(self, header: ProxyHeader, rest: bytes) -> None:
        self._stop_waiting()
        if header.client is not None:
            host, port = header.client
            self._peer = (IPv6Address if ":" in host else IPv4Address)("TCP", host, port)
        protocol = self.factory.wrappedFactory.buildProtocol(self._peer)
        if protocol is None:
            self._abort()
            return
        self._head = None
        self.wrappedProtocol = protocol
        protocol.makeConnection(self)
        if rest:
            protocol.dataReceived(rest)

    def _time_out(self) -> None:
        self._deadline = None
        self.factory.admission.metrics.count_limit_hit("header_seconds")
        self._abort()

    def _abort(self) -> None:
        """Close without an answer, since the client is unknown."""
        self._stop_waiting()
        self._head = None
        self.transport.abortConnection()

    def _stop_waiting(self) -> None:
        self.factory.waiting.discard(self)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
