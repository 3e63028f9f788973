"""Tests signaling connections that are lost in the middle of an exchange, and pages that reconnect."""

from __future__ import annotations

import json
import signal
import time

from tests.suites.e2e.browsers import browser
from tests.suites.e2e.call_page import PATIENCE, CallPage, watch
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.peer import PICTURE
from tests.suites.e2e.program import SCRIPTS, Program
from tests.suites.e2e.proxy import Proxy
from tests.suites.e2e.report import add_time
from tests.suites.e2e.waiting import until

#: The seconds of video after a cut in which no pause may be longer than `PAUSE`.
WATCHED = 3.0

#: The seconds without a new frame that a person would notice; the fake cameras have 10 frames a second or more.
PAUSE = 1.0


def reconnects(page: CallPage) -> int:
    """Return how often the page has reconnected to the server."""
    return int(json.loads(page.tab.evaluate("globalThis.signald.connection()"))["reconnects"])


def frames(page: CallPage) -> int:
    """Return the number of frames that a page has decoded of the only other member; 0 without a peer connection."""
    return int(page.statistics().get("framesDecoded", 0))


def watched(page: CallPage, guest: CallPage | None = None) -> tuple[float, float]:
    """Watch a page; return the longest time without a new frame, and the seconds until the guest has reconnected."""
    began = since = time.monotonic()
    last, longest, back = frames(page), 0.0, 0.0
    while time.monotonic() < began + WATCHED or (guest is not None and not back):
        now = frames(page)
        if now != last:
            last, since = now, time.monotonic()
        longest = max(longest, time.monotonic() - since)
        if guest is not None and not back and reconnects(guest):
            back = time.monotonic() - began
        if time.monotonic() > began + PATIENCE:
            raise AssertionError("the connection did not come back")
    return longest, back


class CutTests(CallTestCase):
    """Tests in which a proxy that reads the messages cuts a guest's signaling connection."""

    #: The daemon runs without TLS, so that the proxy can read the server's messages.
    options = ("--no-tls",)

    def setUp(self) -> None:
        """Start the proxy."""
        super().setUp()
        self.proxy = Proxy(self.daemon.port)
        self.addCleanup(self.proxy.close)

    def open(self, port: int, session: str = "", name: str = "Chromium") -> CallPage:
        """Open the page at a port of this machine; `localhost` is a secure context even without TLS."""
        tab = browser(name).tab()
        self.addCleanup(tab.close)
        page = CallPage(tab)
        page.open(f"http://localhost:{port}/" + (f"#{session}" if session else ""))
        return page

    def in_negotiation(self, what: str, word: bytes, *, deliver: bool) -> None:
        """Cut the guest's WebSocket when the server sends a certain text, and assert that the call is established."""
        host = self.open(self.daemon.port)
        guest = self.open(self.proxy.port, host.host())
        self.proxy.cut_at(word, deliver=deliver)
        guest.join()
        began = time.monotonic()
        until(lambda: self.proxy.cuts, PATIENCE, "the cut")
        cut = time.monotonic()
        until(lambda: reconnects(guest) == 1, PATIENCE, "the connection to come back")
        resumed = time.monotonic()
        for page in (host, guest):
            page.wait_for("connected")
            until(lambda page: frames(page) > 0, PATIENCE, "a frame", page)
        add_time(what, resumed - cut, f"first frame {time.monotonic() - began:.2f} s after Join")
        self.assertEqual(guest.statistics()["iceRestarts"], 0)
        watch(host, guest)

    def test_before_the_answer(self) -> None:
        """If the cut loses the answer, the server sends the answer again after the resume."""
        self.in_negotiation("cut between offer and answer", b'"type":"answer"', deliver=False)

    def test_after_the_answer(self) -> None:
        """All candidates that arrive while the guest is disconnected reach the guest after the resume."""
        self.in_negotiation("cut between answer and candidates", b'"type":"answer"', deliver=True)

    def test_before_the_candidates(self) -> None:
        """If the cut loses the candidates, the server sends them again after the resume."""
        self.in_negotiation("cut at the first candidates", b'"type":"candidates"', deliver=False)

    def calling(self) -> tuple[CallPage, CallPage]:
        """Return a call whose guest is behind the proxy, with video on both pages."""
        host = self.open(self.daemon.port)
        guest = self.open(self.proxy.port, host.host())
        guest.join()
        for page in (host, guest):
            page.wait_for("connected")
            until(lambda page: frames(page) > 5, PATIENCE, "a picture", page)
        return host, guest

    def test_in_a_call(self) -> None:
        """Video and audio continue without a pause while the signaling connection is cut."""
        host, guest = self.calling()
        self.proxy.cut()
        pause, back = watched(host, guest)
        add_time("cut in a call", back, f"longest pause of the picture {pause:.2f} s")
        self.assertLess(pause, PAUSE)
        watch(host, guest)
        self.assertEqual(guest.statistics()["iceRestarts"], 0)

    def test_in_silence(self) -> None:
        """The page detects a half-open signaling connection as soon as an event indicates the loss."""
        host, guest = self.calling()
        self.proxy.hold()
        guest.tab.evaluate("dispatchEvent(new Event('online'))")
        pause, back = watched(host, guest)
        add_time("half open in a call, hinted at", back, f"longest pause of the picture {pause:.2f} s")
        self.assertLess(pause, PAUSE)
        guest.watch()

    def test_peer_in_a_call(self) -> None:
        """The peer resumes its signaling connection as well, and its report counts the resume."""
        host = self.open(self.daemon.port)
        session = host.host()
        server = f"ws://localhost:{self.proxy.port}/ws"
        peer = Program([SCRIPTS / "signald-peer", "join", session, *PICTURE, "--server", server, "--duration", "8"])
        self.addCleanup(peer.stop, signal.SIGKILL)
        host.wait_for("connected")
        until(lambda: frames(host) > 5, PATIENCE, "a picture")
        self.proxy.cut()
        self.assertLess(watched(host)[0], PAUSE)
        self.assertEqual(peer.wait(PATIENCE), 0, peer.stderr)
        report = json.loads(peer.stdout)
        self.assertEqual((report["flowed"], report["reconnects"]), (True, 1))


