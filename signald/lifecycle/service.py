"""The running daemon, a Twisted service that accepts connections on sockets that are already bound."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from attrs import frozen
from twisted.application.internet import TimerService
from twisted.application.service import IServiceCollection, MultiService
from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized

from signald import __version__
from signald.config.settings import Config
from signald.core.budgets import ConnectionBudget
from signald.core.messages import UserId
from signald.core.reconnect_window import (
    PLAIN_SECONDS,
    QUEUED,
    REFUSED,
    TLS_SECONDS,
    UPGRADE,
    ResumeCost,
    StopKind,
    reconnect_window,
)
from signald.core.snapshot import Snapshot
from signald.lifecycle.certificate_reports import log_report
from signald.lifecycle.data_directory import DataDirectory
from signald.lifecycle.handover import Handover
from signald.lifecycle.journal import Journal
from signald.lifecycle.ports import Listener, Ports
from signald.lifecycle.preloading import PreloadService
from signald.lifecycle.process_file import ProcessFile, ProcessRecord, start_time
from signald.lifecycle.reloading import ConfigReloader
from signald.lifecycle.state_file import StateFile
from signald.lifecycle.successor import RunningDaemon, Upgrade
from signald.lifecycle.supervision import Supervision
from signald.monitoring.metrics import Metrics
from signald.monitoring.readiness import Readiness
from signald.net.addresses import machine_names
from signald.operations.operations_service import OperationsService
from signald.server.socket_activation import PAGE
from signald.server.switchboard import Switchboard
from signald.tls.certificates import Certificate

TICK_SECONDS = 1.0
"""The interval at which the deadlines of the hub are checked."""

WATCHDOG_PARTS = 3
"""The number of heartbeats within the timeout of the service manager's watchdog; sd_watchdog_enabled(3) advises two."""

STATUS_SECONDS = 10.0
"""The interval of the status lines for the service manager."""

DECISION_SECONDS = 1.0
"""The time that a stop or an upgrade waits for pending decisions. The next process repeats decisions that take longer,
except those with a password, which a stop refuses."""

DECISION_POLL_SECONDS = 0.02
"""The interval at which a stop checks whether decisions are still pending."""

EXIT_SECONDS = 5.0
"""The time that a stop takes in addition to the drain; both together are requested from the service manager."""

