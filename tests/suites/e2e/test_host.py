"""Tests the host's controls: admission, members, and the end of a call."""

from __future__ import annotations

import json

from tests.suites.e2e import report
from tests.suites.e2e.browsers import chromium
from tests.suites.e2e.call_page import PATIENCE, SILENCE, CallPage
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.chromium import ChromiumTab
from tests.suites.e2e.layout import PHONE, WIDE
from tests.suites.e2e.waiting import until

#: The positions of a member's buttons in the host's list.
MUTE, MAKE_HOST, REMOVE = 1, 2, 3


def person(page: CallPage, place: int, action: int) -> None:
    """As the host, press a button of a member; members are counted from 1, which is the host."""
    page.people()
    page.tab.click(f"#people li:nth-child({place}) > button")
    page.tab.click(f"#people li:nth-child({place}) .actions button:nth-child({action})")


def named(page: CallPage, name: str) -> CallPage:
    """Open a page, and type the person's name."""
    page.tab.type("#name", name)
    return page


def on(page: CallPage, switch: str) -> bool:
    """Return whether a switch is on."""
    return bool(page.tab.evaluate(f"document.getElementById('{switch}').getAttribute('aria-checked')") == "true")


def turn(page: CallPage, switch: str) -> None:
    """Toggle a switch, and wait until the server has confirmed the change."""
    page.people()
    before = on(page, switch)
    page.tab.click(f"#{switch}")
    until(lambda: on(page, switch) is not before, PATIENCE, f"{switch} to be turned over")


class HostTestCase(CallTestCase):
    """A test case with Ann, the host, and Bob, in a call with each other."""

    def meet(self, host: str = "Chromium", guest: str = "Chromium") -> tuple[CallPage, CallPage]:
        """Let Ann start a call, and let Bob join."""
        ann, bob = named(self.page(host), "Ann"), named(self.page(guest), "Bob")
        bob.join(ann.host())
        for page in (ann, bob):
            page.wait_for("connected")
        return ann, bob

    def session(self, page: CallPage) -> str:
        """Return the session id of a page's call."""
        session: str = page.tab.evaluate("location.hash.slice(1)")
        return session

    def third(self, session: str, name: str = "Cat") -> CallPage:
        """Open the page of a third person who joins the session."""
        page = named(self.page(), name)
        page.join(session)
        return page

    def rows(self, page: CallPage) -> str:
        """Return the text of the list of people."""
        page.people()
        return page.text("people")


