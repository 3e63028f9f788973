"""Tests the verification code between two pages, with an honest server and with hostile servers."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from tests.suites.e2e import report
from tests.suites.e2e.browsers import browser
from tests.suites.e2e.call_page import PATIENCE, CallPage
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.daemon import Daemon
from tests.suites.e2e.program import Program
from tests.suites.e2e.proxy import Proxy
from tests.suites.e2e.screens import tab_of
from tests.suites.e2e.turn import TurnServer
from tests.suites.e2e.waiting import until

#: The root of the checkout, from which the hostile server is run.
ROOT = Path(__file__).parents[3]

#: JavaScript that returns the state of the shield beside the only other member's name, and the words of the code.
SHIELD = "document.querySelector('.remote:has([data-user]) .trust')"
LABEL = f"{SHIELD}.getAttribute('aria-label')"
WORDS = "[...document.querySelectorAll('#verify-code li')].map(item => item.lastChild.textContent)"
OPEN = "document.getElementById('verify').open"


class SheetPage(CallPage):
    """A call page with functions that read the verification dialog."""

    def wait_for_label(self, text: str) -> None:
        """Wait until the shield beside the other member's name has this label."""
        until(lambda: text in (self.tab.evaluate(LABEL) or ""), PATIENCE, f"a shield that says “{text}”")

    def open_sheet(self) -> None:
        """Press the shield."""
        self.tab.click(".remote:has([data-user]) .trust")
        until(lambda: self.tab.evaluate(OPEN), PATIENCE, "the sheet")

    def close_sheet(self) -> None:
        """Press the dialog's close button."""
        self.tab.click("#verify form button")
        until(lambda: not self.tab.evaluate(OPEN), PATIENCE, "the sheet to close")

    def code(self) -> list[str]:
        """Wait for the code, and return its words."""
        self.wait_for_label("compare")
        self.open_sheet()
        words: list[str] = until(lambda: self.tab.evaluate(WORDS), PATIENCE, "a code")
        assert len(words) == 7, words
        return words

    def listed(self, count: int) -> list[list[str]] | None:
        """Return user and name of the members in the dialog's choice, if there are so many."""
        options = "[...document.getElementById('verify-who').options].map(option => [option.value, option.text])"
        found: list[list[str]] = self.tab.evaluate(options)
        return found if len(found) == count else None

    def choose(self, user: str) -> None:
        """Choose another member in the dialog."""
        self.tab.evaluate(
            f"(who => {{ who.value = '{user}'; who.dispatchEvent(new Event('change')); }})"
            "(document.getElementById('verify-who'))"
        )

    def not_verified(self, reason: str) -> None:
        """Wait until the page shows that it cannot verify, and the reason."""
        self.wait_for_label("not verified")
        self.open_sheet()
        self.wait_for_text("verify-status", "Not verified")
        self.wait_for_text("verify-status", reason)
        assert not self.shown("verify-code"), "there is a code"
        assert not self.shown("verify-match"), "it can be confirmed"


class VerificationCase(CallTestCase):
    """A test case with calls in Chromium, or in two browsers."""

    def sheet_page(self, url: str, name: str = "Chromium") -> SheetPage:
        """Open the page at an address."""
        tab = browser(name).tab()
        self.addCleanup(tab.close)
        page = SheetPage(tab)
        page.open(url)
        return page

    def call(self, url: str, guest_url: str = "", guest_name: str = "Chromium") -> tuple[SheetPage, SheetPage]:
        """Return host and guest of a call."""
        host, guest = self.sheet_page(url), self.sheet_page(guest_url or url, guest_name)
        guest.join(host.host())
        for page in (host, guest):
            page.wait_for("connected")
        return host, guest


#: JavaScript that returns whether the offer lies within the window, above all pictures, and beside the clock.
APART = """(() => {
    const box = selector => document.querySelector(selector).getBoundingClientRect();
    const offer = box('#verify-offer');
    return offer.left >= 0 && offer.right <= innerWidth && offer.left >= box('#clock').right
        && offer.bottom <= Math.min(box('#remotes .remote').top, box('#self').top);
})()"""


