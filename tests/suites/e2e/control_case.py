"""A test case with an X server whose screen `signald-peer` shares, and with pages that control it."""

from __future__ import annotations

import signal
from typing import Any

from tests.suites.e2e.browsers import browser
from tests.suites.e2e.call_page import PATIENCE
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.screen_peer import ScreenPeer, ViewerPage
from tests.suites.e2e.waiting import until
from tests.support.x_display import Recorder, XDisplay


class ControlCase(CallTestCase):
    """A test case with an X server."""

    def setUp(self) -> None:
        """Start the X server."""
        super().setUp()
        self.display = XDisplay()
        self.addCleanup(self.display.close)

    def screen(self, *options: str) -> ScreenPeer:
        """Share the screen of the X server."""
        peer = ScreenPeer(self.daemon, self.display.name, *options)
        self.addCleanup(peer.program.stop, signal.SIGKILL)
        return peer

    def recorder(self) -> Recorder:
        """Record what arrives at the X server."""
        recorder = self.display.recorder()
        self.addCleanup(recorder.close)
        return recorder

    def viewer(self, session: str, user: str = "Ada", *, script: str = "", name: str = "Chromium") -> ViewerPage:
        """Join with a call page, which is offered control."""
        tab: Any = browser(name).tab()
        self.addCleanup(tab.close)
        page = ViewerPage(tab)
        page.open(self.daemon.url)
        if script:
            tab.evaluate(script)
        tab.type("#name", user)
        page.join(session)
        page.wait_for_offer()
        return page

    def controlled(self, *options: str, script: str = "") -> tuple[ScreenPeer, ViewerPage]:
        """Return a shared screen, and a page that controls it."""
        peer = self.screen("--control", "ask", "--unverified", *options)
        page = self.viewer(peer.session(), script=script)
        page.ask()
        page.wait_for_status("Waiting")
        peer.answer("yes")
        page.wait_for_status("You control")
        return peer, page

    def until_pressed(self, *names: str) -> None:
        """Wait until exactly these keys and buttons are pressed."""
        until(lambda: sorted(self.display.pressed()) == sorted(names), PATIENCE, f"{names} pressed")
