"""Tests a crash of the server in a call of six, beside which nothing else runs on a machine with two cores."""

from __future__ import annotations

from tests.suites.e2e.call_page import CallPage
from tests.suites.e2e.cheap_media import open_small_page, write_silent_film
from tests.suites.e2e.crash import PeersCase


class SixTests(PeersCase):
    """A call of two pages and four peers."""

    def page(self, session: str = "") -> CallPage:
        """Open the page with a small camera in a new tab."""
        page = open_small_page(f"http://localhost:{self.port}/#{session}")
        self.addCleanup(page.tab.close)
        return page

    def test_six(self) -> None:
        """Two pages and four peers keep all fifteen connections, from one address, in either order."""
        host = self.page()
        session = host.host()
        guest = self.page(session)
        guest.join()
        film = self.directory / "film.mp4"
        write_silent_film(film)
        for _ in range(4):
            self.peer("join", session, "--play", str(film))
        self.crash_with(host, guest, others=5)
