"""Tests rooms of matchbox's clients: pages of another origin that connect to each other."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.suites.e2e.browsers import browser
from tests.suites.e2e.daemon import Daemon
from tests.suites.e2e.matchbox_page import MatchboxPage, make_application
from tests.suites.e2e.program import faults


class MatchboxTests(SynchronousTestCase):
    """Pages in rooms.

    Attributes:
        daemon: the daemon that is tested.

    """

    daemon: Daemon

    def setUp(self) -> None:
        """Start the application's server and a daemon."""
        self.application = make_application()
        self.addCleanup(self.application.stop)
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()
        self.serve()

    def serve(self, *options: str, matchbox: str = "--matchbox") -> None:
        """Start a daemon with the data directory."""
        self.daemon = Daemon(self.directory, "--no-tls", matchbox, "--allow-origin", self.application.origin, *options)
        self.addCleanup(self.daemon.stop)

    def pages(self, *browsers: str) -> list[MatchboxPage]:
        """Open the application once in each of these browsers."""
        pages = []
        for name in browsers:
            tab = browser(name).tab()
            self.addCleanup(tab.close)
            pages.append(MatchboxPage(tab, self.application))
        return pages

    def assert_connected(self, pages: list[MatchboxPage], ids: list[str]) -> None:
        """Wait until each page has a message of every other one over its data channel."""
        for one, other in permutations(range(len(pages)), 2):
            pages[one].wait_for(f"hello from {ids[other]}")

    def test_mesh(self) -> None:
        """All who are in a room connect to each other, in both browsers, and are told who leaves."""
        pages = self.pages("Chromium", "Firefox", "Chromium")
        ids = [page.enter(self.daemon.port, "room") for page in pages]
        self.assert_connected(pages, ids)
        pages[1].leave()
        for page in (pages[0], pages[2]):
            page.wait_for(f"left {ids[1]}")
        self.assertEqual(faults(self.daemon.program.stderr), [])

    def test_pairs(self) -> None:
        """With `next=2` each two who come are connected, and to nobody else."""
        pages = self.pages(*["Chromium"] * 4)
        ids = [page.enter(self.daemon.port, "game?next=2") for page in pages]
        for pair in (slice(0, 2), slice(2, 4)):
            self.assert_connected(pages[pair], ids[pair])
        for page in pages:
            self.assertEqual(sum(text.startswith("hello") for text in page.seen()), 1)

    def test_restart(self) -> None:
        """A stop ends no connection between pages and tells nobody that another one left; then they meet again."""
        pages = self.pages("Chromium", "Chromium")
        ids = [page.enter(self.daemon.port, "room") for page in pages]
        self.assert_connected(pages, ids)
        port = self.daemon.port
        self.assertEqual(self.daemon.stop(), 0)
        for page in pages:
            page.wait_for("closed 1012 going-away")
        pages[0].execute(f"channels.get({ids[1]!r}).send('still here');")
        pages[1].wait_for("still here")
        for page in pages:
            self.assertEqual([text for text in page.seen() if text.startswith(("left", "failed"))], [])
        self.serve("--port", str(port))
        ids = [page.enter(port, "room") for page in pages]
        self.assert_connected(pages, ids)

    def test_full(self) -> None:
        """A room that is full closes the WebSocket with the reason."""
        self.daemon.stop()
        self.serve("--limit", "room-members=2")
        pages = self.pages(*["Chromium"] * 3)
        for page in pages[:2]:
            page.enter(self.daemon.port, "room")
        pages[2].start(self.daemon.port, "room")
        pages[2].wait_for("closed 4004 room-full")

    def test_off(self) -> None:
        """A daemon without the option has no rooms."""
        self.daemon.stop()
        self.serve(matchbox="--no-matchbox")
        [page] = self.pages("Chromium")
        page.start(self.daemon.port, "room")
        page.wait_for("closed 1006")
