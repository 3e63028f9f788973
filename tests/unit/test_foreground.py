"""Tests of `signald.foreground`, which runs the daemon in the foreground and prints its addresses."""

from __future__ import annotations

import io
import os
import signal
import socket
import sys
import time
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NoReturn, cast

from twisted.internet.testing import MemoryReactorClock
from twisted.logger import ILogObserver, Logger, globalLogBeginner
from twisted.trial.unittest import SynchronousTestCase

from signald import foreground
from signald.cli.options import Options
from signald.config.settings import Config
from signald.core.snapshot import FORMATS, Snapshot, dump
from signald.foreground import _announce, _exit, _let_signals_end_the_process, _make_successor, _names, run
from signald.lifecycle.handover_channel import (
    PROTOCOL,
    FrameReader,
    Refused,
    Start,
    State,
    decode,
    encode,
    send_start,
)
from signald.lifecycle.predecessor import Predecessor
from signald.lifecycle.service import Daemon
from signald.lifecycle.state_file import FILE_NAME
from signald.lifecycle.successor import HANDOVER_VARIABLE
from signald.net.addresses import machine_names
from signald.server.direct_reactor import DirectReactor
from signald.server.socket_activation import PAGE
from signald.tap import make_daemon, makeService
from tests.support.reactors import ThreadlessReactor, install_reactor


class FullDisk(io.StringIO):
    """A file on a disk that is full."""

    def write(self, text: str) -> int:
        """Raise the error of a full disk."""
        raise OSError(28, "No space left on device")


class RunTests(SynchronousTestCase):
    """Tests of `run`, from the start to the stop, with a reactor in memory in place of the reactor of the process."""

    def setUp(self) -> None:
        """Install the reactor, capture the output, and restore the signals at the end of the test."""
        self.reactor = ThreadlessReactor()
        install_reactor(self, self.reactor)
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR2):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self.addCleanup(signal.pthread_sigmask, signal.SIG_SETMASK, mask)
        self.observers: list[object] = []
        self.patch(globalLogBeginner, "beginLoggingTo", lambda observers, **_: self.observers.extend(observers))
        self.out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        self.patch(sys, "stdout", self.out)
        self.patch(sys, "stderr", io.StringIO())
        self.data = Path(self.mktemp()).absolute()
        self.statuses: list[int] = []
        self.patch(os, "_exit", self.statuses.append)

    def start(self) -> None:
        """Run the daemon; the reactor in memory returns when everything is started."""
        options = Options()
        options.parseOptions(["--port", "0", "--interface", "127.0.0.1", "--no-tls", "--data-dir", str(self.data)])
        run(options)

    def test_start(self) -> None:
        """The daemon accepts connections, uses its own log, and prints its URL, even on a terminal without UTF-8."""
        self.start()
        self.assertEqual(self.statuses, [0])
        self.assertEqual([port.listening for port in self.reactor.ports], [True])
        self.assertEqual(len(self.observers), 1)
        self.out.seek(0)
        self.assertRegex(self.out.read(), r"http://localhost:\d+/")
        for stopped in self.reactor.fire_shutdown("before"):
            self.successResultOf(stopped)

    def test_reactor(self) -> None:
        """A process without a reactor gets the direct one before the daemon is made."""
        reactor = sys.modules.pop("twisted.internet.reactor")
        self.addCleanup(sys.modules.__setitem__, "twisted.internet.reactor", reactor)
        installed: list[Any] = []

        def make(options: Options) -> NoReturn:
            installed.append(sys.modules["twisted.internet.reactor"])
            sys.exit(1)

        self.patch(foreground, "makeService", make)
        self.assertRaises(SystemExit, self.start)
        self.assertIsInstance(installed[0], DirectReactor)
        for waker in installed[0].removeAll():
            waker.connectionLost(None)

    def test_stop(self) -> None:
        """A stop ignores signals until the state is saved; afterwards, a second signal ends the process."""
        self.start()
        actions = []
        self.patch(signal, "signal", lambda number, action: actions.append((number, action, self.is_saved())))
        for stopped in self.reactor.fire_shutdown("before"):
            self.successResultOf(stopped)
        both = (signal.SIGINT, signal.SIGTERM)
        self.assertEqual(
            actions,
            [(number, signal.SIG_IGN, False) for number in both] + [(number, signal.SIG_DFL, True) for number in both],
        )
        self.assertEqual([port.listening for port in self.reactor.ports], [False])

    def test_the_first_process_of_a_container(self) -> None:
        """It starts no successor, which would end with it."""
        made: list[Daemon] = []

        def make(options: Options) -> Daemon:
            made.append(makeService(options))
            return made[-1]

        self.patch(foreground, "makeService", make)
        self.start()
        self.assertIsNotNone(made.pop().upgrade.launch)
        self.data = Path(self.mktemp()).absolute()
        self.patch(os, "getpid", lambda: 1)
        self.start()
        self.assertIsNone(made.pop().upgrade.launch)
        for stopped in self.reactor.fire_shutdown("before"):
            self.successResultOf(stopped)

    def begin_upgrade(self, *sockets: socket.socket) -> tuple[socket.socket, dict[str, str]]:
        """Return the running process's end of a channel, and the successor's environment."""
        here, there = socket.socketpair()
        self.addCleanup(here.close)
        self.patch(os, "getppid", os.getpid)
        start = Start(PROTOCOL, "0.0.9", list(FORMATS), [PAGE for _ in sockets], False)
        send_start(here, start, [each.fileno() for each in sockets])
        return here, {HANDOVER_VARIABLE: str(there.detach())}

    def begin_failing_upgrade(self) -> tuple[socket.socket, Predecessor]:
        """Return the running process's end of a channel, and the running process for its successor."""
        here, environment = self.begin_upgrade()
        predecessor = Predecessor.of(environment)
        assert predecessor is not None
        return here, predecessor

    def refusal(self, here: socket.socket) -> str:
        """Return the reason for which the successor refuses to take over."""
        [(refused, _)] = [decode(payload) for payload in FrameReader().receive(here.recv(4096))]
        assert isinstance(refused, Refused)
        return refused.reason

    def test_a_successor(self) -> None:
        """A successor listens on the sockets of the running process, but only once it has the state."""
        with socket.create_server(("127.0.0.1", 0)) as page:
            here, environment = self.begin_upgrade(page)
            self.patch(foreground, "started_with", lambda: environment)
            self.start()
            self.assertEqual(self.reactor.ports, [])
            here.sendall(encode(State(time.monotonic(), 0.001), dump(Snapshot(FORMATS[-1], [], [], []))))
            for reader in list(self.reactor.readers):
                reader.doRead()
            self.assertEqual([port.listening for port in self.reactor.ports], [True])
            for stopped in self.reactor.fire_shutdown("before"):
                self.successResultOf(stopped)

    def test_nobody_to_take_over_from(self) -> None:
        """A successor without the running process's socket ends with a sentence."""
        self.patch(foreground, "started_with", lambda: {HANDOVER_VARIABLE: "nonsense"})
        error = self.assertRaises(SystemExit, self.start)
        self.assertIn(f"{HANDOVER_VARIABLE} names no socket", str(error.code))

    def test_a_successor_with_an_error(self) -> None:
        """The running process is told the kind of any other exception."""
        here, predecessor = self.begin_failing_upgrade()

        def fail(*_: object) -> None:
            raise ValueError("an error in the server")

        self.patch(foreground, "makeService", fail)
        self.assertRaises(ValueError, _make_successor, Options(), predecessor)
        self.assertEqual(self.refusal(here), "ValueError at its start")

    def test_a_successor_that_cannot_start(self) -> None:
        """The running process is told the reason in a sentence; the exit status alone would not help its operator."""
        here, predecessor = self.begin_failing_upgrade()
        options = Options()
        self.data.mkdir()
        settings = self.data / "signald.toml"
        settings.write_text("port = 70000\n")
        options.parseOptions(["--config", str(settings), "--data-dir", str(self.data)])
        error = self.assertRaises(SystemExit, _make_successor, options, predecessor)
        self.assertEqual(error.code, os.EX_CONFIG)
        self.assertRegex(self.refusal(here), r"\A\S+signald\.toml, line 1, port: expected a port number")

    def is_saved(self) -> bool:
        """Return whether the state is saved for the next process."""
        return (self.data / FILE_NAME).exists()


