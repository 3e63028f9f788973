"""What a host can do: the door, the people, the end."""

from __future__ import annotations

import json

from tests.e2e import report
from tests.e2e.browsers import chromium
from tests.e2e.call_page import PATIENCE, SILENCE, CallPage
from tests.e2e.case import CallTestCase
from tests.e2e.waiting import until

#: The buttons of a person in the host's list, in their order.
MUTE, MAKE_HOST, REMOVE = 1, 2, 3

WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}


def person(page: CallPage, place: int, action: int) -> None:
    """As the host, press a person's button; they are counted from 1, which is oneself."""
    page.people()
    page.tab.click(f"#people li:nth-child({place}) > button")
    page.tab.click(f"#people li:nth-child({place}) .actions button:nth-child({action})")


def named(page: CallPage, name: str) -> CallPage:
    """A page whose person has typed their name."""
    page.tab.type("#name", name)
    return page


def on(page: CallPage, switch: str) -> bool:
    """Whether a switch is on."""
    return bool(page.tab.evaluate(f"document.getElementById('{switch}').getAttribute('aria-checked')") == "true")


def turn(page: CallPage, switch: str) -> None:
    """Turn a switch over, and wait until the server has."""
    page.people()
    before = on(page, switch)
    page.tab.click(f"#{switch}")
    until(lambda: on(page, switch) is not before, PATIENCE, f"{switch} to be turned over")


class HostTestCase(CallTestCase):
    """Ann, the host, and Bob, in a call with each other."""

    def meet(self, host: str = "Chromium", guest: str = "Chromium") -> tuple[CallPage, CallPage]:
        """Let Ann call, and Bob join."""
        ann, bob = named(self.page(host), "Ann"), named(self.page(guest), "Bob")
        bob.join(ann.host())
        for page in (ann, bob):
            page.wait_for("connected")
        return ann, bob

    def session(self, page: CallPage) -> str:
        """The id of a page's call."""
        session: str = page.tab.evaluate("location.hash.slice(1)")
        return session

    def third(self, session: str, name: str = "Cat") -> CallPage:
        """Somebody else, who wants to join."""
        page = named(self.page(), name)
        page.join(session)
        return page

    def rows(self, page: CallPage) -> str:
        """What the list of people says."""
        page.people()
        return page.text("people")


class DoorTests(HostTestCase):
    """Who comes in."""

    def test_lock(self) -> None:
        """A locked call refuses a third person, and everybody knows; unlocked it lets them in."""
        ann, bob = self.meet()
        session = self.session(ann)
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
        """With a lobby each who joins knocks, is told by a badge as well, and is let in or turned away."""
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
        cat.wait_for("connected")
        dan.wait_for_text("error", "did not let you in")
        until(lambda: not ann.shown("knocks") and not ann.shown("people-badge"), PATIENCE, "nobody to knock")

    def test_lobby_from_the_beginning(self) -> None:
        """A new call can be opened with a lobby, which it has tomorrow as well."""
        ann = self.page()
        ann.tab.click("#options summary")
        ann.tab.click("#new-lobby")
        session = ann.host()
        bob = self.third(session, "Bob")
        ann.wait_for_text("knocks", "Bob wants to join")
        ann.tab.click("#knocks li button")
        bob.wait_for("connected")
        ann.hang_up()
        for page in (ann, bob):
            page.wait_for("ended")
        bob.tab.click("#again")
        bob.wait_for("start")
        bob.join()
        bob.wait_for_text("status", "host is not here yet")
        ann.tab.click("#again")
        ann.wait_for("start")
        ann.tab.click("#join")
        ann.wait_for_text("knocks", "Bob wants to join")

    def test_password(self) -> None:
        """A new call can be opened with a password: guests have to know it, the host can read it."""
        ann = self.page()
        ann.tab.click("#options summary")
        ann.tab.type("#new-password", "sesame 🔑")
        session = ann.host()
        ann.wait_for_text("tell-password", "sesame 🔑")
        bob = self.third(session, "Bob")
        bob.wait_for_text("error", "has a password")
        bob.tab.type("#password", "sesame 🔑")
        bob.join()
        for page in (ann, bob):
            page.wait_for("connected")
        ann.people()
        ann.wait_for_text("people-password", "sesame 🔑")
        bob.people()
        self.assertFalse(bob.shown("people-password"))
        ann.tab.reload()
        ann.wait_for("connected")
        ann.people()
        ann.wait_for_text("people-password", "sesame 🔑")
        ann.hang_up()
        for page in (ann, bob):
            page.wait_for("ended")
        ann.tab.click("#again")
        ann.wait_for("start")
        ann.tab.click("#join")
        ann.wait_for("waiting")
        cat = self.third(session)
        cat.wait_for_text("error", "has a password")

    def test_inviting_during_a_call(self) -> None:
        """Whoever is in the call finds its id and link beside it."""
        ann, bob = self.meet()
        link = "document.getElementById('people-link').value"
        for page in (ann, bob):
            page.people()
            self.assertEqual(page.text("people-id").replace("-", ""), self.session(ann))
            self.assertIn(f"#{self.session(ann)}", page.tab.evaluate(link).replace("-", ""))
        bob.tab.click("#people-copy")
        until(lambda: bob.text("people-copy") == "Copied" or "copy it by hand" in bob.text("error"), PATIENCE, "a copy")