class DoorTests(HostTestCase):
    """Tests of the host's control over admission."""

    def test_lock(self) -> None:
        """Everybody can invite; a locked call refuses a third person, and all members see the lock."""
        ann, bob = self.meet()
        session = self.session(ann)
        for page in (ann, bob):
            page.people()
            self.assertEqual(page.text("people-id").replace("-", ""), session)
            self.assertIn(f"#{session}", page.tab.evaluate("document.getElementById('people-link').value"))
        turn(ann, "lock")
        bob.wait_for_text("status", "locked")
        bob.people()
        bob.wait_for_text("door", "locked")
        self.assertFalse(bob.shown("door-tools"))
        self.assertFalse(bob.shown("people-invite"))
        self.assertIn("Ann", self.rows(bob))
        cat = self.third(session)
        cat.wait_for_text("error", "locked")
        cat.wait_for("start")
        turn(ann, "lock")
        cat.join()
        for page in (ann, bob, cat):
            page.wait_for("connected")
        until(lambda: "Cat" in self.rows(bob), PATIENCE, "Cat in Bob's list")

    def test_lobby(self) -> None:
        """With a lobby each joining person waits, the host sees a badge, and the host admits or refuses the person."""
        ann, bob = self.meet()
        turn(ann, "lobby")
        bob.people()
        bob.wait_for_text("door", "lets in each")
        ann.close_side()
        cat, dan = self.third(self.session(ann)), self.third(self.session(ann), "Dan")
        for page in (cat, dan):
            page.wait_for_text("status", "Waiting to be let in")
        ann.wait_for_text("knocks", "Cat wants to join")
        ann.wait_for_text("knocks", "Dan wants to join")
        ann.wait_for_text("people-badge", "2")
        self.assertIn("Cat wants to join", ann.text("knock-news"))
        report.add_picture(ann.tab, "knocks-in-a-call")
        ann.people()
        until(
            lambda: ann.tab.evaluate("document.getElementById('side').contains(document.getElementById('knocks'))"),
            PATIENCE,
            "the knocks beside the call",
        )
        for name, button in (("Cat", 1), ("Dan", 2)):
            place = ann.tab.evaluate(
                f"[...document.querySelectorAll('#knocks li')].findIndex(row => row.textContent.includes('{name}')) + 1"
            )
            ann.tab.click(f"#knocks li:nth-child({place}) button:nth-of-type({button})")
            until(lambda name: name not in ann.text("knocks"), PATIENCE, f"{name} to wait no longer", name)
        cat.wait_for("connected")
        dan.wait_for_text("error", "did not let you in")
        until(lambda: not ann.shown("knocks") and not ann.shown("people-badge"), PATIENCE, "nobody to knock")

    def test_options(self) -> None:
        """A new call can have a password, which the host can read, and a lobby; a later call keeps both settings."""
        ann = self.page()
        ann.tab.click("#options summary")
        ann.tab.type("#new-password", "sesame 🔑")
        ann.tab.click("#new-lobby")
        session = ann.host()
        ann.wait_for_text("tell-password", "sesame 🔑")
        bob = self.third(session, "Bob")
        bob.wait_for_text("error", "has a password")
        bob.tab.type("#password", "sesame 🔑")
        bob.join()
        ann.wait_for_text("knocks", "Bob wants to join")
        ann.tab.click("#knocks button")
        bob.wait_for("connected")
        ann.tab.reload()
        ann.wait_for("connected")
        ann.people()
        ann.wait_for_text("people-password", "sesame 🔑")
        self.assertTrue(on(ann, "lobby"))
        bob.people()
        self.assertFalse(bob.shown("people-password"))
        ann.hang_up()
        for page in (ann, bob):
            page.wait_for("ended")
            page.tab.click("#again")
            page.wait_for("start")
        ann.tab.click("#join")
        ann.wait_for("waiting")
        bob.join()
        bob.wait_for_text("error", "has a password")
        # The field still contains the password that was typed before.
        bob.join()
        ann.wait_for_text("knocks", "Bob wants to join")


