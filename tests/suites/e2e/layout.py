"""Checks that screens of the page fit a desktop window and a phone, in light and dark colours."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import ViewportSize

from tests.suites.e2e import report
from tests.suites.e2e.browser import Tab
from tests.suites.e2e.call_page import CallPage

WIDE: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}

#: JavaScript that returns whether an element lies horizontally within the window.
WITHIN = """(element => {{
    const {{left, right, width}} = element.getBoundingClientRect();
    return width > 0 && left >= 0 && right <= innerWidth;
}})(document.getElementById('{}'))"""

#: The sizes of a phone's page: one of today, and the smallest that is still used.
PHONES = ((390, 844), (320, 568))

#: JavaScript that returns by how much the page exceeds the window, and which controls of an element a finger cannot
#: reach: those whose middle, after scrolling to them, is outside of the window or covered.
UNREACHABLE = """(root => {{
    const faults = [];
    const excess = document.documentElement.scrollWidth - innerWidth;
    if (excess > 0) faults.push(`${{excess}} px wider than the window`);
    for (const control of root.querySelectorAll('button, a[href], input, select, textarea, summary')) {{
        if (!control.checkVisibility({{ visibilityProperty: true }})) continue;
        control.scrollIntoView({{ block: 'center', behavior: 'instant' }});
        const {{ left, top, right, bottom }} = control.getBoundingClientRect();
        const name = control.id || control.className || control.textContent.trim();
        const on = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
        if (left < 0 || top < 0 || right > innerWidth || bottom > innerHeight) faults.push(`${{name}} is outside`);
        else if (!control.contains(on)) faults.push(`${{name}} is covered by ${{on && (on.id || on.className)}}`);
    }}
    return faults;
}})(document.querySelector('{}'))"""


def unreachable(tab: Tab, root: str = "main") -> list[str]:
    """Return what exceeds the window, and the controls within an element that cannot be reached, in any browser.

    Arguments:
        tab: the page.
        root: selects the element.

    """
    found: list[str] = tab.evaluate(UNREACHABLE.format(root))
    return found


class LayoutChecks:
    """Four layout tests, for a test case whose method `check` opens the screens and calls `fits` on each of them."""

    def check(self: Any, name: str, **options: object) -> None:
        """Open each screen in a tab with these options, and check its layout; `name` begins the screenshots' names."""
        raise NotImplementedError

    def fits(self: Any, page: CallPage, name: str, *elements: str) -> None:
        """Assert that no element exceeds the window, and save a screenshot."""
        report.add_picture(page.tab, name)
        # A phone's layout viewport grows with overflowing content, but its screen does not.
        self.assertLessEqual(page.tab.evaluate("document.documentElement.scrollWidth - screen.width"), 0, name)
        for element in elements:
            self.assertTrue(page.tab.evaluate(WITHIN.format(element)), f"{name}: {element} is not within the window")

    def test_wide_light(self) -> None:
        """The screens fit a desktop window in light colours."""
        self.check("wide-light", viewport=WIDE, color_scheme="light")

    def test_wide_dark(self) -> None:
        """The screens fit a desktop window in dark colours."""
        self.check("wide-dark", viewport=WIDE, color_scheme="dark")

    def test_phone_light(self) -> None:
        """The screens fit a phone's screen in light colours."""
        self.check("phone-light", viewport=PHONE, color_scheme="light", is_mobile=True, has_touch=True)

    def test_phone_dark(self) -> None:
        """The screens fit a phone's screen in dark colours."""
        self.check("phone-dark", viewport=PHONE, color_scheme="dark", is_mobile=True, has_touch=True)
