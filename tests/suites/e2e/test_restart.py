"""Tests a restart and an upgrade of the server in the middle of a call of two browsers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.suites.e2e.browsers import browser
from tests.suites.e2e.call_page import PATIENCE, CallPage, watch
from tests.suites.e2e.report import add_time
from tests.suites.e2e.test_resume import PAUSE, frames, reconnects, watched
from tests.suites.e2e.waiting import until
from tests.support.supervisor import Supervisor


class RestartTests(SynchronousTestCase):
    """Tests of a daemon under a service manager that holds the listening socket."""

    def setUp(self) -> None:
        """Start a daemon without TLS, at `localhost`, which is a secure context even without TLS."""
        directory = Path(self.mktemp()).resolve()
        directory.mkdir()
        self.supervisor = Supervisor(directory, "--no-tls")
        self.addCleanup(self.supervisor.close)
        self.supervisor.start()

    def open(self, session: str = "") -> CallPage:
        """Open the page of the daemon."""
        tab = browser("Chromium").tab()
        self.addCleanup(tab.close)
        page = CallPage(tab)
        page.open(f"http://localhost:{self.supervisor.port}/" + (f"#{session}" if session else ""))
        return page

    def test_a_restart(self) -> None:
        """After the restart both pages resume with the next process, without a pause of the video or an ICE restart."""
        self.call_through("server restarted in a call", self.supervisor.restart)

    def test_an_upgrade(self) -> None:
        """After an upgrade both pages resume with the successor, in the same way."""
        self.call_through("server upgraded in a call", self.supervisor.upgrade)

    def call_through(self, what: str, replace: Callable[[], object]) -> None:
        """Hold a call while another process takes the place of the server's."""
        host = self.open()
        guest = self.open(host.host())
        guest.join()
        for page in (host, guest):
            page.wait_for("connected")
            until(lambda page: frames(page) > 5, PATIENCE, "a picture", page)
        replace()
        pause, back = watched(host, guest)
        add_time(what, back, f"longest pause of the picture {pause:.2f} s")
        self.assertLess(pause, PAUSE)
        for page in (host, guest):
            until(lambda page: reconnects(page) == 1, PATIENCE, "the connection to the server", page)
        watch(host, guest)
        for page in (host, guest):
            self.assertEqual(page.statistics()["iceRestarts"], 0)