_log = Logger()


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
        data_directory: the data directory, which is locked until the state is saved.
        supervision: the sockets, the notifications and the watchdog of the service manager.
        draining: the parts whose connections a stop closes.
        switchboard: the switchboard, which connects WebSockets with users and sessions.
        journal: records the changes of users and sessions.
        budget: the budget that limits the cost of each connection.
        certificate: the certificate for TLS clients; None without TLS.
        metrics: the counters of events.
        readiness: whether the daemon accepts new clients.
        reloader: the reloader, which reads the configuration again and applies it.
        operations_service: the operator's listener, the monitor of the reactor's lag, and the log.
        stop: the function that ends the process in order.

    """

    reactor: IReactorTime
    listeners: Sequence[Listener]
    config: Config
    data_directory: DataDirectory
    supervision: Supervision
    draining: Sequence[Draining]
    switchboard: Switchboard
    journal: Journal
    budget: ConnectionBudget
    certificate: Certificate | None
    metrics: Metrics
    readiness: Readiness
    reloader: ConfigReloader
    operations_service: OperationsService
    stop: Callable[[], None]


class Daemon(MultiService):
    """Accepts connections on its listeners, and runs its periodic work.

    Attributes:
        page: the first listener, which serves the page and the signaling WebSocket.
        path: the path of the page.
        interface: the address that the first listener is bound to; None for all addresses.
        certificate: the certificate for TLS clients; None without TLS.
        metrics: the counters of events.
        readiness: whether the daemon accepts new clients.
        operations_service: the operator's listener, the monitor of the reactor's lag, and the log.
        twistd_log: the log observer for twistd; None if twistd uses its own log.
        when_saved: the function that a stop calls once the state is saved.
        upgrade: starts a successor and hands over to it.

    """

    twistd_log: ILogObserver | None = None

    def __init__(self, parts: DaemonParts) -> None:
        super().__init__()
        supervision, certificate = parts.supervision, parts.certificate
        self.page = parts.listeners[0]
        self.path = parts.config.path
        given = bool(supervision.handed_over(PAGE))
        self.interface = self.page.socket.getsockname()[0] if given else parts.config.interface
        self._config = parts.config
        self._supervision = supervision
        self._data_directory = parts.data_directory
        self._journal = parts.journal
        state_file = StateFile(parts.data_directory.path)
        self._handover = Handover(
            parts.switchboard, state_file, parts.journal, parts.config.state_seconds, parts.metrics
        )
        self._ports = Ports(parts.listeners, parts.reactor, self._count_accept_error)
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
        self._is_supervised = not supervision.is_successor
        self._has_state = False
        self._resume_cost = ResumeCost(PLAIN_SECONDS if certificate is None else TLS_SECONDS)
        self._processor_seconds = time.process_time()
        self._opened = 0
        pid = os.getpid()
        self._process_file = ProcessFile(
            parts.config.data_dir, ProcessRecord(pid, __version__, started=start_time(pid))
        )
        control = self._make_upgrade_control(parts.stop)
        self.upgrade = Upgrade(parts.reactor, control, supervision.notifier, supervision.queues)
        self._every(TICK_SECONDS, self._tick)
        if certificate is not None:
            self._every(certificate.check_seconds, self._check_certificate)
        if supervision.watchdog is not None:
            self._every(supervision.watchdog / WATCHDOG_PARTS, self._send_heartbeat)
        if supervision.notifier.address is not None:
            self._every(STATUS_SECONDS, self._send_status)

    def setServiceParent(self, parent: IServiceCollection) -> None:
        """Attach the daemon to an application, and set the application's log observer, which twistd uses."""
        super().setServiceParent(parent)
        if isinstance(parent, Componentized) and self.twistd_log is not None:
            parent.setComponent(ILogObserver, self.twistd_log)

    def adopt_state(self, snapshot: Snapshot, resume_seconds: float) -> None:
        """Restore the state of a running process, in place of that in the state file, before the service starts.

        Arguments:
            snapshot: the users and sessions.
            resume_seconds: the processor time that a client's resume takes.

        """
        self._switchboard.restore(snapshot)
        self._resume_cost.seconds = resume_seconds
        self._has_state = True

    def startService(self) -> None:
        """Restore the state that the previous process saved, and begin to accept connections."""
        # twistd has forked since the lock was acquired, and a predecessor has named itself as its holder.
        self._data_directory.record_process(os.getpid())
        if self._has_state:
            self._journal.start()
        else:
            self._handover.restore(time.time())
        super().startService()
        self._ports.open()
        if self.certificate is not None:
            log_report(self.certificate.initial_report)
        if self._is_supervised:
            self._report_ready()

    def begin_supervision(self, left: Iterable[UserId]) -> None:
        """Report to the service manager from now on, which knows this process as the main one at last.

        Arguments:
            left: the users who have told the running process that they leave, since it handed over its state.

        """
        self._switchboard.end_users(left)
        self._is_supervised = True
        self._report_ready()
        if self._supervision.watchdog is not None:
            self._send_heartbeat()

    def _report_ready(self) -> None:
        self._supervision.notifier.ready()
        self._process_file.write()

    def stopService(self) -> Deferred[None]:
        """Stop accepting connections, save the state, and return a Deferred that fires when all clients are gone.

        A daemon that never started has no state and no clients. One whose successor has the state does not save it.
        """
        if not self.running:
            return succeed(None)
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        """Stop the daemon in an order that loses no message.

        Messages that were received before the state is saved are processed, and the state contains their effects.
        Messages that arrive later are not acknowledged, so that their sender sends them to the next process again. The
        state is written before the clients are drained, so that it exists even if the process is killed during the
        drain. A successor that has taken over has the state already.
        """
        seconds = self._config.drain_seconds
        self.upgrade.cancel("the server is stopping")
        if self.upgrade.is_done:
            await self._end_after_upgrade()
            return
        self.readiness.drain()
        self._supervision.notifier.stopping(seconds + EXIT_SECONDS)
        _log.info("stopping", event="stopping")
        await self._ports.close()
        await self._wait_for_decisions()
        self._switchboard.reject_passwords()
        self._announce_stop(QUEUED if self._supervision.queues else REFUSED)
        self._handover.save(time.time())
        # This process writes no more state, so that the next one may start during the drain.
        self._data_directory.release()
        self.when_saved()
        await self._drain(seconds)
        self._process_file.remove()

    async def _end_after_upgrade(self) -> None:
        """End the process whose users and sessions the successor has, while clients move to the successor."""
        self.readiness.drain()
        self._is_supervised = False
        self._switchboard.drop_held_facts()
        # The successor holds the lock, and the process after it must not have to wait for this one.
        self._data_directory.release()
        self._announce_stop(UPGRADE)
        drained = self._drain(self._config.drain_seconds)
        await self._ports.close()
        self.when_saved()
        await self.upgrade.finish_supervision(self._switchboard.left_users)
        await drained

    def _announce_stop(self, kind: StopKind) -> None:
        hub = self._switchboard.hub
        window = reconnect_window(len(hub.peers), hub.limits.grace_seconds, kind, self._resume_cost.seconds)
        self._switchboard.announce_stop(window, random.random)

    def _drain(self, seconds: float) -> Deferred[None]:
        """Close all connections, then stop all services."""
        drained: Deferred[Any] = DeferredList([draining.drain(seconds) for draining in self._draining])
        drained.addCallback(lambda _: super(Daemon, self).stopService())
        return drained.addCallback(lambda _: _log.info("stopped", event="stopped"))

    def _make_upgrade_control(self, finish: Callable[[], None]) -> RunningDaemon:
        operations = self.operations_service

        def hold() -> Snapshot:
            self._ports.pause()
            operations.pause()
            # The file stays, in case that both processes end before the successor has a journal of its own.
            self._journal.close()
            return self._switchboard.hold()

        def release() -> None:
            self._journal.start()
            self._switchboard.release()
            self._ports.resume()
            operations.resume()

        return RunningDaemon(
            sockets=lambda: [*self._ports.descriptors(), *operations.descriptors()],
            lock=lambda: self._data_directory.descriptor,
            settled=lambda: Deferred.fromCoroutine(self._settle()),
            hold=hold,
            release=release,
            finish=finish,
            report=self._process_file.report_failure,
            resume_seconds=lambda: self._resume_cost.seconds,
        )

    async def _settle(self) -> None:
        await self._wait_for_decisions()
        await self._journal.settle()

    async def _wait_for_decisions(self) -> None:
        """Wait for pending decisions, because the state must not contain a password that is still to be checked."""
        deadline = self._reactor.seconds() + DECISION_SECONDS
        while self._switchboard.is_deciding and self._reactor.seconds() < deadline:
            await deferLater(self._reactor, DECISION_POLL_SECONDS)

    def _send_heartbeat(self) -> None:
        if self._is_supervised:
            self._supervision.notifier.alive()

    def _send_status(self) -> None:
        if not self._is_supervised:
            return
        hub = self._switchboard.hub
        self._supervision.notifier.status(f"{len(hub.users)} users, {len(hub.sessions)} sessions")

    def reload(self) -> None:
        """Read the configuration and the certificate again, unless the daemon is stopping.

        During an upgrade nothing is read, since the successor has read the configuration already. READY=1 is sent to
        the service manager at the end of the reload, even if the reload has failed.
        """
        if self.readiness.draining:
            return
        self._supervision.notifier.reloading(time.monotonic())
        if self.upgrade.is_under_way:
            self._reloader.note_refusal()
            _log.warn(
                "the configuration was kept: an upgrade is under way", event="reload-refused", problem="an upgrade"
            )
        else:
            _guarded(self._reloader.reload)
        self._supervision.notifier.ready()

    def begin_upgrade(self) -> None:
        """Start a successor and hand over to it, unless the daemon is stopping or has itself not taken over yet."""
        if self.running and self._is_supervised and not self.readiness.draining:
            self.upgrade.begin()

    def _every(self, seconds: float, call: Callable[[], None]) -> None:
        timer = TimerService(seconds, _guarded, call)
        timer.clock = self._reactor
        timer.setServiceParent(self)

    def _count_accept_error(self) -> None:
        self.metrics.count_limit_hit("connections")

    def _tick(self) -> None:
        self._measure_resumes()
        self._switchboard.tick()
        self._journal.tick()
        self._budget.prune(self._reactor.seconds())

    def _measure_resumes(self) -> None:
        used, opened = time.process_time(), sum(self.metrics.opened.values())
        self._resume_cost.observe(used - self._processor_seconds, opened - self._opened)
        self._processor_seconds, self._opened = used, opened

    def _check_certificate(self) -> None:
        if self.certificate is not None:
            log_report(self.certificate.check(time.time(), machine_names()))


def _guarded(call: Callable[[], None]) -> None:
    """Call a function and log its exception, because a `LoopingCall` whose function raises never runs again."""
    try:
        call()
    except Exception:  # noqa: BLE001 # after any error, the next call may succeed
        _log.failure("housekeeping failed", event="housekeeping-failed")
