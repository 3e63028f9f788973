"""The running daemon, a Twisted service that accepts connections on sockets that are already bound."""

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

from signald.config.settings import Config
from signald.core.budgets import ConnectionBudget
from signald.core.reconnect_window import reconnect_window
from signald.lifecycle.handover import Handover
from signald.lifecycle.preloading import PreloadService
from signald.lifecycle.reloading import ConfigReloader
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
"""The interval at which the deadlines of the hub are checked."""

WATCHDOG_PARTS = 3
"""The number of heartbeats within the timeout of the service manager's watchdog; sd_watchdog_enabled(3) advises two."""

STATUS_SECONDS = 10.0
"""The interval of the status lines for the service manager."""

DECISION_SECONDS = 1.0
"""The time that a stop waits for pending decisions; the next process repeats decisions that take longer."""

DECISION_POLL_SECONDS = 0.02
"""The interval at which a stop checks whether decisions are still pending."""

EXIT_SECONDS = 5.0
"""The time that a stop takes in addition to the drain; both together are requested from the service manager."""

_log = Logger()


@frozen
class Listener:
    """A listening socket with the factory of the protocols for its TCP connections.

    Attributes:
        socket: the socket, which is already listening; the service becomes its owner.
        factory: the factory, which creates the protocol of each TCP connection.
        scheme: `https`, `http` or `ws`.
        port: the TCP port.

    """

    socket: socket.socket
    factory: IProtocolFactory
    scheme: str
    port: int


class Draining(Protocol):
    """A part of the daemon that has TCP connections or WebSockets and can close them all."""

    def drain(self, seconds: float) -> Deferred[None]:
        """Close all connections within `seconds`, and return a Deferred that fires when no connection is left."""


@frozen
class DaemonParts:
    """The parts that a daemon runs.

    Attributes:
        reactor: the reactor that runs the daemon.
        listeners: the listening sockets; the first one serves the page.
        config: the settings at the start.
        supervision: the sockets, the notifications and the watchdog of the service manager.
        draining: the parts whose connections a stop closes.
        switchboard: the switchboard, which connects WebSockets with users and sessions.
        budget: the budget that limits the cost of each connection.
        certificate: the certificate for TLS clients; None without TLS.
        metrics: the counters of events.
        readiness: whether the daemon accepts new clients.
        reloader: the reloader, which reads the configuration again and applies it.
        operations_service: the operator's listener, the monitor of the reactor's lag, and the log.

    """

    reactor: IReactorTime
    listeners: Sequence[Listener]
    config: Config
    supervision: Supervision
    draining: Sequence[Draining]
    switchboard: Switchboard
    budget: ConnectionBudget
    certificate: Certificate | None
    metrics: Metrics
    readiness: Readiness
    reloader: ConfigReloader
    operations_service: OperationsService


class Daemon(MultiService):
    """Accepts connections on its listeners, and runs its periodic work.

    Attributes:
        page: the first listener, which serves the page and the signaling WebSocket.
        interface: the address that the first listener is bound to; None for all addresses.
        certificate: the certificate for TLS clients; None without TLS.
        metrics: the counters of events.
        readiness: whether the daemon accepts new clients.
        operations_service: the operator's listener, the monitor of the reactor's lag, and the log.
        twistd_log: the log observer for twistd; None if twistd uses its own log.
        when_saved: the function that a stop calls once the state is saved.

    """

    twistd_log: ILogObserver | None = None

    def __init__(self, parts: DaemonParts) -> None:
        super().__init__()
        supervision, certificate = parts.supervision, parts.certificate
        self.page = parts.listeners[0]
        self._is_handed_over = bool(supervision.handed_over(PAGE))
        self.interface = self.page.socket.getsockname()[0] if self._is_handed_over else parts.config.interface
        self._config = parts.config
        self._supervision = supervision
        self._handover = Handover(parts.switchboard, StateFile(parts.config.data_dir), parts.config.state_seconds)
        self._listeners = parts.listeners
        self.certificate = certificate
        self.metrics = parts.metrics
        self.readiness = parts.readiness
        self.operations_service = parts.operations_service
        self.when_saved: Callable[[], None] = lambda: None
        self.operations_service.setServiceParent(self)
        PreloadService(parts.reactor).setServiceParent(self)
        self._reactor = parts.reactor
        self._draining = parts.draining
        self._switchboard = parts.switchboard
        self._reloader = parts.reloader
        self._budget = parts.budget
        self._ports: list[IListeningPort] = []
        self._every(TICK_SECONDS, self._tick)
        if certificate is not None:
            self._every(certificate.check_seconds, self._check_certificate)
        if supervision.watchdog is not None:
            self._every(supervision.watchdog / WATCHDOG_PARTS, supervision.notifier.alive)
        if supervision.notifier.address is not None:
            self._every(STATUS_SECONDS, self._send_status)

    def setServiceParent(self, parent: IServiceCollection) -> None:
        """Attach the daemon to an application, and set the application's log observer, which twistd uses."""
        super().setServiceParent(parent)
        if isinstance(parent, Componentized) and self.twistd_log is not None:
            parent.setComponent(ILogObserver, self.twistd_log)

    def startService(self) -> None:
        """Restore the state that the previous process saved, and begin to accept connections."""
        self._handover.restore(time.time())
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
        """Stop accepting connections, save the state, and return a Deferred that fires when all clients are gone."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        """Stop the daemon in an order that loses no message.

        Messages that were received before the state is saved are processed, and the state contains their effects.
        Messages that arrive later are not acknowledged, so that their sender sends them to the next process again. The
        state is written before the clients are drained, so that it exists even if the process is killed during the
        drain.
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
        self._handover.save(time.time())
        self.when_saved()
        await DeferredList([draining.drain(seconds) for draining in self._draining])
        await maybeDeferred(super().stopService)
        _log.info("stopped", event="stopped")

    async def _wait_for_decisions(self) -> None:
        """Wait for pending decisions, because the state must not contain a password that is still to be checked."""
        deadline = self._reactor.seconds() + DECISION_SECONDS
        while self._switchboard.is_deciding and self._reactor.seconds() < deadline:
            await deferLater(self._reactor, DECISION_POLL_SECONDS)

    def _send_status(self) -> None:
        hub = self._switchboard.hub
        self._supervision.notifier.status(f"{len(hub.users)} users, {len(hub.sessions)} sessions")

    def reload(self) -> None:
        """Read the configuration and the certificate again, unless the daemon is stopping.

        READY=1 is sent to the service manager at the end of the reload, even if the reload has failed.
        """
        if self.readiness.draining:
            return
        self._supervision.notifier.reloading(time.monotonic())
        _guarded(self._reloader.reload)
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

    def _check_certificate(self) -> None:
        if self.certificate is not None:
            _log_report(self.certificate.check(time.time(), machine_names()))


def _guarded(call: Callable[[], None]) -> None:
    """Call a function and log its exception, because a `LoopingCall` whose function raises never runs again."""
    try:
        call()
    except Exception:  # noqa: BLE001 # after any error, the next call may succeed
        _log.failure("housekeeping failed", event="housekeeping-failed")


def _log_report(report: CertificateReport) -> None:
    for note in report.changes:
        _log.info("certificate: {note}", event="certificate-changed", note=note)
    for warning in report.warnings:
        _log.warn("certificate: {problem}", event="certificate-problem", problem=warning)
    for sentence in report.expiry_warnings:
        _log.warn("certificate: {problem}", event="certificate-expiring", problem=sentence)
