"""The running daemon: a Twisted service over sockets that are bound already."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from attrs import frozen
from twisted.application.internet import TimerService
from twisted.application.service import IServiceCollection, MultiService
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized

from signald.config.tree import Config
from signald.core.budgets import ConnectionBudget
from signald.core.reconnect_window import reconnect_window
from signald.lifecycle.handover import Handover
from signald.lifecycle.reloading import Reloading
from signald.lifecycle.state_file import StateFile
from signald.lifecycle.supervision import Supervision
from signald.monitoring.metrics import Metrics
from signald.monitoring.readiness import Readiness
from signald.net.addresses import machine_names
from signald.operations.operations_service import OperationsService
from signald.server.listening import accept_connections
from signald.server.socket_activation import PAGE
from signald.server.switchboard import Switchboard
from signald.tls.certificates import Certificate, CertificateReport

TICK_SECONDS = 1.0
"""Between two looks at the hub's deadlines."""

WATCHDOG_PARTS = 3
"""Signs of life in the time after which the service manager would miss one: sd_watchdog_enabled(3) advises two."""

STATUS_SECONDS = 10.0
"""Between two status lines for the service manager."""

DECISION_SECONDS = 1.0
"""For decisions under way when the service stops; the next process makes those that take longer anew."""

DECISION_LOOK_SECONDS = 0.02
"""Between two looks whether they are made."""

EXIT_SECONDS = 5.0
"""Of the time that the service manager is asked for: all that a stop takes besides the clients."""

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


class Draining(Protocol):
    """What has connections, and lets them go."""

    def drain(self, seconds: float) -> Deferred[None]:
        """End all connections within so many seconds; fires when none is left."""


