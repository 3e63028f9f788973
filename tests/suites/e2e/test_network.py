"""Tests a page whose network changes in the middle of a call."""

from __future__ import annotations

import time
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.suites.e2e.call_page import PATIENCE, CallPage, watch
from tests.suites.e2e.chromium import Chromium, executable
from tests.suites.e2e.daemon import Daemon
from tests.suites.e2e.network import Host
from tests.suites.e2e.report import add_time
from tests.suites.e2e.test_resume import frames, reconnects
from tests.suites.e2e.waiting import until

#: The seconds within which a browser has to give up the paths of a lost network, and to find new ones.
MOVING = 45.0


class NetworkTests(SynchronousTestCase):
    """Tests of a browser in a separate network namespace."""

    def test_addresses(self) -> None:
        """No address of the cable is still being checked, since Chromium drops its requests when one becomes usable."""
        host = Host()
        self.addCleanup(host.remove)
        seen = host.addresses()
        self.assertEqual([line.split()[2] for line in seen.splitlines()], ["inet"] * 3)
        self.assertNotIn("tentative", seen)

    def test_another_address(self) -> None:
        """The page resumes its signaling connection over the new network, and an ICE restart lets media flow again."""
        program = executable()
        if program is None:
            raise SkipTest("Chromium is not installed")
        host = Host()
        self.addCleanup(host.remove)
        directory = Path(self.mktemp()).resolve()
        directory.mkdir()
        daemon = Daemon(directory, through=host.through)
        self.addCleanup(daemon.stop)
        pages = []
        for at_home in (True, False):
            browser = Chromium(program=host.program(program, directory, at_home=at_home))
            self.addCleanup(browser.close)
            pages.append(CallPage(browser.tab()))
        here, there = pages
        for page in pages:
            page.open(f"https://{host.server}:{daemon.port}/")
        there.join(here.host())
        for page in pages:
            page.wait_for("connected")
            until(lambda page: frames(page) > 5, PATIENCE, "a picture", page)

        host.move()
        moved = time.monotonic()
        until(lambda: reconnects(there) >= 1, MOVING, "the connection to the server to come back")
        resumed = time.monotonic() - moved
        seen = frames(here)
        until(lambda: frames(here) > seen + 10, MOVING, "the picture of the one who moved")
        seen = frames(there)
        until(lambda: frames(there) > seen + 10, MOVING, "the picture of the other")
        back = time.monotonic() - moved
        restarts = [page.statistics()["iceRestarts"] for page in pages]
        add_time("another network", back, f"the server after {resumed:.2f} s, ICE restarts {restarts}")
        self.assertGreater(sum(restarts), 0)
        watch(*pages)