class PeopleTests(HostTestCase):
    """What is done to them."""

    def remove(self, host: str, guest: str) -> None:
        """Remove Bob, after thinking twice."""
        ann, bob = self.meet(host, guest)
        person(ann, 2, REMOVE)
        ann.wait_for_text("confirm-heading", "Remove Bob")
        self.assertEqual(ann.tab.evaluate("document.activeElement.id"), "confirm-no")
        ann.tab.click("#confirm-no")
        until(lambda: not ann.shown("confirm"), PATIENCE, "no question")
        self.assertEqual(ann.state, "connected")
        person(ann, 2, REMOVE)
        ann.tab.click("#confirm-yes")
        bob.wait_for("ended")
        bob.wait_for_text("status", "removed you")
        ann.wait_for("waiting")

    def test_remove(self) -> None:
        """The host is asked first; the one who is removed reads why."""
        self.remove("Chromium", "Chromium")

    def test_remove_firefox(self) -> None:
        """The same in Firefox."""
        self.remove("Firefox", "Chromium")

    def test_remove_one_of_two(self) -> None:
        """The others go on."""
        ann, bob = self.meet()
        cat = self.third(self.session(ann))
        for page in (ann, bob, cat):
            until(
                lambda page=page: (
                    "3"
                    in page.tab.evaluate(  # type: ignore[misc]
                        "String(document.querySelectorAll('#people li').length)"
                    )
                ),
                PATIENCE,
                "three people",
            )
        person(ann, 2, REMOVE)
        ann.tab.click("#confirm-yes")
        bob.wait_for("ended")
        until(lambda: "Bob" not in self.rows(cat), PATIENCE, "Cat without Bob")
        for page in (ann, cat):
            self.assertEqual(page.state, "connected")

    def test_mute(self) -> None:
        """Who is asked to mute is muted and knows why; the host sees it, and cannot unmute them."""
        ann, bob = self.meet()
        ann.rises("audioEnergy", SILENCE)
        until(lambda: "Bob" in self.rows(ann), PATIENCE, "Bob in the list")
        self.assertIn("Microphone on", self.devices(ann, 2))
        person(ann, 2, MUTE)
        bob.wait_for_text("status", "asked for silence")
        self.assertEqual(bob.tab.evaluate("document.getElementById('mute').dataset.on"), "false")
        until(lambda: "Muted" in self.devices(ann, 2), PATIENCE, "Bob to be shown as muted")
        ann.still("audioEnergy", SILENCE)
        self.assertFalse(
            ann.tab.evaluate("document.querySelector('#people li:nth-child(2) .actions button').checkVisibility()")
        )
        bob.tab.click("#mute")
        until(lambda: "Microphone on" in self.devices(ann, 2), PATIENCE, "Bob to be heard again")

    def test_mute_all(self) -> None:
        """Everybody but the host is muted at once."""
        ann, bob = self.meet()
        cat = self.third(self.session(ann))
        cat.wait_for("connected")
        for place in (2, 3):
            until(lambda place=place: "Microphone on" in self.devices(ann, place), PATIENCE, "both to be heard")  # type: ignore[misc]
        ann.tab.click("#mute-all")
        for page in (bob, cat):
            page.wait_for_text("status", "asked for silence")
        for place in (2, 3):
            until(lambda place=place: "Muted" in self.devices(ann, place), PATIENCE, "both to be muted")  # type: ignore[misc]
        self.assertIn("Microphone on", self.devices(ann, 1))
        self.assertEqual(ann.tab.evaluate("document.getElementById('mute-all').ariaDisabled"), "true")

    def devices(self, page: CallPage, place: int) -> str:
        """What a row says of microphone and camera."""
        page.people()
        labels: str = page.tab.evaluate(
            f"[...document.querySelectorAll('#people li:nth-child({place}) .device:not([hidden])')]"
            ".map(icon => icon.ariaLabel).join()"
        )
        return labels

    def test_hand_over(self) -> None:
        """The other one is the host then, with all that a host can do; the first one is a guest."""
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
        """Who loses the role while they are asked is asked no longer."""
        ann, bob = self.meet()
        person(ann, 2, REMOVE)
        ann.wait_for_text("confirm-heading", "Remove Bob")
        # In another place the same person opens their call anew, which replaces them here.
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

    def test_the_other_left_meanwhile(self) -> None:
        """Nobody is asked about somebody who is no longer there."""
        ann, bob = self.meet()
        person(ann, 2, REMOVE)
        ann.wait_for_text("confirm-heading", "Remove Bob")
        bob.tab.click("#hang-up")
        bob.wait_for("ended")
        ann.wait_for("waiting")
        until(lambda: not ann.shown("confirm"), PATIENCE, "no question")


