"""Tests of `signald.lifecycle.service`, the running daemon."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from pathlib import Path
from typing import Any, cast

from attrs import evolve
from twisted.application.service import Application
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from signald.config.setting_names import settings
from signald.config.settings import Config, Log, LogLevel, Webhook
from signald.config.sources import Effective
from signald.config.values import ConfigError
from signald.core.deadlines import DeadlineKind
from signald.core.decisions import EndIdentity
from signald.core.limits import Limits
from signald.core.messages import Hello, LeaveReason, UserId
from signald.core.reconnect_window import LEAST_SPREAD, QUEUED_SECONDS, REFUSED_SECONDS
from signald.core.users import PeerId, PeerState
from signald.lifecycle.data_directory import LOCK_NAME
from signald.lifecycle.journal import CLOCK_SECONDS
from signald.lifecycle.journal_file import FILE_NAME as JOURNAL_NAME
from signald.lifecycle.process_file import read_process_record
from signald.lifecycle.reloading import SOURCE
from signald.lifecycle.sd_notify import Notifier
from signald.lifecycle.service import (
    DECISION_POLL_SECONDS,
    DECISION_SECONDS,
    EXIT_SECONDS,
    TICK_SECONDS,
    Daemon,
)
from signald.lifecycle.state_file import FILE_NAME
from signald.lifecycle.successor import POLL_SECONDS
from signald.lifecycle.supervision import Supervision
from signald.net.addresses import Names
from signald.server.socket_activation import PAGE, WS
from signald.tap import make_daemon
from signald.tls.certificates import LocalCertificate
from tests.support.connections import MemoryConnection
from tests.support.reactors import AdoptingReactor


class DaemonTests(SynchronousTestCase):
    """Tests of the start, the periodic work and the stop of the daemon."""

    def setUp(self) -> None:
        """Create a reactor in memory, and record the log."""
        self.reactor = AdoptingReactor()
        self.events: list[LogEvent] = []
        observer = cast(ILogObserver, self.events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def make(self, supervision: Supervision | None = None, directory: Path | None = None, **options: Any) -> Daemon:
        """Create a daemon on free ports of the loopback interface."""
        config = Config(directory or Path(self.mktemp()), port=0, interface="127.0.0.1", **options)
        return make_daemon(config, cast(Any, self.reactor), supervision=supervision)

    def logged(self, text: str) -> list[LogEvent]:
        """Return the logged events whose format contains this text."""
        return [event for event in self.events if text in (event.get("log_format") or "")]

    def test_it_listens_from_start_to_stop(self) -> None:
        """The daemon listens on each port from its start to its stop, and the reactor adopts the bound sockets."""
        daemon = self.make(ws_port=0)
        daemon.startService()
        self.assertEqual([port.listening for port in self.reactor.ports], [True, True])
        self.assertEqual(daemon.page.socket.fileno(), -1)
        self.assertEqual([event["scheme"] for event in self.logged("listening")], ["https", "ws"])
        stopped = daemon.stopService()
        self.assertEqual([port.listening for port in self.reactor.ports], [False, False])
        self.successResultOf(stopped)

    def supervise(self) -> tuple[socket.socket, Notifier]:
        """Return the socket of a service manager, and the notifier that sends to the socket."""
        receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(receiver.close)
        name = f"\0signald-test-{secrets.token_hex(8)}"
        receiver.bind(name)
        receiver.setblocking(False)
        return receiver, Notifier(name)

    def notifications(self, receiver: socket.socket) -> list[str]:
        """Return the notifications that the service manager has received."""
        received = []
        with contextlib.suppress(BlockingIOError):
            while True:
                received.append(receiver.recv(4096).decode())
        return received

    def test_the_service_manager_is_told(self) -> None:
        """The daemon sends READY, heartbeats, its status, RELOADING, and STOPPING with a timeout for the drain."""
        receiver, notifier = self.supervise()
        daemon = self.make(tls=False, drain_seconds=40.0, supervision=Supervision({}, notifier, watchdog=9.0))
        self.assertEqual(self.notifications(receiver), [])
        daemon.startService()
        self.assertEqual(
            [line for line in self.notifications(receiver) if "STATUS" not in line], ["WATCHDOG=1", "READY=1"]
        )
        for _ in range(9):
            self.reactor.advance(TICK_SECONDS)
        self.assertEqual(self.notifications(receiver), ["WATCHDOG=1"] * 3)
        self.reactor.advance(TICK_SECONDS)
        self.assertEqual(self.notifications(receiver), ["STATUS=0 users, 0 sessions"])
        daemon.reload()
        reloading, ready = self.notifications(receiver)
        self.assertRegex(reloading, r"\ARELOADING=1\nMONOTONIC_USEC=\d+\Z")
        self.assertEqual(ready, "READY=1")
        self.successResultOf(daemon.stopService())
        daemon.reload()
        self.assertEqual(
            self.notifications(receiver), [f"STOPPING=1\nEXTEND_TIMEOUT_USEC={int((40 + EXIT_SECONDS) * 1e6)}"]
        )

    def test_a_reload_that_fails_ends_too(self) -> None:
        """READY is sent even after a reload that fails, because the service manager waits for the end of the reload."""
        receiver, notifier = self.supervise()
        daemon = self.make(supervision=Supervision({}, notifier))

        def fail() -> Effective:
            raise RuntimeError

        daemon._reloader.load = fail
        daemon.reload()
        self.assertEqual([line.partition("\n")[0] for line in self.notifications(receiver)], ["RELOADING=1", "READY=1"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_a_reload_takes_all_or_nothing(self) -> None:
        """New limits are not in force if the secret of the webhook or the certificate cannot be used, and then are."""
        directory = Path(self.mktemp()).resolve()
        directory.mkdir()
        secret = directory / "secret"
        secret.write_bytes(b"x" * 32)
        secret.chmod(0o600)
        config = Config(directory / "data", port=0, interface="127.0.0.1")
        wanted = evolve(
            config,
            limits=Limits(user_sessions=3),
            webhook=Webhook("https://a.example/", secret),
            log=Log(level=LogLevel.WARN),
        )
        daemon = make_daemon(config, cast(Any, self.reactor), lambda: Effective(wanted, dict.fromkeys(settings())))
        self.addCleanup(daemon.page.socket.close)
        self.addCleanup(daemon._data_directory.release)
        switchboard, log = daemon._switchboard, daemon.operations_service.log
        certificate = directory / "data" / "cert.pem"
        for path, damaged in ((secret, b"short"), (certificate, b"damaged")):
            content = path.read_bytes()
            path.write_bytes(damaged)
            daemon.reload()
            self.assertEqual((switchboard.hub.limits.user_sessions, log.settings.level), (20, LogLevel.INFO))
            self.assertTrue(switchboard.calls.is_on)
            path.write_bytes(content)
        self.assertEqual(len(self.logged("the configuration was kept")), 2)
        daemon.reload()
        self.assertEqual((switchboard.hub.limits.user_sessions, log.settings.level), (3, LogLevel.WARN))
        self.assertFalse(switchboard.calls.is_on)
        [done] = self.logged("the configuration was read")
        self.assertEqual(done["settings"], "webhook.url, webhook.secret_file, log.level, limits.user_sessions")

    def test_sockets_that_are_handed_over(self) -> None:
        """Sockets of the service manager replace those of the settings, and make the reconnect window shorter.

        Clients can reconnect sooner, because such a socket queues their TCP connections during a restart.
        """
        page, ws = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
        ports = page.getsockname()[1], ws.getsockname()[1]
        supervision = Supervision({PAGE: (page,), WS: (ws,)}, queues=True)
        daemon = self.make(tls=False, supervision=supervision)
        self.assertEqual((daemon.page.port, daemon.interface), (ports[0], "127.0.0.1"))
        daemon.startService()
        self.assertEqual([event["port"] for event in self.logged("listening")], list(ports))
        connection = MemoryConnection(daemon._switchboard)
        connection.say(type="hello", version=1)
        self.successResultOf(daemon.stopService())
        self.assertTrue(QUEUED_SECONDS <= connection.last()["after"] <= 2 * QUEUED_SECONDS)

    def test_decisions_under_way_are_waited_for(self) -> None:
        """A stop waits for pending decisions for a second at most, so that no unchecked password is in the state."""
        for seconds, undecided in ((0.5, 0), (5.0, 1)):
            daemon = self.make(tls=False)
            daemon.startService()
            hub = daemon._switchboard.hub
            pending = hub.decisions.submit(EndIdentity(UserId("nobody"), LeaveReason.GONE)).id
            self.reactor.callLater(seconds, hub.decisions.by_id.pop, pending)
            stopped = daemon.stopService()
            self.assertEqual(self.logged("left to the next process"), [])
            self.reactor.pump([DECISION_POLL_SECONDS] * int(DECISION_SECONDS / DECISION_POLL_SECONDS + 2))
            self.successResultOf(stopped)
            self.assertEqual(len(hub.decisions.by_id), undecided)
            self.events.clear()

    def test_the_next_daemon_takes_up_what_one_left(self) -> None:
        """A daemon restores the users that the previous daemon of its data directory saved.

        The state is written before the stop ends, and the stopping daemon is not ready.
        """
        directory = Path(self.mktemp())
        daemon = self.make(tls=False, directory=directory)
        daemon.startService()
        MemoryConnection(daemon._switchboard).say(type="hello", version=1, instance="one")
        left = list[bool]()
        daemon.when_saved = lambda: left.append((directory / FILE_NAME).is_file())
        self.successResultOf(daemon.stopService())
        self.assertEqual(left, [True])
        self.assertFalse(daemon.readiness.ready)
        later = self.make(tls=False, directory=directory)
        self.assertEqual(later._switchboard.hub.users, {})
        later.startService()
        self.assertEqual(set(later._switchboard.hub.users), set(daemon._switchboard.hub.users))
        self.successResultOf(later.stopService())

    def test_the_next_daemon_takes_up_what_a_crash_left(self) -> None:
        """A daemon restores the users of one that was killed, and an orderly stop leaves no journal."""
        directory = Path(self.mktemp())
        daemon = self.make(tls=False, directory=directory)
        daemon.startService()
        self.addCleanup(daemon.stopService)
        connection = MemoryConnection(daemon._switchboard)
        connection.say(type="hello", version=1, instance="one")
        self.assertTrue((directory / JOURNAL_NAME).stat().st_size)
        self.assertEqual(daemon.metrics.journal_bytes, (directory / JOURNAL_NAME).stat().st_size)
        # A process that is killed loses its lock.
        daemon._data_directory.release()
        later = self.make(tls=False, directory=directory)
        later.startService()
        self.assertEqual(set(later._switchboard.hub.users), {connection.last()["user"]})
        self.successResultOf(later.stopService())
        self.assertEqual(
            {path.name for path in directory.iterdir()} - {".lock", "daemon.lock", "host-secret"}, {FILE_NAME}
        )

    def test_the_journal_notes_the_time(self) -> None:
        """The journal is asked every second whether something is due."""
        daemon = self.make(tls=False)
        daemon.startService()
        self.addCleanup(daemon.stopService)
        MemoryConnection(daemon._switchboard).say(type="hello", version=1, instance="one")
        before = daemon.metrics.journal_bytes
        for _ in range(int(CLOCK_SECONDS / TICK_SECONDS) + 1):
            self.reactor.advance(TICK_SECONDS)
        self.assertGreater(daemon.metrics.journal_bytes, before)

    def test_clients_are_told_when_to_come_back(self) -> None:
        """Before its WebSocket is closed, each client receives going-away with a delay from the reconnect window."""
        daemon = self.make(tls=False)
        daemon.startService()
        connection = MemoryConnection(daemon._switchboard)
        connection.say(type="hello", version=1)
        stopped = daemon.stopService()
        self.assertEqual(connection.last()["type"], "going-away")
        self.assertTrue(REFUSED_SECONDS <= connection.last()["after"] <= 2 * REFUSED_SECONDS)
        self.successResultOf(stopped)

    def test_an_upgrade_holds_and_releases(self) -> None:
        """While the successor restores the state, no connection is accepted and no request processed; then both are.

        A thread that uses the journal is waited for before, and nothing is written into the journal meanwhile.
        """
        daemon = self.make(tls=False, ws_port=0)
        daemon.startService()
        control = daemon.upgrade._daemon
        self.assertEqual([name for name, _ in control.sockets()], [PAGE, WS])
        connection = MemoryConnection(daemon._switchboard)
        connection.say(type="hello", version=1, instance="one")
        thread = cast(Any, daemon._journal)._thread
        self.successResultOf(thread.acquire())
        settled = control.settled()
        self.assertNoResult(settled)
        thread.release()
        self.successResultOf(settled)
        snapshot = control.hold()
        self.assertEqual(len(snapshot.users), 1)
        connection.say(type="ping")
        self.assertEqual(connection.last()["type"], "welcome")
        self.assertEqual([port.accepting for port in self.reactor.ports], [False, False])
        content = (daemon._data_directory.path / JOURNAL_NAME).read_bytes()
        late = MemoryConnection(daemon._switchboard)
        late.say(type="hello", version=1, instance="two")
        self.reactor.advance(2 * CLOCK_SECONDS)
        self.assertEqual((daemon._data_directory.path / JOURNAL_NAME).read_bytes(), content)
        control.release()
        self.assertEqual(connection.last()["type"], "pong")
        self.assertEqual([port.accepting for port in self.reactor.ports], [True, True])
        self.assertIn(late.last()["user"].encode(), (daemon._data_directory.path / JOURNAL_NAME).read_bytes())
        self.successResultOf(daemon.stopService())

    def test_the_end_after_an_upgrade(self) -> None:
        """The process whose successor has the state saves none, and tells clients to come back at once."""
        receiver, notifier = self.supervise()
        directory = Path(self.mktemp())
        daemon = self.make(tls=False, directory=directory, supervision=Supervision({}, notifier, watchdog=9.0))
        daemon.startService()
        connection = MemoryConnection(daemon._switchboard)
        connection.say(type="hello", version=1, instance="one")
        daemon.upgrade._daemon.hold()
        daemon.upgrade.step = type(daemon.upgrade.step)("done")
        connection.say(type="ping")
        self.notifications(receiver)
        stopped = daemon.stopService()
        self.assertEqual([port.listening for port in self.reactor.ports], [False])
        going_away = connection.last()
        self.assertEqual(going_away["type"], "going-away")
        self.assertLessEqual(going_away["after"], LEAST_SPREAD)
        self.reactor.advance(POLL_SECONDS)
        self.assertEqual(self.notifications(receiver), ["BARRIER=1"])
        self.reactor.advance(POLL_SECONDS)
        self.successResultOf(stopped)
        self.assertFalse((directory / FILE_NAME).exists())
        self.assertTrue((directory / JOURNAL_NAME).exists())
        self.assertEqual(read_process_record(directory).pid, os.getpid())

    def test_the_data_directory_of_an_upgrade(self) -> None:
        """Lock and journal pass from one process to the next without a gap; the state file is not touched.

        The successor replaces the journal when it has the state and not before, and a crash from then on loses nothing.
        """
        directory = Path(self.mktemp())
        old = self.make(tls=False, directory=directory)
        old.startService()
        connection = MemoryConnection(old._switchboard)
        connection.say(type="hello", version=1, instance="one")
        (directory / FILE_NAME).write_bytes(b"of nobody")
        (directory / LOCK_NAME).write_bytes(b"41234")
        before = (directory / JOURNAL_NAME).read_bytes()
        user = connection.last()["user"]
        control = old.upgrade._daemon
        lock = control.lock()
        assert lock is not None
        page = socket.create_server(("127.0.0.1", 0))
        new = self.make(
            tls=False,
            directory=directory,
            supervision=Supervision({PAGE: (page,)}, is_successor=True, lock=os.dup(lock)),
        )
        snapshot = control.hold()
        self.assertEqual((directory / LOCK_NAME).read_bytes(), b"41234")
        new.adopt_state(snapshot, 0.004)
        self.assertEqual((directory / JOURNAL_NAME).read_bytes(), before)
        new.startService()
        self.assertEqual((directory / LOCK_NAME).read_bytes(), b"%d\n" % os.getpid())
        self.assertNotEqual((directory / JOURNAL_NAME).read_bytes(), before)
        old.upgrade.step = type(old.upgrade.step)("done")
        content = (directory / JOURNAL_NAME).read_bytes()
        self.successResultOf(old.stopService())
        self.assertEqual((directory / JOURNAL_NAME).read_bytes(), content)
        self.assertEqual((directory / FILE_NAME).read_bytes(), b"of nobody")
        self.assertRaises(ConfigError, self.make, tls=False, directory=directory)
        (directory / FILE_NAME).unlink()
        new._data_directory.release()
        later = self.make(tls=False, directory=directory)
        later.startService()
        self.assertEqual(set(later._switchboard.hub.users), {user})
        self.successResultOf(later.stopService())
        self.successResultOf(new.stopService())

    def test_another_data_directory(self) -> None:
        """A successor whose configuration names another data directory than that of the lock is refused."""
        old = self.make(tls=False)
        self.addCleanup(old.page.socket.close)
        self.addCleanup(old._data_directory.release)
        lock = old.upgrade._daemon.lock()
        assert lock is not None
        copy = os.dup(lock)
        self.addCleanup(os.close, copy)
        supervision = Supervision(is_successor=True, lock=copy)
        error = self.assertRaises(ConfigError, self.make, tls=False, supervision=supervision)
        self.assertIn("cannot be taken over", str(error))

    def test_a_successor(self) -> None:
        """A successor restores the state that it is given, and tells the service manager nothing before it may."""
        old = self.make(tls=False)
        old.startService()
        self.addCleanup(old.stopService)
        MemoryConnection(old._switchboard).say(type="hello", version=1, instance="one")
        snapshot = old.upgrade._daemon.hold()
        receiver, notifier = self.supervise()
        page = socket.create_server(("127.0.0.1", 0))
        supervision = Supervision({PAGE: (page,)}, notifier, watchdog=9.0, is_successor=True)
        directory = Path(self.mktemp())
        new = self.make(tls=False, ws_port=0, directory=directory, supervision=supervision)
        self.assertEqual(len(self.logged("a restart is needed to open the port")), 1)
        self.successResultOf(new.stopService())
        self.assertFalse((directory / FILE_NAME).exists())
        new.adopt_state(snapshot, 0.004)
        new.startService()
        self.assertEqual(set(new._switchboard.hub.users), set(old._switchboard.hub.users))
        self.assertEqual(new.upgrade._daemon.resume_seconds(), 0.004)
        for _ in range(12):
            self.reactor.advance(TICK_SECONDS)
        new.begin_upgrade()
        self.assertFalse(new.upgrade.is_under_way)
        self.assertEqual(self.notifications(receiver), [])
        new.begin_supervision(())
        self.assertEqual(self.notifications(receiver)[:2], ["READY=1", "WATCHDOG=1"])
        self.assertEqual(read_process_record(directory).pid, os.getpid())
        self.successResultOf(new.stopService())

    def test_no_reload_during_an_upgrade(self) -> None:
        """A reload during an upgrade is refused, since the successor has read the configuration already."""
        daemon = self.make(tls=False)
        daemon.startService()
        daemon.upgrade.step = type(daemon.upgrade.step)("loading")
        daemon._reloader.load = lambda: self.fail("it was read")
        daemon.reload()
        self.assertEqual(len(self.logged("an upgrade is under way")), 1)
        self.assertFalse(daemon.metrics.reload_succeeded)
        self.assertEqual(daemon.metrics.reload_failures[SOURCE], 1)
        self.successResultOf(daemon.stopService())
        self.assertFalse(daemon.upgrade.is_under_way)
        daemon.begin_upgrade()
        self.assertFalse(daemon.upgrade.is_under_way)

    def test_the_cost_of_a_resume_is_measured(self) -> None:
        """Ticks in which many connections were opened change the estimate, which the window depends on."""
        daemon = self.make(tls=False)
        daemon.startService()
        before = daemon._resume_cost.seconds
        daemon.metrics.opened["native", "ws"] = 1000
        self.reactor.advance(TICK_SECONDS)
        self.assertNotEqual(daemon._resume_cost.seconds, before)
        self.successResultOf(daemon.stopService())

    def test_twistd_is_given_the_log(self) -> None:
        """The daemon sets the log observer of its application, unless twistd uses its own log."""
        daemon = self.make(tls=False)
        daemon.twistd_log = daemon.operations_service.log
        application = Application("signald")
        daemon.setServiceParent(application)
        self.assertIs(cast(Any, application).getComponent(ILogObserver), daemon.operations_service.log)
        other = self.make(tls=False)
        plain = Application("signald")
        other.setServiceParent(plain)
        self.assertIsNone(cast(Any, plain).getComponent(ILogObserver, None))

    def test_it_looks_at_deadlines(self) -> None:
        """The deadlines of the hub are checked every second: a peer that sends no hello is closed."""
        daemon = self.make(tls=False)
        daemon.startService()
        hub = daemon._switchboard.hub
        hub.connected(PeerId(99), cast(Any, ""), cast(Any, None), self.reactor.seconds())
        for _ in range(12):
            self.reactor.advance(TICK_SECONDS)
        self.assertIs(hub.peers[PeerId(99)].state, PeerState.CLOSING)
        self.successResultOf(daemon.stopService())

    def test_housekeeping_survives_its_errors(self) -> None:
        """An exception in a tick is logged, and does not prevent the next tick."""
        daemon = self.make(tls=False)
        daemon.startService()
        hub = daemon._switchboard.hub
        hub.deadlines.add(0.0, DeadlineKind.HELLO, "no peer's id")
        self.reactor.advance(TICK_SECONDS)
        self.assertEqual(len(self.flushLoggedErrors()), 1)
        peer = PeerId(1)
        hub.connected(peer, cast(Any, ""), cast(Any, None), self.reactor.seconds())
        hub.received(peer, Hello(version=2), self.reactor.seconds())
        for _ in range(12):
            self.reactor.advance(TICK_SECONDS)
        self.assertIs(hub.peers[peer].state, PeerState.CLOSING)
        self.successResultOf(daemon.stopService())

    def test_it_looks_at_its_certificate(self) -> None:
        """The certificate is checked every minute, and the result is logged."""
        daemon = self.make()
        assert isinstance(daemon.certificate, LocalCertificate)
        daemon.startService()
        self.assertEqual(len(self.logged("certificate: {note}")), len(daemon.certificate.initial_report.changes))
        self.events.clear()
        issued_for_others = Names(host="elsewhere", addresses=(), best=None)
        daemon.certificate = LocalCertificate(Path(self.mktemp()), issued_for_others, self.reactor.seconds())
        for _ in range(int(LocalCertificate.check_seconds / TICK_SECONDS) + 1):
            self.reactor.advance(TICK_SECONDS)
        self.assertEqual(len(self.logged("certificate: {note}")), 1)
        self.assertGreaterEqual(len(self.logged("certificate: {problem}")), 1)
        self.successResultOf(daemon.stopService())

    def test_the_port_is_the_one_that_was_bound(self) -> None:
        """With port 0 in the settings, the number of the bound port is known before the service starts."""
        daemon = self.make(tls=False)
        self.assertGreater(daemon.page.port, 0)
        with socket.create_connection(("127.0.0.1", daemon.page.port), timeout=5):
            pass
        daemon.page.socket.close()
