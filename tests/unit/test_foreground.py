"""Tests of `signald.foreground`, which runs the daemon in the foreground and prints its addresses."""

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
    """A file on a disk that is full."""

    def write(self, text: str) -> int:
        """Raise the error of a full disk."""
        raise OSError(28, "No space left on device")


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
