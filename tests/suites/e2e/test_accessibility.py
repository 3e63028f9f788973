"""Tests every screen for people who see, hear, point and type in other ways; `make a11y` prints the table."""

from __future__ import annotations

from collections.abc import Callable

from tests.suites.e2e import accessibility, report
from tests.suites.e2e.accessibility import FORBIDDEN, LOOKS, Violation
from tests.suites.e2e.call_page import PATIENCE, CallPage
from tests.suites.e2e.screens import (
    Screens,
    ScreenTestCase,
    before_a_call,
    connectivity,
    host_of_a_call,
    host_with_a_lobby,
    invited,
    lacking,
    tab_of,
    with_a_peer_that_freezes,
    with_a_shared_screen,
    without_a_path,
    without_devices,
)
from tests.suites.e2e.waiting import until


class AccessibilityTests(ScreenTestCase):
    """Tests of WCAG 2.2 A and AA on every screen: desktop and phone, light and dark, and by keyboard alone."""

    def look(self, journey: Callable[[ScreenTestCase], Screens]) -> None:
        """Check each screen of a journey, and save screenshots."""
        faults: list[str] = []
        for name, page in journey(self):
            tab = tab_of(page)
            found: dict[str, list[Violation]] = {}
            for look in LOOKS:
                accessibility.dress(tab, look)
                report.add_picture(tab, f"{name}-{look}")
                found[look] = accessibility.audit(tab, look)
                faults += [f"{name}, {look}: {one.rule}: {one.text}" for one in found[look] if one.impact in FORBIDDEN]
            wider = accessibility.too_wide(tab)
            if wider > 0:
                faults.append(f"{name}: {wider} px wider than a window of {accessibility.NARROW['width']}")
            accessibility.dress(tab, "wide-light")
            faults += [f"{name}: {fault}" for fault in self.keyboard(page)]
            report.add_screen(name, {look: [(one.impact, one.rule) for one in found[look]] for look in LOOKS})
        self.assertEqual(faults, [], "\n".join(faults))

    def keyboard(self, page: CallPage) -> list[str]:
        """Return the violations that affect people who use the keyboard alone."""
        tab = tab_of(page)
        wanted = accessibility.reachable(tab)
        places = accessibility.walk(tab)
        names = [place["name"] for place in places]
        faults = [f"{name} is not reached by Tab" for name in wanted if name not in names]
        faults += [f"{name} takes the keyboard and is not in the dialog" for name in names if name not in wanted]
        order = [name for name in names if name in wanted]
        if order != [name for name in wanted if name in order]:
            faults.append(f"order {order}")
        faults += [f"no outline at {place['name']}" for place in places if not place["outlined"]]
        faults += [f"{place['name']} is covered" for place in places if place["covered"]]
        return faults + [f"upwards from {jump}" for jump in accessibility.jumps(places)]

    def test_before_a_call(self) -> None:
        """The start screen, its dialogs, an error message and the self-view are accessible."""
        self.look(before_a_call)

    def test_lacking(self) -> None:
        """The notices for browsers that lack something are accessible."""
        self.look(lacking)

    def test_connectivity(self) -> None:
        """The connectivity test is accessible."""
        self.look(connectivity)

    def test_invited(self) -> None:
        """An invitation, a password, a lobby, and a call in which no other member responds are accessible."""
        self.look(invited)

    def test_without_devices(self) -> None:
        """The screens for a missing response, a refused permission and a missing camera are accessible."""
        self.look(without_devices)

    def test_host_of_a_call(self) -> None:
        """A host's screens are accessible: waiting, connected, six members, no signaling connection, the end."""
        self.look(host_of_a_call)

    def test_with_a_shared_screen(self) -> None:
        """A shared screen, pointing on it, and the preview of a person's own screen are accessible."""
        self.look(with_a_shared_screen)

    def test_host_with_a_lobby(self) -> None:
        """The host's screen with a person in the lobby is accessible."""
        self.look(host_with_a_lobby)

    def test_without_a_path(self) -> None:
        """The screen of a failed call is accessible."""
        self.look(without_a_path)

    def test_with_a_peer_that_freezes(self) -> None:
        """The screen with the last frame of a member who is no longer reachable is accessible."""
        self.look(with_a_peer_that_freezes)


class DialogTests(ScreenTestCase):
    """Tests of dialogs that are operated by keyboard."""

    def test_focus_comes_back(self) -> None:
        """Enter opens a dialog and moves the focus into it; Escape closes it, and the focus returns to the button."""
        page = self.chromium_page()
        keys = tab_of(page).page.keyboard
        for button, dialog in (("shortcuts-button", "shortcuts"), ("privacy", "verify")):
            page.tab.evaluate(f"document.getElementById('{button}').focus()")
            keys.press("Enter")
            inside = f"document.getElementById('{dialog}').contains(document.activeElement)"
            until(lambda inside: page.tab.evaluate(inside), PATIENCE, f"the keyboard in #{dialog}", inside)
            keys.press("Escape")
            back = f"document.activeElement.id === '{button}'"
            until(lambda back: page.tab.evaluate(back), PATIENCE, f"the keyboard at #{button}", back)
