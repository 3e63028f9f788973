"""Tests a crash of the server in the middle of a call with direct media."""

from __future__ import annotations

from tests.suites.e2e.call_page import PATIENCE
from tests.suites.e2e.crash import DOWN, SHORT, CrashCase, PeersCase
from tests.suites.e2e.peer import GROUPED


class PagesTests(CrashCase):
    """A call of two pages; either comes back first."""

    def crash_with(self, held_back: int, down: float, *, forget: bool) -> None:
        """Crash, let one page come back later than the other, and assert that the call goes on.

        Arguments:
            held_back: 0 to hold the host back, 1 to hold the guest back.
            down: the seconds without a server.
            forget: whether the server loses all identities.

        """
        host = self.page()
        guest = self.page(host.host())
        guest.join()
        pages = (host, guest)
        first, second = pages[1 - held_back], pages[held_back]

        def crash(crashes: int) -> None:
            self.hold_back(second, first, down, crashes, forget=forget)
            self.wait_for_return(crashes, *pages)

        self.survive(crash, down, *pages)

    def test_host_first(self) -> None:
        """The host is back first, and no picture pauses."""
        self.crash_with(1, DOWN, forget=True)

    def test_guest_first(self) -> None:
        """The guest is back first and waits for the host in the call, not on the start screen."""
        self.crash_with(0, SHORT, forget=True)

    def test_journal(self) -> None:
        """No picture pauses either where the data directory is as the crash left it."""
        self.crash_with(0, SHORT, forget=False)


class PeersTests(PeersCase):
    """Calls with `signald-peer`."""

    def test_peer_as_guest(self) -> None:
        """A page and a peer that has joined it keep their connection."""
        host = self.page()
        self.peer("join", host.host())
        self.crash_with(host, others=1)

    def test_peer_as_host(self) -> None:
        """A peer opens its session again with its ticket, without a host key, and keeps its guest."""
        session = self.peer("host").wait_for(GROUPED, PATIENCE)[1].replace("-", "")
        guest = self.page(session)
        guest.join()
        self.crash_with(guest, others=1)

    def test_three(self) -> None:
        """Two pages and a peer keep all three connections, whether the host or a guest is back first."""
        host = self.page()
        session = host.host()
        guest = self.page(session)
        guest.join()
        self.peer("join", session)
        self.crash_with(host, guest, others=2)
