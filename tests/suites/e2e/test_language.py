"""Tests the page in another language: a call in Arabic, and changes of the language."""

from __future__ import annotations

import time
from typing import Any

from tests.suites.e2e import report
from tests.suites.e2e.browsers import chromium
from tests.suites.e2e.call_page import PATIENCE, CallPage
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.chromium import GRANTED, ChromiumTab
from tests.suites.e2e.layout import PHONE, WIDE
from tests.suites.e2e.waiting import until

#: JavaScript that returns every text and label of the document, visible or not, that matches a pattern. Words that are
#: the same in every language, people's names, and names of devices, codecs and candidates are exempt.
FOUND = """(pattern => {{
    const found = [];
    const apart = /signald|ABC-DEFG-HJK|localhost|https|Chrome|Firefox|Edge|Safari|TURN|STUN|WebRTC|VP8|opus|host|UDP/g;
    const look = text => {{
        if (pattern.test(text.replace(apart, ''))) found.push(text.trim());
    }};
    const ids = '#session-id, #people-id, #session-input';
    const alike = `${{ids}}, [translate=no], noscript, script, kbd, .name, [id^=pick-] option`;
    const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) if (!walker.currentNode.parentElement.closest(alike)) look(walker.currentNode.nodeValue);
    for (const name of ['aria-label', 'placeholder', 'title', 'alt'])
        for (const element of document.querySelectorAll(`[${{name}}]`))
            if (!element.closest(alike)) look(element.getAttribute(name));
    return found;
}})(/{}/)"""

ENGLISH = FOUND.format("[A-Za-z]{3,}")
ARABIC = FOUND.format("[\\u0600-\\u06ff]")