class OfferTests(VerificationCase):
    """Tests of the offer to verify a connection."""

    def check(self, guest_name: str) -> None:
        """Let one person take the offer, and the other one decline it."""
        host, guest = self.call(self.daemon.url, guest_name=guest_name)
        for page in (host, guest):
            page.wait_for_text("verify-offer-text", "Compare seven pictures")
        guest.tab.click("#verify-later")
        until(lambda: not guest.shown("verify-now"), PATIENCE, "no offer")
        self.assertEqual(guest.text("verify-offer-text"), "")
        self.assertEqual(guest.tab.evaluate("document.activeElement.id"), "stage")
        host.tab.click("#verify-now")
        until(lambda: host.tab.evaluate(OPEN), PATIENCE, "the sheet")
        until(lambda: len(host.tab.evaluate(WORDS)) == 7, PATIENCE, "a code")
        self.assertFalse(host.shown("verify-now"))
        host.close_sheet()
        until(lambda: host.tab.evaluate("document.activeElement.id") == "stage", PATIENCE, "the focus on the stage")
        for page in (host, guest):
            page.tab.reload()
            page.wait_for("connected")
            page.wait_for_label("compare")
            self.assertFalse(page.shown("verify-now"))

    def test_covers_nothing(self) -> None:
        """The offer lies above the pictures on every window, and gives way to the status line."""
        host, _ = self.call(self.daemon.url)
        tab = tab_of(host)
        until(lambda: host.shown("verify-now"), PATIENCE, "the offer")
        for width, height in ((1920, 1080), (1280, 800), (844, 390), (390, 844), (320, 568)):
            tab.page.set_viewport_size({"width": width, "height": height})
            until(lambda: tab.evaluate(APART), PATIENCE, f"an offer that covers nothing at {width} px")
            report.add_picture(tab, f"verify-offer-{width}")
        tab.click("#share")
        host.wait_for_text("status", "showing your screen")
        until(lambda: not host.shown("verify-now"), PATIENCE, "no offer")
        tab.click("#share")
        until(lambda: host.shown("verify-now"), PATIENCE, "the offer again")

    def test_chromium(self) -> None:
        """The offer appears after the first connection, once, whether it is taken or declined."""
        self.check("Chromium")

    def test_firefox(self) -> None:
        """The offer appears and goes in Firefox as well."""
        self.check("Firefox")

    def test_pictures(self) -> None:
        """The symbols are pictures of the server, drawn without a font for emoji."""
        host, guest = self.call(self.daemon.url, guest_name="Firefox")
        for page in (host, guest):
            page.code()
            drawn = """[...document.querySelectorAll('#verify-code use')]
                .filter(use => use.href.baseVal.startsWith('./assets/code-symbols'))
                .filter(use => use.getBBox().width > 10).length"""
            until(lambda page, drawn: page.tab.evaluate(drawn) == 7, PATIENCE, "seven pictures", page, drawn)
            text = page.tab.evaluate("document.getElementById('verify-code').textContent")
            self.assertTrue(text.isascii(), text)


