"""Tests of `signald.foreground`: what the daemon in the foreground writes where."""

from __future__ import annotations

import io
import signal
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from signald.config.settings import Config
from signald.foreground import _announce, _let_signals_end_the_process, _names
from signald.net.addresses import machine_names
from signald.tap import make_daemon


class FullDisk(io.StringIO):
    """A file that takes nothing."""

    def write(self, text: str) -> int:
        """Fail as a full disk does."""
        raise OSError(28, "No space left on device")


class AnnounceTests(SynchronousTestCase):
    """Telling where to go."""

    def setUp(self) -> None:
        """Make a daemon, its socket closed."""
        config = Config(Path(self.mktemp()), port=0, interface="127.0.0.1", tls=False)
        self.daemon = make_daemon(config, cast(Any, MemoryReactorClock()))
        self.daemon.page.socket.close()

    def test_address(self) -> None:
        """The page's, on standard output."""
        out = io.StringIO()
        self.patch(sys, "stdout", out)
        _announce(self.daemon)
        self.assertIn(f"http://localhost:{self.daemon.page.port}/", out.getvalue())

    def test_nowhere_to_write(self) -> None:
        """Standard output may be closed or full; the server runs on without a complaint."""
        for out in (None, FullDisk()):
            self.patch(sys, "stdout", out)
            _announce(self.daemon)


class NamesTests(SynchronousTestCase):
    """The names and addresses that the banner shows."""

    def test_one_interface(self) -> None:
        """Where the daemon listens on one address, the banner shows that one, and no other."""
        names = _names("192.0.2.1")
        self.assertEqual((names.host, names.addresses), (None, (ip_address("192.0.2.1"),)))
        self.assertEqual(names.best, ip_address("192.0.2.1"))
        self.assertIsNone(_names("127.0.0.1").best)

    def test_every_interface(self) -> None:
        """Where it listens on all interfaces, the banner shows the machine's names."""
        for interface in (None, "0.0.0.0", "::"):  # noqa: S104 # it is what an operator may write
            self.assertEqual(_names(interface), machine_names())


class SignalTests(SynchronousTestCase):
    """The signals that stop the daemon."""

    def test_a_second_signal_ends_the_process(self) -> None:
        """Once the state is saved, SIGINT and SIGTERM have their default action again."""
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            _let_signals_end_the_process()
            self.assertEqual({signal.getsignal(number) for number in before}, {signal.SIG_DFL})
        finally:
            for number, action in before.items():
                signal.signal(number, action)
