"""Tests how a host invites, and what an invited guest sees."""

from __future__ import annotations

from urllib.parse import unquote

from tests.suites.e2e.browsers import chromium
from tests.suites.e2e.call_page import PATIENCE, CallPage, watch
from tests.suites.e2e.caller import Caller
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.screens import tab_of
from tests.suites.e2e.waiting import until

#: JavaScript that keeps what the page shares in `shared`.
SHARE = "navigator.share = async data => { globalThis.shared = data; }"

#: JavaScript that keeps the file that the page saves in `saved`, and its name in `named`.
SAVE = """void (() => {
    URL.createObjectURL = blob => { blob.text().then(text => globalThis.saved = text); return "#"; };
    HTMLAnchorElement.prototype.click = function () { globalThis.named = this.download; };
})()"""

#: JavaScript that returns the link that the page shows.
LINK = "document.getElementById('link').value"

#: JavaScript that returns the ids of the visible fields and buttons of the start screen.
VISIBLE = """[...document.querySelectorAll('#start-screen :is(button, input, select, summary, a)')]
    .filter(element => element.checkVisibility()).map(element => element.id)"""


class HostTests(CallTestCase):
    """Tests of the host's ways to invite."""

    def test_the_link_comes_first(self) -> None:
        """The button that copies the link is the first and the largest of the invitation, and has the focus."""
        page = self.page()
        page.host()
        places = page.tab.evaluate("""[...document.querySelectorAll('#waiting-screen :is(button, a, input)')]
            .filter(element => element.checkVisibility())
            .map(element => [element.id, element.getBoundingClientRect()])
            .map(([id, {top, width, height}]) => [id, top, width * height])""")
        self.assertEqual(min(places, key=lambda place: place[1])[0], "copy")
        self.assertEqual(max(places, key=lambda place: place[2])[0], "copy")
        self.assertEqual(page.tab.evaluate("document.activeElement.id"), "copy")
        self.assertFalse(page.shown("send-link"))

    def test_share(self) -> None:
        """Where the browser can share, a button passes the link to the system."""
        tab = chromium().tab()
        self.addCleanup(tab.close)
        tab.page.add_init_script(SHARE)
        page = CallPage(tab)
        page.open(self.daemon.url)
        page.host()
        tab.click("#send-link")
        until(lambda: tab.evaluate("globalThis.shared?.url") == tab.evaluate(LINK), PATIENCE, "the shared link")

    def test_mail(self) -> None:
        """The link for mail begins a message that contains the invitation."""
        for name in ("Chromium", "Firefox"):
            page = self.page(name)
            page.host()
            href = "document.getElementById('mail-link').href"
            until(lambda page, href: page.tab.evaluate(href), PATIENCE, "the link", page, href)
            address = page.tab.evaluate(href)
            self.assertTrue(address.startswith("mailto:?subject="), address)
            self.assertIn(page.tab.evaluate(LINK), unquote(address))

    def test_calendar(self) -> None:
        """The page saves an invitation for calendars, with the link and the chosen time."""
        for name in ("Chromium", "Firefox"):
            page = self.page(name)
            page.host()
            page.tab.click("#open-calendar")
            until(lambda page: page.shown("calendar"), PATIENCE, "the dialog", page)
            begin = page.tab.evaluate("document.getElementById('calendar-begin').value")
            self.assertRegex(begin, r"^\d{4}-\d\d-\d\dT\d\d:00$")
            page.tab.evaluate(SAVE)
            page.tab.evaluate("void (document.getElementById('calendar-begin').value = '2030-01-02T03:04')")
            page.tab.evaluate("void (document.getElementById('calendar-minutes').value = '45')")
            page.tab.click("#calendar-form .main")
            until(lambda page: page.tab.evaluate("globalThis.saved ?? ''"), PATIENCE, "the file", page)
            text = page.tab.evaluate("saved").replace("\r\n ", "")
            utc = page.tab.evaluate("new Date('2030-01-02T03:04').toISOString()")
            self.assertIn(f"DTSTART:{utc[:4]}{utc[5:7]}{utc[8:10]}T{utc[11:13]}{utc[14:16]}00Z\r\n", text)
            self.assertIn("DURATION:PT45M\r\n", text)
            self.assertIn(f"URL:{page.tab.evaluate(LINK)}\r\n", text)
            self.assertEqual(page.tab.evaluate("named"), "call.ics")
            self.assertFalse(page.shown("calendar"))


class GuestTests(CallTestCase):
    """Tests of the screen of a person who was invited."""

    def test_who_invites(self) -> None:
        """A link names the host if the host wants so; the guest sees the name, and joins with one press."""
        host = self.page()
        host.tab.type("#name", "Ann & Bob")
        host.host()
        self.assertNotIn("from", host.tab.evaluate(LINK))
        host.tab.click("#name-inviter")
        until(lambda: "&from=Ann%20%26%20Bob" in host.tab.evaluate(LINK), PATIENCE, "the name in the link")
        guest = self.page("Firefox", fragment=host.tab.evaluate(LINK).partition("#")[2])
        guest.wait_for_text("inviter", "Ann & Bob invites you")
        guest.tab.click("#join")
        watch(host, guest)
        self.assertNotIn("from", guest.tab.evaluate("location.hash"))
        host.tab.click("#people-button")
        guest.tab.click("#hang-up")
        host.wait_for("waiting")
        host.tab.click("#name-inviter")
        until(lambda: "from" not in host.tab.evaluate(LINK), PATIENCE, "a link without the name")

    def test_nothing_else(self) -> None:
        """An invited guest sees the field for the name, Join, and the foot with language and privacy."""
        page = self.page(fragment="ABC-DEFG-HJK")
        self.assertEqual(page.tab.evaluate(VISIBLE), ["name", "join", "privacy", "language"])
        self.assertFalse(page.shown("inviter"))
        tab_of(page).page.click("header a")
        until(lambda: "start" in page.tab.evaluate(VISIBLE), PATIENCE, "the whole start screen")

    def test_a_wrong_id_can_be_corrected(self) -> None:
        """When the call of a link does not exist, the guest can correct the id."""
        page = self.page(fragment="000-0000-000")
        page.join()
        page.wait_for_text("error", "no call")
        self.assertTrue(page.shown("session-input"))

    def test_an_invented_name(self) -> None:
        """The name in a link is text, and is cleaned."""
        page = self.page(fragment="ABC-DEFG-HJK&from=%E2%80%AE%3Cb%3Eevil%3C%2Fb%3E%00")
        page.wait_for_text("inviter", "<b>evil</b> invites you")
        self.assertNotIn("\u202e", page.text("inviter"))
        self.assertEqual(page.tab.evaluate("document.querySelectorAll('#inviter b').length"), 0)

    def test_names_of_others(self) -> None:
        """A name that another program sends is shown without what turns or hides it."""
        page = self.page()
        session = page.host()
        caller = Caller(self.daemon.signaling_url, str(self.daemon.authority))
        self.addCleanup(caller.socket.close)
        caller.send("join", session=session, name="\u202e Zoë 👩\u200d🚀 محمد\u200b")
        page.wait_for("calling")
        name = "document.querySelector('#remotes .name').textContent"
        until(lambda: page.tab.evaluate(name) == "Zoë 👩\u200d🚀 محمد", PATIENCE, "the name")
