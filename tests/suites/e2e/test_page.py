"""Tests the page's messages to people, and its buttons."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from tests.suites.e2e.browsers import chromium, chromium_without_camera
from tests.suites.e2e.call_page import DARK, PATIENCE, SILENCE, CallPage, watch
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.layout import LayoutChecks
from tests.suites.e2e.waiting import until


class PageTests(CallTestCase):
    """Tests of two pages in a call."""

    def call(self, host_name: str = "Chromium", guest_name: str = "Chromium") -> tuple[CallPage, CallPage]:
        """Return host and guest of a call with video on both pages."""
        host, guest = self.page(host_name), self.page(guest_name)
        guest.join(host.host())
        self.wait_for_pictures(host, guest)
        return host, guest

    def wait_for_pictures(self, *pages: CallPage) -> None:
        """Wait until each page plays a video."""
        since = time.monotonic()
        for page in pages:
            page.wait_for("connected")
            until(lambda page: page.look_for_picture(since), PATIENCE, "a picture", page)

    def test_link(self) -> None:
        """The link and the QR code that the host sees lead to the call with one click."""
        host = self.page()
        session = host.host()
        link = host.tab.evaluate("document.getElementById('link').value")
        self.assertEqual(urlsplit(link).netloc, urlsplit(self.daemon.url).netloc)
        self.assertEqual(urlsplit(link).fragment.replace("-", ""), session)
        drawn = """(canvas => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]
            .filter((value, index) => index % 4 == 0 && value < 64).length)(document.getElementById('qr'))"""
        # The page draws the code after it shows the link.
        until(lambda: host.tab.evaluate(drawn) > 200, PATIENCE, "the QR code")
        guest = self.page(fragment=urlsplit(link).fragment)
        guest.join()
        self.wait_for_pictures(host, guest)

    def test_id_as_people_type_it(self) -> None:
        """An id in lower case, with hyphens, is accepted as the same id."""
        host, guest = self.page(), self.page()
        session = host.host().lower()
        guest.join(f"{session[:3]}-{session[3:7]}-{session[7:]}")
        self.wait_for_pictures(host, guest)

    def test_third(self) -> None:
        """A third person can join, and everybody sees both other members."""
        host, guest = self.page(), self.page()
        session = host.host()
        guest.join(session)
        self.wait_for_pictures(host, guest)
        third = self.page()
        third.join(session)
        third.wait_for("connected")
        count = "document.querySelectorAll('#remotes [data-picture=true]').length"
        for page in (host, guest, third):
            until(lambda page: page.tab.evaluate(count) == 2, PATIENCE, "two pictures", page)

    def test_full(self) -> None:
        """A person who exceeds the capacity reads that the call is full, and the call continues."""
        peer = self.peer("host")
        session = peer.session()
        guest, third = self.page(), self.page()
        guest.join(session)
        self.wait_for_pictures(guest)
        third.join(session)
        third.wait_for_text("error", "full")
        third.wait_for("start")
        self.assertEqual(guest.state, "connected")
        guest.watch()

    def test_unknown_id(self) -> None:
        """The page shows an error for an unknown id, with its reference, and for a text that is not an id."""
        page = self.page()
        page.join("000-0000-000")
        page.wait_for_text("error", "no call with this ID")
        page.wait_for_text("reference", "Reference: ")
        page.wait_for("start")
        page.join("hello")
        page.wait_for_text("error", "ID")
        page.wait_for("start")

    def test_guest_leaves(self) -> None:
        """The host reads that the guest hung up; another guest can join."""
        host, guest = self.call()
        guest.tab.click("#hang-up")
        guest.wait_for("ended")
        host.wait_for("waiting")
        host.wait_for_text("status", "left")
        another = self.page()
        another.join(host.text("session-id"))
        self.wait_for_pictures(host, another)

    def test_host_leaves(self) -> None:
        """The guest reads that the host ended the call."""
        host, guest = self.call()
        host.hang_up()
        guest.wait_for("ended")
        guest.wait_for_text("status", "ended")

    def test_tab_is_closed(self) -> None:
        """Closing the tab leaves the call."""
        host = self.page()
        guest_tab = chromium().tab()
        guest = CallPage(guest_tab)
        guest.open(self.daemon.url)
        guest.join(host.host())
        self.wait_for_pictures(host, guest)
        guest_tab.close()
        host.wait_for("waiting")

    def test_again(self) -> None:
        """After a call has ended, the same page can start another call."""
        host, guest = self.call()
        host.hang_up()
        for page in (host, guest):
            page.wait_for("ended")
            page.tab.click("#again")
            page.wait_for("start")
        guest.tab.click("header a")
        guest.join(host.host())
        self.wait_for_pictures(host, guest)
        watch(host, guest)

    def test_daemon_dies_while_waiting(self) -> None:
        """A waiting page shows that it reconnects; after the daemon has restarted, the page's link works as before."""
        daemon = self.start_daemon()
        host = self.page()
        session = host.host()
        daemon.kill()
        host.wait_for_text("status", "Reconnecting")
        self.start_daemon("--port", str(daemon.port))
        until(lambda: "Waiting" in host.text("status"), PATIENCE, "the host to wait again")
        self.assertEqual(host.text("session-id").replace("-", ""), session)
        guest = self.page(fragment=session)
        guest.join()
        self.wait_for_pictures(host, guest)

    def test_daemon_dies_in_a_call(self) -> None:
        """A call continues without the signaling server, and both pages show that they reconnect."""
        daemon = self.start_daemon()
        host, guest = self.call()
        daemon.kill()
        for page in (host, guest):
            page.wait_for_text("status", "Your call goes on")
        watch(host, guest)

    def test_daemon_is_not_there(self) -> None:
        """A call that is started without the signaling server shows an error."""
        daemon = self.start_daemon()
        page = self.page()
        daemon.kill()
        page.tab.click("#start")
        page.wait_for("failed", "start")
        until(lambda: page.shown("error") and page.text("error"), PATIENCE, "an error to be shown")

    def mutes(self, host_name: str, guest_name: str) -> None:
        """Assert that a muted microphone sends no sound, and sends sound again when it is unmuted."""
        host, guest = self.call(host_name, guest_name)
        host.rises("audioEnergy", SILENCE)
        guest.tab.click("#mute")
        host.still("audioEnergy", SILENCE)
        host.rises("framesDecoded")
        guest.tab.click("#mute")
        host.rises("audioEnergy", SILENCE)

    def test_mute(self) -> None:
        """A muted microphone in Chromium sends no sound."""
        self.mutes("Chromium", "Chromium")

    def test_mute_firefox(self) -> None:
        """A muted microphone in Firefox sends no sound."""
        self.mutes("Chromium", "Firefox")

    def switches_camera(self, host_name: str, guest_name: str) -> None:
        """Assert that a switched-off camera sends no video and is released, and that it can be switched on again."""
        host, guest = self.call(host_name, guest_name)
        guest.tab.click("#camera")
        host.still("framesDecoded", DARK)
        tracks = "document.getElementById('local-video').srcObject.getVideoTracks()"
        live = f"{tracks}.filter(track => track.readyState == 'live').length"
        self.assertEqual(guest.tab.evaluate(live), 0)
        host.rises("audioPacketsReceived")
        guest.tab.click("#camera")
        host.rises("framesDecoded", DARK)
        self.assertEqual(guest.tab.evaluate(live), 1)

    def test_camera(self) -> None:
        """A camera that is switched off in Chromium sends no video."""
        self.switches_camera("Chromium", "Chromium")

    def test_camera_firefox(self) -> None:
        """A camera that is switched off in Firefox sends no video."""
        self.switches_camera("Chromium", "Firefox")

    def test_no_permission(self) -> None:
        """Without camera and microphone the page shows the reason, and still receives video and audio."""
        host = self.page()
        session = host.host()
        tab = chromium_without_camera().tab()
        self.addCleanup(tab.close)
        guest = CallPage(tab)
        guest.open(self.daemon.url)
        guest.join(session)
        self.wait_for_pictures(guest)
        guest.wait_for_text("error", "does not let this page use your camera")
        guest.rises("framesDecoded")
        guest.rises("audioPacketsReceived")
        self.assertEqual(guest.statistics()["framesSent"], 0)

    def test_own_origin_only(self) -> None:
        """The page sends requests to its own server only, and writes nothing to the console."""
        tab = chromium().tab()
        self.addCleanup(tab.close)
        asked: set[str] = set()
        tab.page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
        tab.page.on("websocket", lambda socket: asked.add(urlsplit(socket.url).netloc))
        page = CallPage(tab)
        page.open(self.daemon.url)
        page.host()
        self.assertEqual(asked, {urlsplit(self.daemon.url).netloc})
        self.assertEqual(tab.messages, [])


