"""A test case with a daemon, and with pages and peers that its end closes."""

from __future__ import annotations

import signal
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.suites.e2e.browsers import browser
from tests.suites.e2e.call_page import CallPage
from tests.suites.e2e.daemon import Daemon
from tests.suites.e2e.peer import Peer


class CallTestCase(SynchronousTestCase):
    """One daemon, and whoever calls through it.

    Attributes:
        directory: of the test's own.
        daemon: the daemon.

    """

    def setUp(self) -> None:
        """Start the daemon."""
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()
        self.daemon = Daemon(self.directory)
        self.addCleanup(self.daemon.stop)

    def page(self, name: str = "Chromium", *, fragment: str = "") -> CallPage:
        """Open the call page in a new tab.

        Arguments:
            name: of the browser.
            fragment: of the page's address, the id of a call.

        """
        tab = browser(name).tab()
        self.addCleanup(tab.close)
        page = CallPage(tab)
        page.open(self.daemon.url + (f"#{fragment}" if fragment else ""))
        return page

    def peer(self, *arguments: str) -> Peer:
        """Start a peer with these arguments."""
        peer = Peer(self.daemon, *arguments)
        self.addCleanup(peer.program.stop, signal.SIGKILL)
        return peer
