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
"""Interval at which the hub's deadlines are checked."""

WATCHDOG_PARTS = 3
"""Heartbeats in the timeout of the service manager's watchdog: sd_watchdog_enabled(3) advises two."""

STATUS_SECONDS = 10.0
"""Interval of the status lines for the service manager."""

DECISION_SECONDS = 1.0
"""Time for pending decisions when the service stops; the next process repeats those that take longer."""

DECISION_POLL_SECONDS = 0.02
"""Interval at which a stop checks whether decisions are still pending."""

EXIT_SECONDS = 5.0
"""Part of the time that the service manager is asked for: what a stop takes besides waiting for clients."""

_log = Logger()


@frozen
class Listener:
    """A bound socket with the factory of the protocols on its connections.

    Attributes:
        socket: listens already; the service takes it over.
        factory: makes the protocols of its connections.
        scheme: `https`, `http` or `ws`.
        port: the TCP port.

    """

    socket: socket.socket
    factory: IProtocolFactory
    scheme: str
    port: int


class Draining(Protocol):
    """A part that has connections, and can end them."""

    def drain(self, seconds: float) -> Deferred[None]:
        """End all connections within so many seconds; fires when none is left."""


@frozen
class DaemonParts:
    """The parts that a daemon runs.

    Attributes:
        reactor: runs the daemon.
        listeners: bound sockets; the first one is that of the page.
        config: the settings at the start.
        supervision: what the service manager gives.
        draining: what has connections.
        switchboard: connects the connections with users and sessions.
        budget: counts what connections cost.
        certificate: is shown to TLS clients; None without TLS.
        metrics: counts events.
        readiness: whether new clients are welcome.
        reloader: reads the configuration again.
        operations_service: the operator's listener, the watch over the reactor, and the log.

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
        page: the first listener, that of the page and the signaling socket.
        interface: the address that it listens on; None for all.
        certificate: is shown to TLS clients; None without TLS.
        metrics: counts events.
        readiness: whether new clients are welcome.
        operations_service: the operator's listener, the watch over the reactor, and the log.
        twistd_log: the observer of twistd's log; None where twistd has its own.
        when_saved: is called during a stop, once the state is saved.

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
        """Become a part of an application, which twistd asks for the observer of its log."""
        super().setServiceParent(parent)
        if isinstance(parent, Componentized) and self.twistd_log is not None:
            parent.setComponent(ILogObserver, self.twistd_log)

    def startService(self) -> None:
        """Restore what the process before saved, and begin to accept connections."""
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
        """Accept no more connections, save everything for the next process, and fire when all clients are gone."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        """Stop, in an order in which nothing is lost.

        Messages that have been read are carried out and are part of the state. Messages that are read after that are
        not counted, so that their sender sends them again. The state is written before the clients are waited for: it
        is there even if the process is killed meanwhile.
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
        """Wait for pending decisions, since passwords that wait to be checked must not be written into the state."""
        deadline = self._reactor.seconds() + DECISION_SECONDS
        while self._switchboard.is_deciding and self._reactor.seconds() < deadline:
            await deferLater(self._reactor, DECISION_POLL_SECONDS)

    def _send_status(self) -> None:
        hub = self._switchboard.hub
        self._supervision.notifier.status(f"{len(hub.users)} users, {len(hub.sessions)} sessions")

    def reload(self) -> None:
        """Read the configuration and the certificate again, unless the daemon is stopping.

        The service manager is told that the reload has ended, even if it has failed.
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
    """Call a function and log what it raises: a `LoopingCall` that raises would stop for good."""
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
