"""A call in two browsers, and a restart of the server in the middle of it."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.suites.e2e.browsers import browser
from tests.suites.e2e.call_page import PATIENCE, CallPage, watch
from tests.suites.e2e.report import add_time
from tests.suites.e2e.test_resume import PAUSE, frames, reconnects, watched
from tests.suites.e2e.waiting import until
from tests.support.supervisor import Supervisor


class RestartTests(SynchronousTestCase):
    """Under a service manager that holds the socket."""

    def setUp(self) -> None:
        """Start a daemon; without TLS, under a name that is a secure context all the same."""
        directory = Path(self.mktemp()).resolve()
        directory.mkdir()
        self.supervisor = Supervisor(directory, "--no-tls")
        self.addCleanup(self.supervisor.close)
        self.supervisor.start()

    def open(self, session: str = "") -> CallPage:
        """Open the page."""
        tab = browser("Chromium").tab()
        self.addCleanup(tab.close)
        page = CallPage(tab)
        page.open(f"http://localhost:{self.supervisor.port}/" + (f"#{session}" if session else ""))
        return page

    def test_the_call_goes_on(self) -> None:
        """No pause of the picture, no ICE restart, the same people: both pages come back to the next process."""
        host = self.open()
        guest = self.open(host.host())
        guest.join()
        for page in (host, guest):
            page.wait_for("connected")
            until(lambda page: frames(page) > 5, PATIENCE, "a picture", page)
        self.supervisor.restart()
        pause, back = watched(host, guest)
        add_time("server restarted in a call", back, f"longest pause of the picture {pause:.2f} s")
        self.assertLess(pause, PAUSE)
        for page in (host, guest):
            until(lambda page: reconnects(page) == 1, PATIENCE, "the connection to the server", page)
        watch(host, guest)
        for page in (host, guest):
            self.assertEqual(page.statistics()["iceRestarts"], 0)