class HonestTests(VerificationCase):
    """Tests with a server that forwards messages unchanged."""

    def test_one_code(self) -> None:
        """Both pages show the same seven words; the person's confirmation is shown beside the name."""
        host, guest = self.call(self.daemon.url)
        self.assertEqual(host.code(), guest.code())
        report.add_picture(host.tab, "verify-code")
        for page in (host, guest):
            page.wait_for_text("verify-path", "direct")
        host.tab.click("#verify-match")
        host.wait_for_text("verify-status", "nobody is between")
        guest.tab.click("#verify-differ")
        guest.wait_for_text("verify-status", "The codes differ")
        report.add_picture(guest.tab, "verify-differ")
        host.close_sheet()
        guest.close_sheet()
        host.wait_for_label("verified")
        guest.wait_for_label("differ")

    def test_firefox(self) -> None:
        """Browsers that write session descriptions differently compute the same code."""
        host, guest = self.call(self.daemon.url, guest_name="Firefox")
        self.assertEqual(host.code(), guest.code())

    def test_a_connection_that_begins_anew(self) -> None:
        """A reload creates a new peer connection, which voids the confirmation with a notice, and has a new code."""
        host, guest = self.call(self.daemon.url)
        before = host.code()
        host.tab.click("#verify-match")
        host.close_sheet()
        host.wait_for_label(": verified")
        guest.tab.reload()
        guest.wait_for("connected")
        host.wait_for_label("compare")
        host.wait_for_text("status", "began anew")
        after = host.code()
        self.assertNotEqual(before, after)
        self.assertEqual(after, guest.code())

    def test_an_ice_restart(self) -> None:
        """An ICE restart changes the paths of the same peer connection, which stays verified."""
        daemon = Daemon(self.directory / "plain", "--no-tls")
        self.addCleanup(daemon.stop)
        proxy = Proxy(daemon.port)
        self.addCleanup(proxy.close)
        host, guest = self.call(f"http://localhost:{daemon.port}/", f"http://localhost:{proxy.port}/")
        self.assertEqual(host.code(), guest.code())
        for page in (host, guest):
            page.tab.click("#verify-match")
            page.close_sheet()
        guest.tab.evaluate("dispatchEvent(new Event('online'))")
        proxy.cut()
        until(lambda: guest.statistics()["iceRestarts"] > 0, PATIENCE, "new paths")
        guest.watch()
        for page in (host, guest):
            page.wait_for_label(": verified")

    def test_a_program_without_a_code(self) -> None:
        """A member whose program has no verification code is shown as one that cannot be verified."""
        host = self.sheet_page(self.daemon.url)
        self.peer("join", host.host(), "--duration", "60")
        host.wait_for("connected")
        host.wait_for_label("cannot be verified")
        host.open_sheet()
        host.wait_for_text("verify-status", "has no code")

    def test_three(self) -> None:
        """Each pair of members has a separate code, and the dialog offers a choice of members."""
        pages = [self.sheet_page(self.daemon.url) for _ in range(3)]
        for page, name in zip(pages, ("Ann", "Bob", "Cat"), strict=True):
            page.tab.type("#name", name)
        session = pages[0].host()
        for page in pages[1:]:
            page.join(session)
            page.wait_for("connected")
        codes: dict[frozenset[str], set[tuple[str, ...]]] = {}
        for page, name in zip(pages, ("Ann", "Bob", "Cat"), strict=True):
            page.tab.click("#more-button")
            page.tab.click("#open-verify")
            people = until(lambda page: page.listed(2), PATIENCE, "two others", page)
            for user, other in people:
                page.choose(user)
                page.wait_for_text("verify-status", other)
                words = until(lambda page: page.tab.evaluate(WORDS), PATIENCE, "a code", page)
                codes.setdefault(frozenset((name, other)), set()).add(tuple(words))
        report.add_picture(pages[0].tab, "verify-three")
        self.assertEqual([len(found) for found in codes.values()], [1, 1, 1])
        self.assertEqual(len(set.union(*codes.values())), 3)

    def test_relayed(self) -> None:
        """A person who hides their address is connected through the TURN server only, and both pages show it."""
        turn = TurnServer()
        self.addCleanup(turn.stop)
        daemon = Daemon(self.directory / "turn", *turn.options)
        self.addCleanup(daemon.stop)
        host, guest = self.sheet_page(daemon.url), self.sheet_page(daemon.url)
        guest.tab.click("#privacy")
        until(lambda: guest.tab.evaluate(OPEN), PATIENCE, "the sheet")
        guest.tab.click("#relay-only")
        guest.close_sheet()
        guest.join(host.host())
        for page in (host, guest):
            page.wait_for("connected")
            page.code()
            page.wait_for_text("verify-path", "relayed")
        self.assertEqual(guest.statistics()["selectedPair"]["local"], "relay")

    def test_hidden_address(self) -> None:
        """Hiding the address without a TURN server fails with the reason; the choice is stored and can be changed."""
        page = self.sheet_page(self.daemon.url)
        page.tab.click("#privacy")
        until(lambda: page.tab.evaluate(OPEN), PATIENCE, "the sheet")
        self.assertFalse(page.shown("verify-person"))
        page.tab.click("#relay-only")
        page.tab.reload()
        page.wait_for("start")
        host = self.sheet_page(self.daemon.url)
        page.join(host.host())
        page.wait_for("failed")
        page.wait_for_text("error", "hide your address")
        page.tab.click("#home")
        page.wait_for("start")
        page.tab.click("#privacy")
        until(lambda: page.tab.evaluate("document.getElementById('relay-only').checked"), PATIENCE, "the switch")
        page.tab.click("#relay-only")
        page.close_sheet()
        page.join()
        page.wait_for("connected")