class ReloadTests(CallTestCase):
    """Tests of pages that are reloaded, opened twice, or opened again after the end of a call."""

    def call(self, name: str = "Chromium") -> tuple[CallPage, CallPage]:
        """Return a call with video on both pages."""
        host, guest = self.page(), self.page(name)
        guest.join(host.host())
        for page in (host, guest):
            page.wait_for("connected")
            until(lambda page: frames(page) > 5, PATIENCE, "a picture", page)
        return host, guest

    def reload(self, what: str, page: CallPage, other: CallPage) -> None:
        """Reload a page, and assert that the call continues without a click."""
        began = time.monotonic()
        page.tab.reload()
        page.wait_for("connected")
        until(lambda: frames(page) > 0, PATIENCE, "a picture")
        add_time(what, time.monotonic() - began, "to the first frame")
        watch(page, other)

    def test_a_guest_reloads(self) -> None:
        """A guest that reloads the page is in the same call again."""
        host, guest = self.call()
        self.reload("reload of a guest", guest, host)

    def test_a_host_reloads(self) -> None:
        """A host that reloads the page is in the same call again, with a guest in Firefox."""
        host, guest = self.call("Firefox")
        self.reload("reload of a host", host, guest)
        self.reload("reload of a guest, Firefox", guest, host)

    def test_two_tabs(self) -> None:
        """When a second tab takes over the identity, the first tab shows it, and does not reconnect."""
        host, guest = self.call()
        kept = guest.tab.evaluate("sessionStorage.getItem('signald.call')")
        second = self.page()
        second.tab.evaluate(f"sessionStorage.setItem('signald.call', {json.dumps(kept)})")
        second.tab.reload()
        second.wait_for("connected")
        guest.wait_for("failed")
        guest.wait_for_text("status", "another tab")
        second.watch()
        self.assertEqual((guest.state, second.state, host.state), ("failed", "connected", "connected"))

    def test_tomorrow(self) -> None:
        """The host's link opens an ended call again, and a guest who was early joins it."""
        host = self.page()
        session = host.host()
        host.tab.click("#hang-up")
        host.wait_for("ended")
        early = self.page(fragment=session)
        early.join()
        early.wait_for_text("status", "host is not here yet")
        host.tab.click("#again")
        host.wait_for("start")
        host.tab.click("#join")
        for page in (host, early):
            page.wait_for("connected")
        early.watch()
