"""Tests the controls of a call, which hide while nobody uses the page, and the clock."""

from __future__ import annotations

from tests.suites.e2e.browsers import chromium
from tests.suites.e2e.call_page import PATIENCE, CallPage
from tests.suites.e2e.chromium import ChromiumTab
from tests.suites.e2e.layout import PHONE
from tests.suites.e2e.screens import ScreenTestCase, tab_of
from tests.suites.e2e.waiting import until

IDLE = "document.documentElement.hasAttribute('data-idle')"

OPACITY = "Number(getComputedStyle(document.getElementById('controls')).opacity)"

#: JavaScript that makes the page's clock run this many milliseconds ahead.
AHEAD = """(() => {
    const now = performance.now.bind(performance);
    globalThis.ahead = 0;
    performance.now = () => now() + globalThis.ahead;
})()"""


class IdleControlsTests(ScreenTestCase):
    """Tests of a call of two, in which the clock of the host's page can be moved forward."""

    def setUp(self) -> None:
        """Open a call."""
        super().setUp()
        self.host = self.chromium_page(prepare=AHEAD)
        self.guest = self.chromium_page(fragment=self.host.host())
        self.guest.join()
        self.host.wait_for("connected")
        self.keys = tab_of(self.host).page.keyboard
        self.mouse = tab_of(self.host).page.mouse
        self.mouse.move(300, 300)
        self.host.tab.evaluate("document.activeElement.blur()")

    def wait(self, seconds: float = 5.0) -> None:
        """Move the page's clock forward."""
        self.host.tab.evaluate(f"void (globalThis.ahead += {seconds * 1000})")

    def hides(self) -> None:
        """Let the time pass after which the controls hide."""
        self.wait()
        until(lambda: self.host.tab.evaluate(IDLE), PATIENCE, "the controls to hide")
        until(lambda: self.host.tab.evaluate(OPACITY) == 0, PATIENCE, "controls that nobody sees")

    def stays(self) -> None:
        """Assert that the controls do not hide."""
        self.wait()
        # The page checks twice a second; its next two checks are over when the clock of the call has moved.
        before = self.host.text("clock")
        until(lambda: self.host.text("clock") != before, PATIENCE, "a tick")
        before = self.host.text("clock")
        until(lambda: self.host.text("clock") != before, PATIENCE, "another tick")
        self.assertFalse(self.host.tab.evaluate(IDLE))

    def test_pointer(self) -> None:
        """The controls hide after four seconds without a movement, and come back at once with one."""
        self.hides()
        self.mouse.move(310, 310)
        self.assertFalse(self.host.tab.evaluate(IDLE))
        self.assertEqual(self.host.tab.evaluate(OPACITY), 1)

    def test_keyboard(self) -> None:
        """A key brings the controls back, and they stay while one of them has the focus."""
        self.hides()
        self.keys.press("Tab")
        self.assertFalse(self.host.tab.evaluate(IDLE))
        self.stays()
        self.host.tab.evaluate("document.activeElement.blur()")
        self.hides()

    def test_pointer_on_the_controls(self) -> None:
        """The controls stay while the pointer is on them."""
        tab_of(self.host).page.hover("#camera")
        self.stays()
        self.mouse.move(300, 300)
        self.hides()

    def test_open(self) -> None:
        """The controls stay beside an open menu, panel or dialog."""
        self.host.tab.click("#more-button")
        self.mouse.move(300, 300)
        self.stays()
        self.host.tab.click("#open-settings")
        self.mouse.move(10, 300)
        self.stays()
        self.keys.press("Escape")
        self.host.tab.click("#people-button")
        self.mouse.move(300, 300)
        self.stays()
        self.host.close_side()
        self.host.tab.evaluate("document.activeElement.blur()")
        self.mouse.move(310, 310)
        self.hides()

    def test_a_finger(self) -> None:
        """A tap where a hidden control is shows the controls, and presses none."""
        page = CallPage(self.phone())
        page.open(f"{self.daemon.url}#{self.host.text('session-id')}")
        page.join()
        page.wait_for("connected")
        tab = tab_of(page)
        box = tab.page.locator("#mute").bounding_box()
        assert box is not None
        tab.evaluate("void (globalThis.ahead += 5000)")
        until(lambda: tab.evaluate(IDLE), PATIENCE, "the controls to hide")
        tab.page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        until(lambda: not tab.evaluate(IDLE), PATIENCE, "the controls to come back")
        self.assertEqual(tab.evaluate("document.getElementById('mute').dataset.on"), "true")
        tab.page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        until(lambda: tab.evaluate("document.getElementById('mute').dataset.on") == "false", PATIENCE, "silence")

    def phone(self) -> ChromiumTab:
        """Return a tab of a phone."""
        tab = chromium().tab(viewport=PHONE, is_mobile=True, has_touch=True)
        self.addCleanup(tab.close)
        tab.page.add_init_script(AHEAD)
        return tab

    def test_clock(self) -> None:
        """The clock shows the duration of the call."""
        until(lambda: self.host.text("clock").startswith("0:0"), PATIENCE, "the clock")
        self.wait(3600)
        until(lambda: self.host.text("clock").startswith("1:00:"), PATIENCE, "an hour later")
