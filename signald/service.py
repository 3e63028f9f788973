"""The running daemon: a Twisted service over sockets that are bound already."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Sequence

from attrs import frozen
from twisted.application.internet import TimerService
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IReactorSocket, IReactorTime
from twisted.logger import Logger

from signald.addresses import machine_names
from signald.budgets import ConnectionBudget
from signald.certificates import Certificate, Report
from signald.metrics import Metrics
from signald.readiness import Readiness
from signald.reloading import Reloading
from signald.switchboard import Switchboard
from signald.unaccepted import Unaccepted
from signald.websocket import SignalingFactory

TICK_SECONDS = 1.0
"""Between two looks at the hub's deadlines."""

CERTIFICATE_SECONDS = 60.0
"""Between two looks at the certificate and the machine's addresses."""

RETURN_SECONDS = 2.0
"""After which clients are told to come back when the service stops, and up to as many more."""

DRAIN_SECONDS = 5.0
"""For clients to answer the closing handshake when the service stops."""

_log = Logger()


@frozen
class Listener:
    """A bound socket, and what speaks on its connections.

    Attributes:
        socket: listening already; the service takes it over.
        factory: of the connections' protocols.
        scheme: `https`, `http` or `ws`.
        port: the TCP port.

    """

    socket: socket.socket
    factory: IProtocolFactory
    scheme: str
    port: int


class Daemon(MultiService):
    """Accepts connections on its listeners and keeps time.

    Attributes:
        page: the first listener, that of the page and the signaling socket.
        interface: the address that it listens on; None for all.
        certificate: what is shown to TLS clients; None without TLS.
        metrics: what is counted.
        readiness: whether new clients are welcome.

    """

    def __init__(
        self,
        reactor: IReactorTime,
        listeners: Sequence[Listener],
        interface: str | None,
        signaling: tuple[SignalingFactory, ...],
        switchboard: Switchboard,
        budget: ConnectionBudget,
        certificate: Certificate | None,
        metrics: Metrics,
        readiness: Readiness,
        reloading: Reloading,
    ) -> None:
        super().__init__()
        self.page = listeners[0]
        self.interface = interface
        self._listeners = listeners
        self.certificate = certificate
        self.metrics = metrics
        self.readiness = readiness
        self._reactor = reactor
        self._signaling = signaling
        self._switchboard = switchboard
        self._reloading = reloading
        self._budget = budget
        self._ports: list[IListeningPort] = []
        self._every(TICK_SECONDS, self._tick)
        if certificate is not None:
            self._every(CERTIFICATE_SECONDS, self._look_at_certificate)

    def startService(self) -> None:
        """Begin to accept connections."""
        super().startService()
        adopter = IReactorSocket(self._reactor)
        for listener in self._listeners:
            # The reactor duplicates the descriptor.
            port = adopter.adoptStreamPort(
                listener.socket.fileno(),
                listener.socket.family,
                listener.factory,  # type: ignore[arg-type] # any IProtocolFactory will do
            )
            listener.socket.close()
            # Twisted offers no other way to what a port alone logs.
            port._logger = Logger(observer=Unaccepted(self._reactor, self._refused_at_the_door))  # type: ignore[attr-defined]
            self._ports.append(port)
            _log.info("listening: {scheme} on port {port}", scheme=listener.scheme, port=listener.port)
        if self.certificate is not None:
            _log_report(self.certificate.opening)

    def stopService(self) -> Deferred[list[tuple[bool, object]]]:
        """Accept no more connections, tell the clients, and fire when all of them are gone."""
        self.readiness.drain()
        self._switchboard.stopping(RETURN_SECONDS, random.random)
        waits = [super().stopService(), *(port.stopListening() for port in self._ports)]
        self._ports = []
        waits += [factory.drain(DRAIN_SECONDS) for factory in self._signaling]
        _log.info("stopping")
        return DeferredList([wait for wait in waits if wait is not None])

    def reload(self) -> None:
        """Read the configuration and the certificate again."""
        self._reloading()
        if self.certificate is not None:
            _log_report(self.certificate.refresh(time.time(), machine_names(), reread=True))

    def _every(self, seconds: float, call: Callable[[], None]) -> None:
        timer = TimerService(seconds, _guarded, call)
        timer.clock = self._reactor
        timer.setServiceParent(self)

    def _refused_at_the_door(self) -> None:
        self.metrics.refused("connections")

    def _tick(self) -> None:
        self._switchboard.tick()
        self._budget.tick(self._reactor.seconds())

    def _look_at_certificate(self) -> None:
        if self.certificate is not None:
            _log_report(self.certificate.refresh(time.time(), machine_names()))


def _guarded(call: Callable[[], None]) -> None:
    """Call it, and log what it raises: a `LoopingCall` that raises would stop for good."""
    try:
        call()
    except Exception:  # noqa: BLE001 # whatever it is, the next time may be better
        _log.failure("housekeeping failed")


def _log_report(report: Report) -> None:
    for note in report.notes:
        _log.info("certificate: {note}", note=note)
    for warning in report.warnings:
        _log.warn("certificate: {problem}", problem=warning)
