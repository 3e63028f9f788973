"""Tests calls between each pair of clients; a call counts only if video and audio flow both ways."""

from __future__ import annotations

import time

from tests.suites.e2e.call_page import PATIENCE, CallPage, Figures, watch
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.peer import Peer
from tests.suites.e2e.report import add_call
from tests.suites.e2e.waiting import until


class BrowserCallTests(CallTestCase):
    """Tests of calls between browsers, in which the guest sends the offer."""

    def check(self, host_name: str, guest_name: str) -> None:
        """Start a call, watch it on both pages, and end it."""
        host, guest = self.page(host_name), self.page(guest_name)
        session = host.host()
        guest.join(session)
        pressed = time.monotonic()
        pages: list[CallPage] = [host, guest]

        def both() -> bool:
            seen = [page.look_for_picture(pressed) for page in pages]
            return all(seen)

        until(both, PATIENCE, "a picture on both sides")
        at_host, at_guest = watch(host, guest)
        add_call(host_name, guest_name, at_host, at_guest)
        guest.tab.click("#hang-up")
        guest.wait_for("ended")
        host.wait_for("waiting")
        for page in pages:
            self.assertEqual([text for text in page.tab.messages if text.startswith(("error", "uncaught"))], [])

    def test_chromium_chromium(self) -> None:
        """A guest in Chromium calls a host in Chromium."""
        self.check("Chromium", "Chromium")

    def test_chromium_firefox(self) -> None:
        """A guest in Firefox calls a host in Chromium."""
        self.check("Chromium", "Firefox")

    def test_firefox_chromium(self) -> None:
        """A guest in Chromium calls a host in Firefox."""
        self.check("Firefox", "Chromium")

    def test_firefox_firefox(self) -> None:
        """A guest in Firefox calls a host in Firefox."""
        self.check("Firefox", "Firefox")


class PeerCallTests(CallTestCase):
    """Tests of calls with `signald-peer`, which is not a browser."""

    def both_play(self, page: CallPage) -> Figures:
        """Wait for the video on a page, and watch it."""
        since = time.monotonic()
        until(lambda: page.look_for_picture(since), PATIENCE, "a picture in the page")
        return page.watch()

    def test_page_hosts(self) -> None:
        """The peer joins a call of Chromium, and ends when the host ends the call."""
        page = self.page()
        peer = self.peer("join", page.host())
        at_page = self.both_play(page)
        page.hang_up()
        page.wait_for("ended")
        add_call("Chromium", "peer", at_page, self.flowing(peer))

    def test_peer_hosts(self) -> None:
        """Chromium joins a call of the peer, which ends when the guest has left."""
        peer = self.peer("host")
        page = self.page()
        page.join(peer.session())
        at_page = self.both_play(page)
        page.tab.click("#hang-up")
        page.wait_for("ended")
        add_call("peer", "Chromium", self.flowing(peer), at_page)

    def test_firefox(self) -> None:
        """The peer joins a call of Firefox."""
        page = self.page("Firefox")
        peer = self.peer("join", page.host())
        at_page = self.both_play(page)
        page.hang_up()
        page.wait_for("ended")
        add_call("Firefox", "peer", at_page, self.flowing(peer))

    def test_peers(self) -> None:
        """A peer joins a call of another peer."""
        host = self.peer("host", "--duration", "20")
        guest = self.peer("join", host.session(), "--duration", "5")
        at_guest = self.flowing(guest)
        add_call("peer", "peer", self.flowing(host), at_guest)

    def test_echo(self) -> None:
        """A peer that echoes media shows the page its own video."""
        page = self.page()
        self.peer("join", page.host(), "--echo")
        self.both_play(page)

    def flowing(self, peer: Peer) -> Figures:
        """Assert that an ended peer has received and sent video and audio, and return its figures."""
        figures = peer.figures()
        for count in (figures.frames_in, figures.frames_out, figures.audio_in, figures.audio_out):
            self.assertGreater(count, 10)
        return figures