class LayoutTests(LayoutChecks, CallTestCase):
    """Tests of the page's layout on desktop and phone, light and dark; `make e2e` keeps screenshots."""

    def check(self, name: str, **options: object) -> None:
        """Check the layout of each screen."""
        tab = chromium().tab(**options)
        self.addCleanup(tab.close)
        page = CallPage(tab)
        page.open(self.daemon.url)
        self.fits(page, f"{name}-start", "start", "session-input", "join")
        page.join("000-0000-000")
        page.wait_for_text("error", "no call")
        self.fits(page, f"{name}-error", "error", "join")
        session = page.host()
        self.fits(page, f"{name}-waiting", "session-id", "link", "copy", "qr", "status")
        guest = self.page()
        guest.join(session)
        page.wait_for("connected")
        until(lambda: page.picture()[1] > 0, PATIENCE, "a picture")
        self.fits(page, f"{name}-connected", "remote-video", "local-video", "mute", "camera", "hang-up")
        for control in ("mute", "camera", "hang-up"):
            bottom = f"document.getElementById('{control}').getBoundingClientRect().bottom <= innerHeight"
            self.assertTrue(tab.evaluate(bottom), f"{control} is below the window")
        guest.tab.click("#hang-up")
        page.wait_for("waiting")
        page.tab.click("#hang-up")
        page.wait_for("ended")
        self.fits(page, f"{name}-ended", "status", "again")