class HostileTests(VerificationCase):
    """Tests with a server that terminates both peer connections itself, and gives each page its own key."""

    #: The options of the honest server, to which the hostile server connects and as which it poses.
    options = ("--no-tls",)

    def attacked(self, conduct: str) -> tuple[SheetPage, SheetPage]:
        """Return two pages whose peer connections end at the hostile server."""
        command = [sys.executable, "-m", "tests.suites.e2e.hostile_server", str(self.daemon.port), conduct]
        hostile = Program(command, directory=ROOT)
        self.addCleanup(hostile.stop, signal.SIGKILL)
        port = hostile.wait_for(r"listening (\d+)", PATIENCE)[1]
        return self.call(f"http://localhost:{port}/")

    def test_forwarded(self) -> None:
        """The exchange passes through unchanged, and the pages show different codes."""
        host, guest = self.attacked("forward")
        self.assertNotEqual(host.code(), guest.code())

    def test_own_numbers(self) -> None:
        """The attacker takes part in both exchanges, and the pages show different codes."""
        host, guest = self.attacked("own-numbers")
        self.assertNotEqual(host.code(), guest.code())

    def test_reflected(self) -> None:
        """A server that reflects a page's own commitment yields no code."""
        for page in self.attacked("reflect"):
            page.not_verified("Your own message came back")

    def test_early_reveal(self) -> None:
        """A server that reveals its number before it commits yields no code."""
        for page in self.attacked("early-reveal"):
            page.not_verified("did not keep to the order")
        report.add_picture(page.tab, "verify-refused")

    def test_mismatch(self) -> None:
        """A server that reveals a number other than the committed one yields no code."""
        for page in self.attacked("mismatch"):
            page.not_verified("something else than it had committed to")

    def test_late_key(self) -> None:
        """If the server replaces a key in a verified call, the page detects it and shows it at once."""
        host, guest = self.attacked("late-key")
        self.assertEqual(host.code(), guest.code())
        for page in (host, guest):
            page.tab.click("#verify-match")
            page.close_sheet()
            page.wait_for_label(": verified")
        guest.tab.click("#share")
        host.wait_for_text("error", "not verified any more")
        host.not_verified("another one than at its beginning")

    def test_unknown_keys(self) -> None:
        """Keys that neither page nor server knows change nothing in a call, at whatever level of a message they are."""
        host, guest = self.attacked("unknown-keys")
        self.assertEqual(host.code(), guest.code())
        for page in (host, guest):
            page.wait_for_text("verify-path", "direct")

    def test_no_hello(self) -> None:
        """If a server hides that the pages support codes, the pages show each other as not verifiable."""
        for page in self.attacked("dumb"):
            page.wait_for_label("cannot be verified")
