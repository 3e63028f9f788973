"""Makes the WebSockets of a port, lets their clients in, and ends them all when the server stops."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import evolve
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime

from signald.core.budgets import ConnectionBudget
from signald.core.errors import ErrorCode
from signald.core.limits import Limits
from signald.dialects.dialect import Dialect
from signald.net.origins import Origin, OriginRule
from signald.net.proxies import peer_host
from signald.server.admission import Admission, AdmissionTicket
from signald.server.autobahn_options import ClockTimer, Silence, options
from signald.server.draining import Drain
from signald.server.problems import SERVER
from signald.server.reflection import Mirror
from signald.server.switchboard import Switchboard
from signald.server.upgrade_request import UpgradeRule
from signald.server.websocket import SignalingProtocol, close_code

__all__ = ["PATH", "SignalingFactory"]

PATH = "/ws"
"""The path of the signaling socket on the page's port."""


class SignalingFactory(WebSocketServerFactory):
    """Makes the protocol of each connection, on the page's port (under `signald.web`) or on the bare one.

    Attributes:
        connections: those whose transport is there, in their opening handshake too.
        admission: admits transports; on the page's port the site asks it.
        metrics: counts connections, bytes and errors.
        scheme: of its WebSockets, `wss` or `ws`.
        draining: whether upgrades are refused because the server is stopping.
        asked: when the client whose protocol is made next began to ask, monotonic seconds; None is now.

    """

    protocol: type[SignalingProtocol] = SignalingProtocol  # type: ignore[assignment] # Factory is generic in it
    noisy = False
    log = Silence()

    def __init__(
        self,
        switchboard: Switchboard,
        dialects: Iterable[type[Dialect]],
        limits: Limits,
        budget: ConnectionBudget,
        admission: Admission,
        clock: IReactorTime,
        origins: OriginRule,
        *,
        bare: bool = False,
        scheme: str = "ws",
        mirror: Mirror | None = None,
    ) -> None:
        """Make a factory.

        Arguments:
            switchboard: where messages go.
            dialects: those that are spoken; on the bare port the one without a subprotocol alone.
            limits: the bounds of each connection.
            budget: admits WebSockets; shared by the factories of a server.
            admission: admits transports, and knows whose X-Forwarded-For counts; shared likewise.
            clock: for every deadline.
            origins: which pages may connect.
            bare: whether it listens by itself, on any path, and not under `/ws` of the page's port.
            scheme: of its WebSockets.
            mirror: tells the operator's own check what came through the proxies.

        """
        super().__init__(reactor=clock, server=SERVER)
        self.switchboard = switchboard
        self.limits = limits
        self.budget = budget
        self.clock = clock
        self.rule = UpgradeRule.of(
            (dialect for dialect in dialects if dialect.subprotocol is None or not bare),
            origins,
            None if bare else PATH,
        )
        self.bare = bare
        self.admission = admission
        self.metrics = switchboard.metrics
        self.scheme = scheme
        self._mirror = mirror
        self.connections: set[SignalingProtocol] = set()
        admission.count(self.connections)
        self.draining = False
        self.asked: float | None = None
        self._drain: Drain | None = None
        self._batched_timer = ClockTimer(clock)
        self.setProtocolOptions(**options(limits))

    def allow(self, others: Iterable[Origin]) -> None:
        """Let these origins in from now on, besides the own one."""
        self.rule = evolve(self.rule, origins=evolve(self.rule.origins, others=frozenset(others)))

    def buildProtocol(self, addr: IAddress | None) -> SignalingProtocol | None:  # type: ignore[override] # as above
        """Make the protocol of a connection; None, which closes it, where it may not be on the bare port."""
        ticket = AdmissionTicket(self.admission, self.budget)
        if self.bare and ticket.arrive(peer_host(addr), self.clock.seconds()) is not None:
            # No one has asked yet, so there is nobody to tell; and waiting for the question is what it must not cost.
            return None
        protocol = self.protocol()
        protocol.factory = self
        for name in WebSocketServerProtocol.CONFIG_ATTRS:
            setattr(protocol, name, getattr(self, name))
        protocol.ticket = ticket
        protocol.began = self.clock.seconds() if self.asked is None else self.asked
        return protocol

    def reflection(self, headers: Mapping[str, str], transport: Any) -> dict[str, str]:
        """The headers of an answer that tell `signald doctor` what was seen of its request; none to others."""
        if self._mirror is None:
            return {}
        return self._mirror.headers(headers, peer_host(transport.getPeer()), self.admission.trusted_proxies)

    def configure(self, limits: Limits) -> None:
        """Take other limits for the connections that begin from now on."""
        self.limits = limits
        self.setProtocolOptions(**options(limits))

    def drain(self, seconds: float) -> Deferred[None]:
        """Refuse upgrades and close every connection with 1012; fires when all are gone.

        One that has got everything is soon aborted if it does not answer; what is still there after that many seconds
        is aborted as well. To be called once.
        """
        self.draining = True
        code = ErrorCode.GOING_AWAY
        for connection in list(self.connections):
            if connection.state == connection.STATE_CONNECTING:
                connection.failHandshake(code.value)
            else:
                connection.close(close_code(code), code.value)
        self._drain = Drain(self.connections, self.clock, self._abort_silent, self._abort)
        return self._drain.begin(seconds)

    def lost(self, connection: SignalingProtocol) -> None:
        """A connection's transport is gone."""
        self.connections.discard(connection)
        if self._drain is not None:
            self._drain.look()

    def _abort_silent(self) -> None:
        for connection in list(self.connections):
            if connection.is_silent:
                connection.transport.abortConnection()

    def _abort(self) -> None:
        for connection in list(self.connections):
            connection.transport.abortConnection()
