"""Tests the screen before a call: the self-view, the devices, and joining without devices."""

from __future__ import annotations

from typing import Any

from tests.suites.e2e.browser import Tab
from tests.suites.e2e.browsers import chromium, chromium_with_two_cameras
from tests.suites.e2e.call_page import PATIENCE, CallPage
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.chromium import Chromium, ChromiumTab
from tests.suites.e2e.waiting import until

#: JavaScript that records the page's requests to the browser in `asked` and `played`.
WATCH = """(() => {
    globalThis.asked = [];
    globalThis.played = 0;
    const devices = navigator.mediaDevices;
    const ask = devices.getUserMedia.bind(devices);
    devices.getUserMedia = wanted => (asked.push(wanted), ask(wanted));
    const play = Audio.prototype.play;
    HTMLMediaElement.prototype.play = function () { if (this instanceof Audio) played += 1; return play.call(this); };
})()"""


class StartScreenTests(CallTestCase):
    """Tests of a page that is not in a call yet."""

    def open_page(
        self, browser: Chromium | None = None, granted: bool = True, **options: Any
    ) -> tuple[CallPage, ChromiumTab]:
        """Open the page with permission for camera and microphone granted already, or still to be requested."""
        tab = (browser or chromium()).tab(**options)
        self.addCleanup(tab.close)
        if granted:
            tab.context.grant_permissions(["camera", "microphone"])
        else:
            # The option that grants the permission also makes `permissions.query` report that no prompt is due.
            tab.page.add_init_script("navigator.permissions.query = async () => ({ state: 'prompt' })")
        tab.page.add_init_script(WATCH)
        page = CallPage(tab)
        page.open(self.daemon.url)
        return page, tab

    def see_themselves(self, tab: Tab) -> None:
        """Wait for the self-view."""
        until(
            lambda: tab.evaluate("document.getElementById('local-video').videoWidth > 0"), PATIENCE, "the own picture"
        )

    def test_picture_without_a_press(self) -> None:
        """With permission granted earlier, the self-view and the microphone's level meter appear without a click."""
        page, tab = self.open_page()
        self.see_themselves(tab)
        self.assertTrue(page.shown("self-level"))
        level = "document.getElementById('self-level').style.getPropertyValue('--level') > 0.1"
        tab.page.mouse.click(5, 5)
        until(lambda: tab.evaluate(level), PATIENCE, "the level to rise")

    def test_without_devices(self) -> None:
        """The page requests no permission if camera and microphone are switched off before."""
        page, tab = self.open_page(granted=False)
        tab.click("#mute")
        tab.click("#camera")
        page.wait_for_text("mute", "Unmute")
        page.wait_for_text("camera", "Camera on")
        page.host()
        self.assertEqual(tab.evaluate("asked.length"), 0)
        page.wait_for_text("camera", "Camera on")

    def test_muted(self) -> None:
        """A person who joins muted is asked for the camera only."""
        page, tab = self.open_page(granted=False)
        tab.click("#mute")
        page.host()
        self.see_themselves(tab)
        self.assertEqual(tab.evaluate("asked.map(wanted => Object.keys(wanted).join())"), ["video"])

    def test_another_camera(self) -> None:
        """The page uses the chosen camera in this call and after a reload."""
        page, tab = self.open_page(chromium_with_two_cameras())
        self.see_themselves(tab)
        tab.click("#devices summary")
        options = "[...document.getElementById('pick-camera').options].map(option => option.value)"
        until(lambda: len(tab.evaluate(options)) == 2, PATIENCE, "two cameras to choose from")
        second = tab.evaluate(options)[1]
        used = "document.getElementById('local-video').srcObject.getVideoTracks()[0]?.getSettings().deviceId"
        self.assertNotEqual(tab.evaluate(used), second)
        tab.page.select_option("#pick-camera", second)
        until(lambda: tab.evaluate(used) == second, PATIENCE, "the other camera")
        tab.reload()
        page.wait_for("start")
        self.see_themselves(tab)
        self.assertEqual(tab.evaluate(used), second)

    def test_speaker(self) -> None:
        """Pressing the button of the speaker test plays a sound."""
        _, tab = self.open_page()
        tab.click("#devices summary")
        cameras = "document.getElementById('pick-camera').options.length"
        until(lambda: tab.evaluate(cameras) > 0, PATIENCE, "the lists of devices")
        tab.click("#test-speaker")
        until(lambda: tab.evaluate("played") == 1, PATIENCE, "a sound")

    def test_the_name_is_remembered(self) -> None:
        """The page remembers the name for the next call."""
        page, tab = self.open_page()
        tab.type("#name", "Ann")
        page.host()
        tab.click("#hang-up")
        page.wait_for("ended")
        tab.page.goto(self.daemon.url.replace("#", ""))
        tab.reload()
        page.wait_for("start")
        self.assertEqual(tab.evaluate("document.getElementById('name').value"), "Ann")