class EndTests(HostTestCase):
    """How a host leaves."""

    def leave(self, host: str, guest: str) -> None:
        """Leave the call to Bob, who goes on."""
        ann, bob = self.meet(host, guest)
        cat = self.third(self.session(ann))
        cat.wait_for("connected")
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
        """The host makes somebody the host and leaves; the call goes on."""
        self.leave("Chromium", "Chromium")

    def test_leave_firefox(self) -> None:
        """The same in Firefox."""
        self.leave("Firefox", "Chromium")

    def test_end(self) -> None:
        """The host ends the call for all, or stays after all."""
        ann, bob = self.meet()
        ann.tab.click("#hang-up")
        ann.wait_for_text("confirm-heading", "Leave the call")
        ann.tab.click("#confirm-no")
        self.assertEqual(ann.state, "connected")
        ann.hang_up()
        bob.wait_for("ended")
        bob.wait_for_text("status", "ended the call for all")
        ann.wait_for_text("status", "You ended the call")

    def test_end_beside_the_call(self) -> None:
        """The same from the list of people."""
        ann, bob = self.meet()
        ann.people()
        ann.tab.click("#end-all")
        ann.wait_for_text("confirm-heading", "End the call for all")
        ann.tab.click("#confirm-yes")
        for page in (ann, bob):
            page.wait_for("ended")

    def test_alone(self) -> None:
        """A host with nobody else is not asked, and neither is a guest."""
        ann, bob = self.meet()
        bob.tab.click("#hang-up")
        bob.wait_for("ended")
        ann.wait_for("waiting")
        ann.tab.click("#hang-up")
        ann.wait_for("ended")


class LookTests(HostTestCase):
    """The panel and the question on every screen; the pictures are for people."""

    def test_screens(self) -> None:
        """Nothing is cut off, wide and on a phone, in light and dark."""
        for name, viewport, scheme in (
            ("wide-light", WIDE, "light"),
            ("wide-dark", WIDE, "dark"),
            ("phone-light", PHONE, "light"),
            ("phone-dark", PHONE, "dark"),
        ):
            tab = chromium().tab(viewport=viewport, color_scheme=scheme)
            self.addCleanup(tab.close)
            ann = CallPage(tab)
            ann.open(self.daemon.url)
            ann.tab.type("#name", "Ann")
            ann.tab.click("#options summary")
            report.add_picture(tab, f"people-{name}-options")
            ann.tab.click("#new-lobby")
            bob = self.third(ann.host(), "Bartholomew-Alexander the very long of name")
            ann.wait_for_text("knocks", "wants to join")
            report.add_picture(tab, f"people-{name}-waiting-knock")
            ann.tab.click("#knocks button")
            bob.wait_for("connected")
            ann.wait_for("connected")
            cat = self.third(self.session(ann))
            ann.wait_for_text("knocks", "Cat")
            report.add_picture(tab, f"people-{name}-knock")
            ann.people()
            ann.tab.click("#people li:nth-child(2) > button")
            report.add_picture(tab, f"people-{name}-panel")
            width = "(side => side.scrollWidth - side.clientWidth)(document.getElementById('people-panel'))"
            self.assertLessEqual(tab.evaluate(width), 0)
            ann.tab.click("#knocks button")
            cat.wait_for("connected")
            ann.tab.click("#people li:nth-child(2) .actions button:nth-child(3)")
            report.add_picture(tab, f"people-{name}-remove")
            ann.tab.click("#confirm-no")
            ann.close_side()
            ann.tab.click("#hang-up")
            ann.wait_for_text("confirm-heading", "Leave")
            report.add_picture(tab, f"people-{name}-leave")
            ann.tab.click("#confirm-end")
            for page in (ann, bob, cat):
                page.wait_for("ended")