class PeopleTests(HostTestCase):
    """Tests of removing, muting and promoting members."""

    def remove(self, host: str, guest: str) -> None:
        """Remove Bob after a confirmation; Cat stays in the call."""
        ann, bob = self.meet(host, guest)
        cat = self.third(self.session(ann))
        ann.wait_for_people(3)
        person(ann, 2, REMOVE)
        ann.wait_for_text("confirm-heading", "Remove Bob")
        self.assertEqual(ann.tab.evaluate("document.activeElement.id"), "confirm-no")
        ann.tab.click("#confirm-no")
        until(lambda: not ann.shown("confirm"), PATIENCE, "no question")
        ann.wait_for_people(3)
        person(ann, 2, REMOVE)
        ann.tab.click("#confirm-yes")
        bob.wait_for("ended")
        bob.wait_for_text("status", "removed you")
        for page in (ann, cat):
            page.wait_for_people(2)
            self.assertNotIn("Bob", self.rows(page))
            page.wait_for("connected")

    def test_remove(self) -> None:
        """The host has to confirm the removal; the removed member reads the reason, and the other members stay."""
        self.remove("Chromium", "Chromium")

    def test_remove_and_lock(self) -> None:
        """The host removes a member and locks the call with one press, and the member cannot come back."""
        ann, bob = self.meet()
        session = self.session(ann)
        person(ann, 2, REMOVE)
        ann.tab.click("#confirm-lock")
        bob.wait_for("ended")
        bob.wait_for_text("status", "removed you")
        self.assertFalse(bob.shown("rejoin"))
        until(lambda: on(ann, "lock"), PATIENCE, "the lock")
        self.third(session).wait_for_text("error", "locked")

    def test_remove_firefox(self) -> None:
        """The host removes a member with a confirmation in Firefox."""
        self.remove("Firefox", "Chromium")

    def test_mute(self) -> None:
        """The host can mute one member or all, who see the reason, but the host cannot unmute them."""
        ann, bob = self.meet()
        ann.rises("audioEnergy", SILENCE)
        self.wait_for_devices(ann, 2, "Microphone on")
        person(ann, 2, MUTE)
        bob.wait_for_text("status", "asked for silence")
        self.assertEqual(bob.tab.evaluate("document.getElementById('mute').dataset.on"), "false")
        self.wait_for_devices(ann, 2, "Muted")
        ann.still("audioEnergy", SILENCE)
        self.assertFalse(
            ann.tab.evaluate("document.querySelector('#people li:nth-child(2) .actions button').checkVisibility()")
        )
        bob.tab.click("#mute")
        self.wait_for_devices(ann, 2, "Microphone on")
        cat = self.third(self.session(ann))
        self.wait_for_devices(ann, 3, "Microphone on")
        ann.tab.click("#mute-all")
        cat.wait_for_text("status", "asked for silence")
        for place in (2, 3):
            self.wait_for_devices(ann, place, "Muted")
        self.wait_for_devices(ann, 1, "Microphone on")
        self.assertEqual(ann.tab.evaluate("document.getElementById('mute-all').ariaDisabled"), "true")

    def wait_for_devices(self, page: CallPage, place: int, words: str) -> None:
        """Wait until a member's row shows this state of microphone or camera."""
        page.people()
        icons = f"[...document.querySelectorAll('#people li:nth-child({place}) .device:not([hidden])')]"
        until(
            lambda: words in page.tab.evaluate(icons + ".map(icon => icon.ariaLabel).join()"),
            PATIENCE,
            f"row {place} to say “{words}”",
        )

    def test_hand_over(self) -> None:
        """The other member becomes the host with all controls of a host; the first host becomes a guest."""
        ann, bob = self.meet()
        self.assertFalse(bob.shown("door-tools"))
        person(ann, 2, MAKE_HOST)
        ann.wait_for_text("confirm-heading", "Make Bob the host")
        ann.tab.click("#confirm-yes")
        bob.wait_for_text("status", "You are the host now")
        ann.wait_for_text("status", "Bob is the host now")
        bob.people()
        self.assertTrue(bob.shown("door-tools"))
        self.assertFalse(ann.shown("door-tools"))
        turn(bob, "lock")
        ann.wait_for_text("door", "locked")
        person(bob, 2, REMOVE)
        bob.tab.click("#confirm-yes")
        ann.wait_for("ended")
        ann.wait_for_text("status", "removed you")

    def test_host_no_more(self) -> None:
        """When a host loses the role while a confirmation is open, the confirmation closes."""
        ann, bob = self.meet()
        person(ann, 2, REMOVE)
        ann.wait_for_text("confirm-heading", "Remove Bob")
        # Ann opens the call in a second browser with the same host key, which takes the host role from her first page.
        keys = ann.tab.evaluate("localStorage.getItem('signald.host-keys')")
        second = self.page()
        second.tab.evaluate(f"localStorage.setItem('signald.host-keys', {json.dumps(keys)})")
        second.join(self.session(ann))
        ann.wait_for("ended")
        self.assertFalse(ann.shown("confirm"))
        for page in (bob, second):
            page.wait_for("connected")
        second.people()
        self.assertTrue(second.shown("door-tools"))


