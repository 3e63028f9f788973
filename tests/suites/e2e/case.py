"""A test case with a daemon, whose pages and peers are closed at the end of each test."""

from __future__ import annotations

import atexit
import shutil
import signal
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from tests.suites.e2e.browsers import browser
from tests.suites.e2e.call_page import CallPage
from tests.suites.e2e.daemon import Daemon
from tests.suites.e2e.peer import Peer


class _SharedDaemon:
    """The daemon that the tests of one class share; it ends when another class starts a daemon, or at exit."""

    def __init__(self) -> None:
        self._owner: type | None = None
        self._daemon: Daemon | None = None
        self._directory = Path()
        atexit.register(self.stop)

    def of(self, owner: type, options: tuple[str, ...]) -> Daemon:
        """Return the daemon of a test class, and start the daemon at the first use."""
        if self._daemon is None or self._owner is not owner:
            self.stop()
            self._directory = Path(tempfile.mkdtemp(prefix="signald-e2e-"))
            self._daemon, self._owner = Daemon(self._directory, *options), owner
        return self._daemon

    def faults(self) -> list[str]:
        """Return the faults of the daemon: the errors in its log, and an unexpected end of its process."""
        if self._daemon is None:
            return []
        status = self._daemon.program.process.poll()
        return [*self._daemon.program.faults, *([] if status is None else [f"it ended with status {status}"])]

    def stop(self) -> None:
        """Stop the daemon if it is running."""
        if self._daemon is not None:
            daemon, self._daemon = self._daemon, None
            daemon.stop()
            shutil.rmtree(self._directory, ignore_errors=True)


_shared = _SharedDaemon()


class CallTestCase(SynchronousTestCase):
    """A test case with a daemon, pages and peers.

    The daemon is shared by the tests of a class. A test that stops it, or needs other options, calls `start_daemon`.

    Attributes:
        options: further options of the shared daemon.
        directory: the directory of the test.

    """

    options: ClassVar[tuple[str, ...]] = ()
    _own_daemon: Daemon | None = None

    def setUp(self) -> None:
        """Create a directory for the test."""
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()
        self.addCleanup(lambda: self.assertEqual(_shared.faults(), []))

    @property
    def daemon(self) -> Daemon:
        """The daemon of the test, or the daemon of the class if the test has started none."""
        return self._own_daemon or _shared.of(type(self), self.options)

    def start_daemon(
        self,
        *options: str,
        directory: Path | None = None,
        environment: Mapping[str, str] | None = None,
        through: Sequence[str] = (),
    ) -> Daemon:
        """Start a daemon that only this test uses, in place of an earlier daemon.

        Arguments:
            options: further options of the command line.
            directory: the directory for the daemon's data; by default the test's.
            environment: variables that differ from this process's environment.
            through: a wrapper command that executes the daemon, such as `ip netns exec NAME`.

        """
        if self._own_daemon is not None:
            self._own_daemon.stop()
        self._own_daemon = Daemon(directory or self.directory, *options, environment=environment, through=through)
        self.addCleanup(self._own_daemon.stop)
        return self._own_daemon

    def page(self, name: str = "Chromium", *, fragment: str = "") -> CallPage:
        """Open the call page in a new tab.

        Arguments:
            name: the name of the browser.
            fragment: the fragment of the page's address, which is the id of a call.

        """
        tab = browser(name).tab()
        self.addCleanup(tab.close)
        page = CallPage(tab)
        page.open(self.daemon.url + (f"#{fragment}" if fragment else ""))
        return page

    def peer(self, *arguments: str) -> Peer:
        """Start a `signald-peer` process with these arguments."""
        peer = Peer(self.daemon, *arguments)
        self.addCleanup(peer.program.stop, signal.SIGKILL)
        return peer