class Daemon(MultiService):
    """Accepts connections on its listeners and keeps time.

    Attributes:
        page: the first listener, that of the page and the signaling socket.
        interface: the address that it listens on; None for all.
        certificate: what is shown to TLS clients; None without TLS.
        metrics: what is counted.
        readiness: whether new clients are welcome.
        operations_service: what the operator sees.
        twistd_log: what is to observe twistd's log; None where it has its own.

    """

    twistd_log: ILogObserver | None = None

    def __init__(
        self,
        reactor: IReactorTime,
        listeners: Sequence[Listener],
        config: Config,
        supervision: Supervision,
        draining: Sequence[Draining],
        switchboard: Switchboard,
        budget: ConnectionBudget,
        certificate: Certificate | None,
        metrics: Metrics,
        readiness: Readiness,
        reloading: Reloading,
        operations_service: OperationsService,
    ) -> None:
        super().__init__()
        self.page = listeners[0]
        self._is_handed_over = bool(supervision.handed_over(PAGE))
        self.interface = self.page.socket.getsockname()[0] if self._is_handed_over else config.interface
        self._config = config
        self._supervision = supervision
        self._handover = Handover(switchboard, StateFile(config.data_dir), config.state_seconds)
        self._listeners = listeners
        self.certificate = certificate
        self.metrics = metrics
        self.readiness = readiness
        self.operations_service = operations_service
        self.when_left: Callable[[], None] = lambda: None
        operations_service.setServiceParent(self)
        self._reactor = reactor
        self._draining = draining
        self._switchboard = switchboard
        self._reloading = reloading
        self._budget = budget
        self._ports: list[IListeningPort] = []
        self._every(TICK_SECONDS, self._tick)
        if certificate is not None:
            self._every(certificate.check_seconds, self._look_at_certificate)
        if supervision.watchdog is not None:
            self._every(supervision.watchdog / WATCHDOG_PARTS, supervision.notifier.alive)
        if supervision.notifier.address is not None:
            self._every(STATUS_SECONDS, self._tell_status)

    def setServiceParent(self, parent: IServiceCollection) -> None:
        """Become a part of an application, which twistd asks for what observes its log."""
        super().setServiceParent(parent)
        if isinstance(parent, Componentized) and self.twistd_log is not None:
            parent.setComponent(ILogObserver, self.twistd_log)

    def startService(self) -> None:
        """Take up what the process before left, and begin to accept connections."""
        self._handover.take_up(time.time())
        super().startService()
        for listener in self._listeners:
            self._ports.append(
                accept_connections(self._reactor, listener.socket, listener.factory, self._count_accept_error)
            )
            _log.info(
                "listening: {scheme} on port {port}", event="listening", scheme=listener.scheme, port=listener.port
            )
        if self.certificate is not None:
            _log_report(self.certificate.initial_report)
        self._supervision.notifier.ready()

    def stopService(self) -> Deferred[None]:
        """Accept no more connections, leave everything to the next process, and fire when all clients are gone."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        """Stop, in an order in which nothing is lost.

        What has been read is carried out, and is in the state; what is read after that is not counted, so that its
        sender sends it again. The state is written before the clients are waited for: were the process killed
        meanwhile, it would be there all the same.
        """
        seconds = self._config.drain_seconds
        self.readiness.drain()
        self._supervision.notifier.stopping(seconds + EXIT_SECONDS)
        _log.info("stopping", event="stopping")
        ports, self._ports = self._ports, []
        for port in ports:
            await maybeDeferred(port.stopListening)
        await self._wait_for_decisions()
        hub = self._switchboard.hub
        window = reconnect_window(len(hub.peers), hub.limits.grace_seconds, queued=self._is_handed_over)
        self._switchboard.announce_stop(window, random.random)
        self._handover.leave(time.time())
        self.when_left()
        await DeferredList([draining.drain(seconds) for draining in self._draining])
        await maybeDeferred(super().stopService)
        _log.info("stopped", event="stopped")

    async def _wait_for_decisions(self) -> None:
        """Wait for decisions under way; passwords that wait to be checked are not to be in the state."""
        deadline = self._reactor.seconds() + DECISION_SECONDS
        while self._switchboard.is_deciding and self._reactor.seconds() < deadline:
            await deferLater(self._reactor, DECISION_LOOK_SECONDS)

    def _tell_status(self) -> None:
        hub = self._switchboard.hub
        self._supervision.notifier.status(f"{len(hub.users)} users, {len(hub.sessions)} sessions")

    def reload(self) -> None:
        """Read the configuration and the certificate again; not while stopping, which nothing takes back.

        Whatever happens, the service manager does not go on to wait for the end of it.
        """
        if self.readiness.draining:
            return
        self._supervision.notifier.reloading(time.monotonic())
        _guarded(self._reloading)
        _guarded(self._reread_certificate)
        self._supervision.notifier.ready()

    def _reread_certificate(self) -> None:
        if self.certificate is not None:
            _log_report(self.certificate.check(time.time(), machine_names(), reread=True))

    def _every(self, seconds: float, call: Callable[[], None]) -> None:
        timer = TimerService(seconds, _guarded, call)
        timer.clock = self._reactor
        timer.setServiceParent(self)

    def _count_accept_error(self) -> None:
        self.metrics.count_limit_hit("connections")

    def _tick(self) -> None:
        self._switchboard.tick()
        self._budget.prune(self._reactor.seconds())

    def _look_at_certificate(self) -> None:
        if self.certificate is not None:
            _log_report(self.certificate.check(time.time(), machine_names()))


def _guarded(call: Callable[[], None]) -> None:
    """Call it, and log what it raises: a `LoopingCall` that raises would stop for good."""
    try:
        call()
    except Exception:  # noqa: BLE001 # whatever it is, the next time may be better
        _log.failure("housekeeping failed", event="housekeeping-failed")


def _log_report(report: CertificateReport) -> None:
    for note in report.changes:
        _log.info("certificate: {note}", event="certificate-changed", note=note)
    for warning in report.warnings:
        _log.warn("certificate: {problem}", event="certificate-problem", problem=warning)
    for sentence in report.expiry_warnings:
        _log.warn("certificate: {problem}", event="certificate-expiring", problem=sentence)