class EndTests(HostTestCase):
    """Tests of the host's choice to leave the call or to end it."""

    def sees(self, page: CallPage) -> int:
        """Return the number of members whose video the page decodes."""
        return sum(figures["framesDecoded"] > 0 for figures in page.statistics_of_all().values())

    def leave(self, host: str, guest: str) -> None:
        """Leave the call to Bob as the new host, who continues the call."""
        ann, bob = self.meet(host, guest)
        cat = self.third(self.session(ann))
        cat.wait_for("connected")
        ann.wait_for_people(3)
        # A later notification about a joining member would replace the notification about the host who left.
        for page in (ann, bob, cat):
            until(lambda page: self.sees(page) == 2, 2 * PATIENCE, "pictures of both others", page)
        ann.tab.click("#hang-up")
        ann.wait_for_text("confirm-yes", "make Bob the host")
        self.assertTrue(ann.shown("heir-row"))
        ann.tab.click("#confirm-yes")
        ann.wait_for("ended")
        ann.wait_for_text("status", "Bob is the host now")
        bob.wait_for_text("status", "other person left")
        bob.people()
        self.assertTrue(bob.shown("door-tools"))
        for page in (bob, cat):
            self.assertEqual(page.state, "connected")

    def test_leave(self) -> None:
        """The host promotes another member and leaves; the call continues."""
        self.leave("Chromium", "Chromium")

    def test_leave_firefox(self) -> None:
        """The host promotes another member and leaves in Firefox."""
        self.leave("Firefox", "Chromium")

    def test_end(self) -> None:
        """The host ends the call for all members, or cancels and stays."""
        ann, bob = self.meet()
        ann.tab.click("#hang-up")
        ann.wait_for_text("confirm-heading", "Leave the call")
        ann.tab.click("#confirm-no")
        self.assertEqual(ann.state, "connected")
        ann.people()
        ann.tab.click("#end-all")
        ann.wait_for_text("confirm-heading", "End the call for all")
        ann.tab.click("#confirm-yes")
        bob.wait_for("ended")
        bob.wait_for_text("status", "ended the call for all")
        ann.wait_for_text("status", "You ended the call")

    def test_alone(self) -> None:
        """A confirmation closes when its member leaves, and a host who is alone leaves without a confirmation."""
        ann, bob = self.meet()
        person(ann, 2, REMOVE)
        ann.wait_for_text("confirm-heading", "Remove Bob")
        bob.tab.click("#hang-up")
        bob.wait_for("ended")
        ann.wait_for("waiting")
        until(lambda: not ann.shown("confirm"), PATIENCE, "no question")
        ann.tab.click("#hang-up")
        ann.wait_for("ended")


class LookTests(HostTestCase):
    """Tests of the layout of people panel and confirmation; the screenshots are for people to review."""

    def test_screens(self) -> None:
        """No element is cut off on a desktop and on a phone."""
        tab = chromium().tab(viewport=PHONE)
        self.addCleanup(tab.close)
        ann = CallPage(tab)
        ann.open(self.daemon.url)
        ann.tab.type("#name", "Ann")
        ann.tab.click("#options summary")
        self.look(tab, "options")
        ann.tab.click("#new-lobby")
        bob = self.third(ann.host(), "Bartholomew-Alexander the long")
        ann.wait_for_text("knocks", "wants to join")
        self.look(tab, "waiting")
        ann.tab.click("#knocks button")
        bob.wait_for("connected")
        cat = self.third(self.session(ann))
        ann.wait_for_text("knocks", "Cat")
        self.look(tab, "knock")
        ann.people()
        ann.tab.click("#people li:nth-child(2) > button")
        self.look(tab, "panel")
        ann.tab.click("#knocks button")
        cat.wait_for("connected")
        ann.wait_for_people(3)
        ann.tab.click(f"#people li:nth-child(2) .actions button:nth-child({REMOVE})")
        self.look(tab, "remove")
        ann.tab.click("#confirm-no")
        ann.close_side()
        ann.tab.click("#hang-up")
        ann.wait_for_text("confirm-heading", "Leave")
        self.look(tab, "leave")

    def look(self, tab: ChromiumTab, what: str) -> None:
        """Save screenshots, and assert that no element is wider than the window or its container."""
        wider = """[...document.querySelectorAll('body, #side, #people-panel, #confirm, #knocks')]
            .filter(element => element.scrollWidth > element.clientWidth).map(element => element.id)"""
        for screen, viewport in (("wide", WIDE), ("phone", PHONE)):
            tab.page.set_viewport_size(viewport)
            self.assertEqual(tab.evaluate(wider), [], f"{what}, {screen}")
            for scheme in ("dark", "light"):
                tab.page.emulate_media(color_scheme=scheme)
                report.add_picture(tab, f"people-{what}-{screen}-{scheme}")
