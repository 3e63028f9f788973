"""Tests of `signald.foreground`, which runs the daemon in the foreground and prints its addresses."""

from __future__ import annotations

import io
import signal
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

from twisted.internet.testing import MemoryReactorClock
from twisted.logger import globalLogBeginner
from twisted.trial.unittest import SynchronousTestCase

from signald.cli.options import Options
from signald.config.settings import Config
from signald.foreground import _announce, _let_signals_end_the_process, _names, run
from signald.lifecycle.state_file import FILE_NAME
from signald.net.addresses import machine_names
from signald.tap import make_daemon
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
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self.addCleanup(signal.pthread_sigmask, signal.SIG_SETMASK, mask)
        self.observers: list[object] = []
        self.patch(globalLogBeginner, "beginLoggingTo", lambda observers, **_: self.observers.extend(observers))
        self.out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        self.patch(sys, "stdout", self.out)
        self.patch(sys, "stderr", io.StringIO())
        self.data = Path(self.mktemp()).absolute()

    def start(self) -> None:
        """Run the daemon; the reactor in memory returns when everything is started."""
        options = Options()
        options.parseOptions(["--port", "0", "--interface", "127.0.0.1", "--no-tls", "--data-dir", str(self.data)])
        run(options)

    def test_start(self) -> None:
        """The daemon accepts connections, uses its own log, and prints its URL, even on a terminal without UTF-8."""
        self.start()
        self.assertEqual([port.listening for port in self.reactor.ports], [True])
        self.assertEqual(len(self.observers), 1)
        self.out.seek(0)
        self.assertRegex(self.out.read(), r"http://localhost:\d+/")
        for stopped in self.reactor.fire_shutdown("before"):
            self.successResultOf(stopped)

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
