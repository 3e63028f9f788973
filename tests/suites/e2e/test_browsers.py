"""Tests that the browsers support what the other tests need, on a page of this test."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from twisted.trial.unittest import SynchronousTestCase

from tests.suites.e2e.browser import Browser
from tests.suites.e2e.browsers import chromium, firefox
from tests.suites.e2e.waiting import until

PAGE = """<!doctype html><title>A page</title>
<div style="height: 3000px"></div>
<button id="button" onclick="document.title = 'clicked'">Click</button> <input id="input">
<script>console.log("a message")</script>
"""


class BrowserTests(SynchronousTestCase):
    """Tests of the browser features that the other tests need."""

    def check(self, browser: Browser) -> None:
        """A tab opens a page, evaluates values and promises, clicks and types, and saves a screenshot."""
        tab = browser.tab()
        self.addCleanup(tab.close)
        tab.open("data:text/html," + quote(PAGE))
        self.assertEqual(tab.evaluate("document.title"), "A page")
        self.assertEqual(tab.evaluate("Promise.resolve([1, {a: null}])"), [1, {"a": None}])
        tab.click("#button")
        self.assertEqual(tab.evaluate("document.title"), "clicked")
        tab.type("#input", "7Q2-m9rt")
        self.assertEqual(tab.evaluate("document.getElementById('input').value"), "7Q2-m9rt")
        picture = Path(self.mktemp())
        tab.screenshot(picture)
        self.assertTrue(picture.read_bytes().startswith(b"\x89PNG"))

        def message() -> bool:
            tab.evaluate("null")  # The browser delivers console events with its next response.
            return any("a message" in text for text in tab.messages)

        until(message, 5, "the console's message")

    def test_chromium(self) -> None:
        """Chromium supports these features through Playwright."""
        self.check(chromium())

    def test_firefox(self) -> None:
        """Firefox supports these features through WebDriver BiDi."""
        self.check(firefox())
