"""Tests of `signald.lifecycle.service`, the running daemon."""

from __future__ import annotations

import contextlib
import secrets
import socket
from pathlib import Path
from typing import Any, cast

from twisted.application.service import Application
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from signald.config.settings import Config
from signald.core.deadlines import DeadlineKind
from signald.core.decisions import EndIdentity
from signald.core.messages import Hello, LeaveReason, UserId
from signald.core.reconnect_window import QUEUED_SECONDS, REFUSED_SECONDS
from signald.core.users import PeerId, PeerState
from signald.lifecycle.sd_notify import Notifier
from signald.lifecycle.service import (
    DECISION_POLL_SECONDS,
    DECISION_SECONDS,
    EXIT_SECONDS,
    TICK_SECONDS,
    Daemon,
)
from signald.lifecycle.state_file import FILE_NAME
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

        def fail() -> Config:
            raise RuntimeError

        daemon._reloader.load = fail
        daemon.reload()
        self.assertEqual([line.partition("\n")[0] for line in self.notifications(receiver)], ["RELOADING=1", "READY=1"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_sockets_that_are_handed_over(self) -> None:
        """Sockets of the service manager replace those of the settings, and make the reconnect window shorter.

        Clients can reconnect sooner, because such a socket queues their TCP connections during a restart.
        """
        page, ws = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
        ports = page.getsockname()[1], ws.getsockname()[1]
        supervision = Supervision({PAGE: (page,), WS: (ws,)})
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