class AnnounceTests(SynchronousTestCase):
    """Tests of the banner that the daemon prints."""

    def setUp(self) -> None:
        """Create a daemon and close its socket."""
        config = Config(Path(self.mktemp()), port=0, interface="127.0.0.1", tls=False)
        self.daemon = make_daemon(config, cast(Any, MemoryReactorClock()))
        self.daemon.page.socket.close()

    def test_address(self) -> None:
        """The URL of the page is printed to standard output."""
        out = io.StringIO()
        self.patch(sys, "stdout", out)
        _announce(self.daemon)
        self.assertIn(f"http://localhost:{self.daemon.page.port}/", out.getvalue())

    def test_nowhere_to_write(self) -> None:
        """A standard output that is closed, or on a full disk, raises no exception."""
        for out in (None, FullDisk()):
            self.patch(sys, "stdout", out)
            _announce(self.daemon)


class NamesTests(SynchronousTestCase):
    """Tests of the names and addresses that the banner shows."""

    def test_one_interface(self) -> None:
        """If the daemon listens on one address, the banner shows only that address."""
        names = _names("192.0.2.1")
        self.assertEqual((names.host, names.addresses), (None, (ip_address("192.0.2.1"),)))
        self.assertEqual(names.best, ip_address("192.0.2.1"))
        self.assertIsNone(_names("127.0.0.1").best)

    def test_every_interface(self) -> None:
        """If the daemon listens on all interfaces, the banner shows the machine's names."""
        for interface in (None, "0.0.0.0", "::"):  # noqa: S104 # an operator may set these values
            self.assertEqual(_names(interface), machine_names())


class ExitTests(SynchronousTestCase):
    """Tests of the end of the process."""

    def test_output_is_written(self) -> None:
        """The log and both streams are written before the process ends at once, whatever state the streams are in."""
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        os.set_blocking(reader, False)
        config = Config(Path(self.mktemp()), port=0, interface="127.0.0.1", tls=False)
        daemon = make_daemon(config, cast(Any, MemoryReactorClock()))
        daemon.page.socket.close()
        with open(writer, "w") as stream:
            log = daemon.operations_service.log.to_stream(stream)
            self.patch(sys, "stdout", FullDisk())
            self.patch(sys, "stderr", None)
            ends: list[int] = []
            self.patch(os, "_exit", ends.append)
            Logger("signald.test", observer=cast(ILogObserver, log)).info("stopped", event="stopped")
            _exit(daemon, 3)
            self.assertEqual(ends, [3])
            self.assertIn(b"stopped", os.read(reader, 4096))


class SignalTests(SynchronousTestCase):
    """Tests of the signals that stop the daemon."""

    def test_a_second_signal_ends_the_process(self) -> None:
        """Once the state is saved, SIGINT and SIGTERM have their default action again."""
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            _let_signals_end_the_process()
            self.assertEqual({signal.getsignal(number) for number in before}, {signal.SIG_DFL})
        finally:
            for number, action in before.items():
                signal.signal(number, action)