class LanguageTests(CallTestCase):
    """Tests of the page in Arabic."""

    def arabic(self, fragment: str = "", **options: Any) -> CallPage:
        """Open the page in a browser whose preferred language is Arabic."""
        tab = chromium().tab(locale="ar", **options)
        self.addCleanup(tab.close)
        page = CallPage(tab)
        page.open(self.daemon.url + fragment)
        until(lambda: tab.evaluate("document.dir") == "rtl", PATIENCE, "Arabic")
        return page

    def check(self, page: CallPage, name: str) -> None:
        """Assert that a screen contains no English text, and save a screenshot."""
        report.add_picture(page.tab, f"arabic-{name}")
        self.assertEqual(page.tab.evaluate(ENGLISH), [], f"{name}: {page.state}")
        self.assertFalse(page.tab.evaluate("document.documentElement.scrollWidth > innerWidth"), name)

    def look(self, name: str, **options: Any) -> None:
        """Visit every screen as a host."""
        host = self.arabic(**options)
        self.assertEqual(host.tab.evaluate("document.documentElement.lang"), "ar")
        self.check(host, f"{name}-start")
        host.join("hello")
        host.wait_for_text("error", "المعرّف")
        self.check(host, f"{name}-problem")
        session = host.host()
        self.check(host, f"{name}-waiting")
        guest = self.arabic("#" + session, **options)
        self.check(guest, f"{name}-invited")
        guest.join()
        since = time.monotonic()
        for page in (host, guest):
            page.wait_for("connected")
            until(lambda page: page.look_for_picture(since), PATIENCE, "a picture", page)
        self.check(host, f"{name}-connected")
        host.watch()
        guest.tab.click("#hang-up")
        guest.wait_for("ended")
        self.check(guest, f"{name}-ended")
        host.wait_for("waiting")
        self.check(host, f"{name}-left")

    def test_wide(self) -> None:
        """A call in Arabic is laid out from right to left, and no screen contains English text."""
        self.look("wide", viewport=WIDE)

    def test_phone(self) -> None:
        """The call in Arabic also works on a phone with dark colours."""
        self.look("phone", viewport=PHONE, color_scheme="dark", is_mobile=True, has_touch=True)

    def test_shortcuts(self) -> None:
        """Parts of the page that are fetched on demand are translated too."""
        page = self.arabic(viewport=WIDE)
        page.tab.click("#shortcuts-button")
        until(lambda: page.shown("shortcuts"), PATIENCE, "the sheet")
        self.check(page, "wide-shortcuts")

    def test_choice(self) -> None:
        """A choice of language takes effect at once, can be reverted, and is remembered."""
        tab: ChromiumTab = chromium().tab(locale="en-GB", permissions=GRANTED)
        self.addCleanup(tab.close)
        page = CallPage(tab)
        fetched: list[str] = []
        tab.page.on("request", lambda request: fetched.append(request.url))
        page.open(self.daemon.url)
        until(lambda: tab.evaluate("document.getElementById('local-video').videoWidth"), PATIENCE, "the own picture")
        until(lambda: not tab.evaluate("document.getElementById('mute').disabled"), PATIENCE, "the microphone")
        before = tab.evaluate("document.body.innerText")
        self.assertEqual([url for url in fetched if "/ar." in url], [])
        tab.page.select_option("#language", "ar")
        until(lambda: tab.evaluate("document.dir") == "rtl", PATIENCE, "Arabic")
        self.assertEqual(tab.evaluate(ENGLISH), [])
        tab.page.select_option("#language", "en")
        until(lambda: tab.evaluate("document.dir") == "ltr", PATIENCE, "English")
        self.assertEqual(tab.evaluate(ARABIC), [])
        self.assertEqual(tab.evaluate("document.body.innerText"), before)
        tab.page.select_option("#language", "ar")
        until(lambda: tab.evaluate("document.dir") == "rtl", PATIENCE, "Arabic again")
        tab.reload()
        until(lambda: tab.evaluate("document.dir") == "rtl", PATIENCE, "Arabic after a reload")
        self.assertEqual(tab.evaluate("document.getElementById('language').value"), "ar")

    def test_firefox(self) -> None:
        """A choice takes effect in Firefox as well, and after a reload."""
        page = self.page("Firefox")
        page.tab.evaluate("document.getElementById('language').value = 'ar'")
        page.tab.evaluate("void document.getElementById('language').dispatchEvent(new Event('change'))")
        until(lambda: page.tab.evaluate("document.dir") == "rtl", PATIENCE, "Arabic")
        self.assertEqual(page.tab.evaluate(ENGLISH), [])
        page.tab.reload()
        until(lambda: page.tab.evaluate("document.dir") == "rtl", PATIENCE, "Arabic after a reload")
        page.host()
        self.assertEqual(page.tab.evaluate(ENGLISH), [])

    def test_between_calls(self) -> None:
        """After a change of language between calls, no text of the first language remains in any panel."""
        page, guest, third = self.page(), self.page(), self.page()
        guest.join(page.host())
        page.wait_for("connected")
        self.open_all(page)
        page.hang_up()
        page.wait_for("ended")
        page.tab.click("#again")
        page.wait_for("start")
        page.tab.evaluate("document.getElementById('language').value = 'ar'")
        page.tab.evaluate("document.getElementById('language').dispatchEvent(new Event('change'))")
        until(lambda: page.tab.evaluate("document.dir") == "rtl", PATIENCE, "Arabic")
        session = page.host()
        guest.wait_for("ended")
        for other in (guest, third):
            other.open(f"{self.daemon.url}?#{session}")
            other.join()
        tiles = "document.querySelectorAll('#remotes [data-user]').length"
        until(lambda: page.tab.evaluate(tiles) == 2, PATIENCE, "two others")
        self.open_all(page)
        self.check(page, "wide-three")

    def open_all(self, page: CallPage) -> None:
        """Open every panel and dialog of a call, and close it."""
        for name in ("chat-button", "people-button"):
            page.tab.click(f"#{name}")
            until(lambda: page.shown("side"), PATIENCE, "what lies beside the call")
            page.tab.click("#side-close")
        for name in ("open-settings", "open-verify", "open-statistics", "open-shortcuts"):
            page.tab.click("#more-button")
            page.tab.click(f"#{name}")
            until(lambda: page.tab.evaluate("Boolean(document.querySelector('dialog[open]'))"), PATIENCE, name)
            page.tab.evaluate("document.querySelector('dialog[open]').close()")
