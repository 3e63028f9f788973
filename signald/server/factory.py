"""Makes the WebSocket protocols of a port for Autobahn, and admits transports on the bare port."""

from __future__ import annotations

from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.interfaces import IAddress

from signald.core.limits import Limits
from signald.net.proxies import peer_host
from signald.server.admission import AdmissionTicket
from signald.server.admitted_websocket import AdmittedProtocol
from signald.server.autobahn_options import ClockTimer, Silence, options
from signald.server.compaction import with_shared_attributes
from signald.server.directory_websocket import DirectoryPort, DirectoryProtocol
from signald.server.port import SignalingPort
from signald.server.problems import SERVER
from signald.server.websocket import SignalingProtocol

__all__ = ["DirectoryFactory", "SignalingFactory"]


class SignalingFactory(WebSocketServerFactory):
    """Builds the WebSocket protocol of each connection of a port.

    On the page's port `signald.server.site` calls it for plain upgrade requests, and `signald.server.web` for others.

    Attributes:
        signaling_port: the state that the connections share (Autobahn has a `port` of its own).
        request_began: when the HTTP request began that is being upgraded, in monotonic seconds; None for now. The
            page's port sets it while it calls.

    """

    protocol: type[AdmittedProtocol] = SignalingProtocol
    noisy = False
    log = Silence()
    _shared_class: type[AdmittedProtocol] | None = None
    """What is made of `protocol` for the present options, when the first connection begins."""

    def __init__(self, port: SignalingPort) -> None:
        super().__init__(reactor=port.clock, server=SERVER)
        self.signaling_port = port
        self.request_began: float | None = None
        self._batched_timer = ClockTimer(port.clock)
        self.setProtocolOptions(**options(port.limits))

    def buildProtocol(self, addr: IAddress | None) -> AdmittedProtocol | None:
        """Make the protocol of a connection; None, which closes it, where the bare port does not admit it."""
        port = self.signaling_port
        ticket, now = AdmissionTicket(port.admission, port.budget), port.clock.seconds()
        if port.bare and ticket.admit_transport(peer_host(addr), now) is not None:
            # Nothing was requested yet, so there is nobody to answer; to wait for a request would cost a descriptor.
            return None
        return self._make_protocol(ticket, now if self.request_began is None else self.request_began)

    def make_protocol(self, request_began: float) -> AdmittedProtocol:
        """Make the protocol of a connection of the page's port, whose request began at that time, monotonic seconds."""
        port = self.signaling_port
        protocol = self._make_protocol(AdmissionTicket(port.admission, port.budget), request_began)
        protocol.openHandshakeTimeout = 0  # the request has arrived, within the deadline of the HTTP connection
        return protocol

    def _make_protocol(self, ticket: AdmissionTicket, request_began: float) -> AdmittedProtocol:
        if self._shared_class is None:
            names = WebSocketServerProtocol.CONFIG_ATTRS
            self._shared_class = with_shared_attributes(self.protocol, {name: getattr(self, name) for name in names})
        protocol = self._shared_class(self.signaling_port, ticket, request_began)
        protocol.factory = self
        return protocol

    def setProtocolOptions(self, **changes: Any) -> None:  # type: ignore[override] # as there
        """Set options of Autobahn for the connections that begin from now on; they have them from their class."""
        super().setProtocolOptions(**changes)
        self._shared_class = None

    def reload_limits(self, limits: Limits) -> None:
        """Use other limits for the connections that begin from now on."""
        self.signaling_port.reload_limits(limits)
        self.signaling_port.rounds.reload_limits(limits)
        self.setProtocolOptions(**options(limits))


class DirectoryFactory(SignalingFactory):
    """Makes the protocol of each client of the directory.

    Attributes:
        signaling_port: the state that the connections share.

    """

    protocol = DirectoryProtocol
    signaling_port: DirectoryPort

    def __init__(self, port: DirectoryPort) -> None:
        super().__init__(port)
