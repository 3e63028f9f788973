"""Tests a page whose files do not arrive at first."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import CDPSession

from tests.suites.e2e.browsers import chromium
from tests.suites.e2e.call_page import PATIENCE, CallPage
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.screens import tab_of
from tests.suites.e2e.waiting import until

#: The files without which the page cannot start, as patterns of the DevTools protocol.
NEEDED = ("*/assets/micropython.*", "*/assets/bundle.*")

#: JavaScript that returns the languages of the visible offers to try again.
OFFER = (
    "[...document.querySelectorAll('#unloaded > div')].filter(part => part.checkVisibility()).map(part => part.lang)"
)

#: JavaScript after which no pause of half a second or more ends before the browser has a network again.
ENDLESS = """(delayed => {
    setTimeout = (action, delay) => delay < 500 ? delayed(action, delay) : 0;
    addEventListener('online', () => setTimeout = delayed);
})(setTimeout)"""


class LoadingTests(CallTestCase):
    """Tests in which the requests for the page's files fail."""

    def opened(self, *blocked: str, prepare: str = "", **options: Any) -> tuple[CallPage, CDPSession]:
        """Open the page in a tab in which these requests fail; `prepare` is JavaScript that runs before the page's."""
        tab = chromium().tab(**options)
        self.addCleanup(tab.close)
        tab.page.add_init_script(prepare)
        session = tab.context.new_cdp_session(tab.page)
        session.send("Network.enable")
        session.send("Network.setBlockedURLs", {"urls": list(blocked)})
        tab.open(f"{self.daemon.url}#ABC-DEFG-HJK")
        return CallPage(tab), session

    def unblock(self, session: CDPSession) -> None:
        """Let all requests through."""
        session.send("Network.setBlockedURLs", {"urls": []})

    def wait_for_offer(self, page: CallPage, language: str) -> None:
        """Wait until the page says, in one language, that it could not be loaded."""
        until(lambda: page.tab.evaluate(OFFER) == [language], PATIENCE, f"the offer, {page.tab.messages}")

    def works(self, page: CallPage) -> None:
        """Assert that the page starts, with the session of its address."""
        page.wait_for("start")
        self.assertFalse(page.shown("unloaded"))
        self.assertEqual(page.tab.evaluate("document.getElementById('session-input').value"), "ABC-DEFG-HJK")

    def test_for_a_moment(self) -> None:
        """Requests that fail for a moment are repeated, and the page starts by itself, whichever they are."""
        for blocked in (*NEEDED, "*/assets/micropython.*.mjs", "*/assets/style.*"):
            page, session = self.opened(blocked)
            if "style" not in blocked:
                until(lambda page: page.tab.evaluate("signald.log.length") > 0, PATIENCE, "a failed attempt", page)
            self.unblock(session)
            self.works(page)

    def test_a_network_that_comes_back(self) -> None:
        """The page waits no longer for its next attempt when the browser has a network again."""
        page, session = self.opened(*NEEDED, prepare=ENDLESS)
        until(lambda: page.tab.evaluate("signald.log.length") > 0, PATIENCE, "a failed attempt")
        self.unblock(session)
        page.tab.evaluate("void dispatchEvent(new Event('online'))")
        self.works(page)

    def test_for_longer(self) -> None:
        """The page says after some seconds that it could not be loaded, and loads when the person tries again."""
        page, session = self.opened(*NEEDED)
        self.wait_for_offer(page, "en")
        self.assertIn("could not be loaded", page.text("unloaded"))
        with tab_of(page).page.expect_navigation():
            page.tab.click("#unloaded [lang=en] button")
        self.wait_for_offer(page, "en")
        self.unblock(session)
        with tab_of(page).page.expect_navigation():
            page.tab.click("#unloaded [lang=en] button")
        self.works(page)

    def test_the_modules_of_calls(self) -> None:
        """The start screen does without the modules of calls; the page says if they cannot be fetched, and goes on."""
        page, session = self.opened("*/assets/call.*")
        page.wait_for("start")
        page.tab.click("header a")
        page.tab.click("#start")
        page.wait_for_text("error", "could not be fetched")
        page.wait_for("start")
        self.unblock(session)
        page.host()

    def test_without_a_press(self) -> None:
        """The page fetches the modules of calls by itself, so that a call can start when the server has other files."""
        page, session = self.opened()
        page.wait_for_calls()
        page.tab.click("header a")
        session.send("Network.setBlockedURLs", {"urls": ["*/assets/call.*"]})
        page.host()

    def test_in_another_language(self) -> None:
        """The offer is in the browser's language, and is accepted by itself when the network is back."""
        page, session = self.opened(*NEEDED, locale="ar-EG")
        self.wait_for_offer(page, "ar")
        self.unblock(session)
        with tab_of(page).page.expect_navigation():
            page.tab.evaluate("void dispatchEvent(new Event('online'))")
        self.works(page)
