"""Calls between each pair of clients; a call counts only while picture and sound go both ways."""

from __future__ import annotations

import time

from tests.e2e.call_page import PATIENCE, CallPage
from tests.e2e.case import CallTestCase
from tests.e2e.report import add_call
from tests.e2e.waiting import until


class BrowserCallTests(CallTestCase):
    """Calls between browsers. The guest is the one that offers."""

    def check(self, host_name: str, guest_name: str) -> None:
        """Make a call, watch it on both sides, and end it."""
        host, guest = self.page(host_name), self.page(guest_name)
        session = host.host()
        guest.join(session)
        pressed = time.monotonic()
        pages: list[CallPage] = [host, guest]

        def both() -> bool:
            seen = [page.look_for_picture(pressed) for page in pages]
            return all(seen)

        until(both, PATIENCE, "a picture on both sides")
        at_host, at_guest = host.watch(), guest.watch()
        add_call(host_name, guest_name, at_host, at_guest)
        guest.tab.click("#hang-up")
        guest.wait_for("ended")
        host.wait_for("waiting")
        for page in pages:
            self.assertEqual([text for text in page.tab.messages if text.startswith(("error", "uncaught"))], [])

    def test_chromium_chromium(self) -> None:
        """Chromium calls Chromium."""
        self.check("Chromium", "Chromium")

    def test_chromium_firefox(self) -> None:
        """Firefox calls Chromium."""
        self.check("Chromium", "Firefox")

    def test_firefox_chromium(self) -> None:
        """Chromium calls Firefox."""
        self.check("Firefox", "Chromium")

    def test_firefox_firefox(self) -> None:
        """Firefox calls Firefox."""
        self.check("Firefox", "Firefox")
