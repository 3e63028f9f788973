"""Tests the stage of a call: large videos, screen sharing, active speakers, the self-view, and changes of devices."""

from __future__ import annotations

import time
from typing import Any

from playwright.sync_api import Route

from tests.suites.e2e.browsers import chromium, chromium_with_two_cameras
from tests.suites.e2e.call_page import PATIENCE, SILENCE, CallPage
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.chromium import GRANTED, Chromium, ChromiumTab
from tests.suites.e2e.waiting import until

#: JavaScript: size and playing time of the video that a selector finds, and its audio energy.
PICTURE = """(video => video
    ? [video.videoWidth, video.currentTime, video.srcObject.getAudioTracks().length]
    : [0, 0, 0])(document.querySelector('{}'))"""

SCREEN = "#remotes [data-screen=true] video"
CAMERA = "#remotes [data-screen=false] video"

#: JavaScript that touches the self-view so shortly that the pointer is gone before its event.
SHORT_TOUCH = """(() => {
    const options = {bubbles: true, isPrimary: true, pointerId: 99};
    document.getElementById('local-video').dispatchEvent(new PointerEvent('pointerdown', options));
    document.getElementById('self').dispatchEvent(new PointerEvent('pointermove', {...options, clientX: 90}));
})()"""

#: JavaScript that counts the page's wake locks in `locks`, and records its requests for devices in `asked`.
WATCH = """(() => {
    globalThis.locks = [];
    globalThis.asked = [];
    Object.defineProperty(navigator, 'wakeLock', { value: {
        request: async kind => (locks.push(kind), { released: false, release: async () => locks.push('released') }),
    }});
    const devices = navigator.mediaDevices;
    const ask = devices.getUserMedia.bind(devices);
    devices.getUserMedia = wanted => (asked.push(wanted), ask(wanted));
})()"""


class StageTests(CallTestCase):
    """Tests of two pages in a call, in which the host's page is observed."""

    def tab(self, browser: Chromium | None = None, **options: Any) -> CallPage:
        """Open the page in Chromium, and record its requests to the browser."""
        tab = (browser or chromium()).tab(**options)
        self.addCleanup(tab.close)
        tab.page.add_init_script(WATCH)
        page = CallPage(tab)
        page.open(self.daemon.url)
        return page

    def call(self, guest_name: str = "Chromium", **options: Any) -> tuple[CallPage, CallPage]:
        """Return host and guest of a call with video on both pages."""
        host = self.tab(**options)
        guest = self.page(guest_name)
        guest.join(host.host())
        since = time.monotonic()
        for page in (host, guest):
            page.wait_for("connected")
            until(lambda page: page.look_for_picture(since), PATIENCE, "a picture", page)
        return host, guest

    def plays(self, page: CallPage, selector: str) -> None:
        """Wait until a video is playing."""
        _, before, _ = page.tab.evaluate(PICTURE.format(selector))

        def look() -> bool:
            width, played, _ = page.tab.evaluate(PICTURE.format(selector))
            return bool(width > 0 and played > before + 0.5)

        until(look, PATIENCE, f"{selector} to play")

    def attribute(self, page: CallPage, selector: str, name: str) -> str | None:
        """Return an attribute of an element; None if it is not set."""
        value: str | None = page.tab.evaluate(f"document.querySelector('{selector}')?.getAttribute('{name}') ?? null")
        return value

    def test_screen(self) -> None:
        """A shared screen appears beside the camera, large and with its sound, and disappears when sharing stops."""
        host, guest = self.call()
        self.shared(host, guest)

    def test_screen_to_firefox(self) -> None:
        """A shared screen is visible in Firefox as well."""
        host, guest = self.call("Firefox")
        self.shared(host, guest)

    def shared(self, host: CallPage, guest: CallPage) -> None:
        """Let the host share the screen and stop twice: the second time reuses the negotiated transceivers."""
        for _ in range(2):
            host.tab.click("#share")
            self.plays(guest, SCREEN)
            self.plays(guest, CAMERA)
            self.assertEqual(self.attribute(guest, "#remotes [data-screen=true]", "data-main"), "true")
            self.assertEqual(self.attribute(guest, "#remotes", "data-layout"), "spotlight")
            host.wait_for_text("share", "Stop")
            host.tab.click("#share")
            until(lambda: not guest.tab.evaluate(f"!!document.querySelector('{SCREEN}')"), PATIENCE, "the screen to go")
            self.plays(guest, CAMERA)

    def test_screen_without_a_camera(self) -> None:
        """A member without a camera can share a screen, and both members can share at the same time."""
        host, guest = self.call()
        guest.tab.click("#camera")
        guest.tab.click("#share")
        self.plays(host, SCREEN)
        host.tab.click("#share")
        self.plays(guest, SCREEN)
        self.plays(host, SCREEN)

    def test_screen_for_a_program(self) -> None:
        """A program that supports only one video receives the screen in place of the camera."""
        host = self.tab()
        peer = self.peer("join", host.host(), "--duration", "30")
        host.wait_for("connected")
        host.tab.click("#share")
        host.wait_for_text("share", "Stop")
        host.rises("framesSent")
        host.tab.click("#share")
        host.wait_for_text("share", "Share")
        host.rises("framesSent")
        peer.program.stop()

    def test_pin(self) -> None:
        """A person can choose the video that is large."""
        host, guest = self.call()
        host.tab.click("#share")
        self.plays(guest, SCREEN)
        guest.tab.evaluate("document.querySelector('#remotes [data-screen=false] .pin').click()")
        until(
            lambda: self.attribute(guest, "#remotes [data-screen=false]", "data-main") == "true",
            PATIENCE,
            "the pinned picture to be large",
        )
        self.assertEqual(self.attribute(guest, "#remotes [data-screen=false] .pin", "aria-pressed"), "true")
        guest.tab.click("#more-button")
        guest.tab.click("#layout")
        until(lambda: self.attribute(guest, "#remotes", "data-layout") == "grid", PATIENCE, "a grid")
        guest.tab.click("#more-button")
        guest.tab.click("#layout")
        until(lambda: self.attribute(guest, "#remotes", "data-layout") == "spotlight", PATIENCE, "one large picture")

    def test_the_own_picture(self) -> None:
        """The self-view is mirrored, can be moved by mouse and keyboard, and swaps with the remote video."""
        host, _ = self.call(viewport={"width": 1280, "height": 800})
        assert isinstance(host.tab, ChromiumTab)
        mirrored = "new DOMMatrix(getComputedStyle(document.getElementById('local-video')).transform).a"
        self.assertEqual(host.tab.evaluate(mirrored), -1)
        self.assertEqual(self.attribute(host, "#self", "data-corner"), "bottom-right")
        box = host.tab.page.locator("#self").bounding_box()
        assert box is not None
        mouse = host.tab.page.mouse
        mouse.move(box["x"] + 20, box["y"] + box["height"] - 20)
        mouse.down()
        mouse.move(200, 150, steps=5)
        mouse.up()
        until(lambda: self.attribute(host, "#self", "data-corner") == "top-left", PATIENCE, "the corner")
        host.tab.page.focus("#move-self")
        host.tab.page.keyboard.press("ArrowDown")
        until(lambda: self.attribute(host, "#self", "data-corner") == "bottom-left", PATIENCE, "the next corner")
        host.tab.evaluate(SHORT_TOUCH)
        self.assertFalse(host.shown("broken"))
        self.assertEqual(host.tab.evaluate("document.getElementById('self').style.translate"), "")
        host.tab.evaluate("document.getElementById('swap').click()")
        wide = "document.getElementById('self').getBoundingClientRect().width > 1000"
        until(lambda: host.tab.evaluate(wide), PATIENCE, "the own picture to be large")
        host.tab.evaluate("document.getElementById('swap').click()")
        until(lambda: not host.tab.evaluate(wide), PATIENCE, "the own picture to be small")

    def test_who_speaks(self) -> None:
        """The tile of a speaking member is framed, and a member who speaks while muted sees a hint."""
        host, guest = self.call()
        until(
            lambda: (
                self.attribute(host, "#remotes [data-user]", "data-user") is not None
                and self.attribute(host, "#remotes figure", "data-speaking") == "true"
            ),
            PATIENCE,
            "the guest to speak",
        )
        guest.tab.click("#mute")
        until(lambda: guest.shown("talking"), PATIENCE, "the hint")
        until(
            lambda: (
                self.attribute(host, "#remotes figure", "data-speaking") == "false"
                and host.tab.evaluate("document.querySelector('#remotes .silent').checkVisibility()")
            ),
            PATIENCE,
            "the mark of a muted microphone",
        )
        guest.tab.click("#mute")
        until(lambda: not guest.shown("talking"), PATIENCE, "the hint to go")

    def test_release_when_muted(self) -> None:
        """If the hint for muted speakers is switched off, muting releases the microphone."""
        host, _ = self.call()
        host.tab.click("#more-button")
        host.tab.click("#open-settings")
        host.tab.click("#hint-muted")
        host.tab.evaluate("document.getElementById('settings').close()")
        tracks = "document.getElementById('local-video').srcObject.getAudioTracks().length"
        self.assertEqual(host.tab.evaluate(tracks), 1)
        host.tab.click("#mute")
        until(lambda: host.tab.evaluate(tracks) == 0, PATIENCE, "the microphone to be released")
        host.still("audioEnergy", 1.0)
        host.tab.click("#mute")
        until(lambda: host.tab.evaluate(tracks) == 1, PATIENCE, "the microphone to be back")

    def test_full_screen(self) -> None:
        """The button switches to full screen, and back."""
        host, _ = self.call()
        for filled in (True, False):
            host.tab.click("#more-button")
            host.tab.click("#full-screen")
            until(
                lambda filled: host.tab.evaluate("!!document.fullscreenElement") is filled,
                PATIENCE,
                "full screen to change",
                filled,
            )

    def test_the_screen_stays_on(self) -> None:
        """The page holds a wake lock for the screen during a call only."""
        host, guest = self.call()
        until(lambda: host.tab.evaluate("locks.length") > 0, PATIENCE, "the lock")
        self.assertEqual(host.tab.evaluate("locks"), ["screen"])
        guest.tab.click("#hang-up")
        until(lambda: "released" in host.tab.evaluate("locks"), PATIENCE, "the lock to be released")

    def test_a_camera_that_is_unplugged(self) -> None:
        """The page reports that the camera was unplugged, and uses the camera again once it is plugged in."""
        host, guest = self.call()
        track = "document.getElementById('local-video').srcObject.getVideoTracks()[0]"
        host.tab.evaluate(f"{track}.dispatchEvent(new Event('ended'))")
        host.wait_for_text("error", "disconnected")
        host.tab.evaluate("navigator.mediaDevices.dispatchEvent(new Event('devicechange'))")
        until(lambda: host.tab.evaluate(f"!!{track}"), PATIENCE, "the camera")
        self.plays(guest, CAMERA)

    def test_the_other_camera_of_a_phone(self) -> None:
        """The button switches to the rear camera of a phone, whose self-view is not mirrored."""
        host = self.tab(
            chromium_with_two_cameras(), viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
        )
        guest = self.page()
        guest.join(host.host())
        host.wait_for("connected")
        until(lambda: host.shown("flip"), PATIENCE, "the button")
        host.tab.click("#flip")
        until(
            lambda: host.tab.evaluate("asked.at(-1).video?.facingMode") == "environment", PATIENCE, "the other camera"
        )
        until(lambda: self.attribute(host, "#local-video", "data-mirror") == "false", PATIENCE, "the picture as it is")
        self.plays(guest, CAMERA)

    def test_a_muted_microphone_that_is_unplugged(self) -> None:
        """A muted member stays muted when a microphone is unplugged and another one is plugged in."""
        host, guest = self.call()
        host.tab.click("#mute")
        host.wait_for_text("mute", "Unmute")
        track = "document.getElementById('local-video').srcObject.getAudioTracks()[0]"
        host.tab.evaluate(f"{track}.dispatchEvent(new Event('ended'))")
        host.wait_for_text("error", "disconnected")
        host.tab.evaluate("navigator.mediaDevices.dispatchEvent(new Event('devicechange'))")
        until(lambda: host.tab.evaluate(f"!!{track}"), PATIENCE, "the microphone")
        self.assertEqual((host.tab.evaluate(f"{track}.enabled"), host.text("mute")), (False, "Unmute"))
        guest.still("audioEnergy", SILENCE)

    def test_devices_after_a_failure(self) -> None:
        """A second attempt to join uses the same devices as the first."""
        daemon = self.start_daemon()
        page = self.tab(permissions=GRANTED)
        kinds = "document.getElementById('local-video').srcObject.getTracks().map(track => track.kind).sort().join()"
        until(lambda: page.tab.evaluate(kinds) == "audio,video", PATIENCE, "the own picture and sound")
        page.tab.click("#mute")
        page.wait_for_text("mute", "Unmute")
        daemon.stop()
        page.tab.click("#start")
        page.wait_for("failed")
        until(lambda: page.tab.evaluate(kinds) == "", PATIENCE, "the devices to be released")
        page.tab.click("#again")
        until(lambda: page.tab.evaluate(kinds) == "video", PATIENCE, "the camera alone")

    def test_messages_that_cannot_be_shown(self) -> None:
        """If the chat panel cannot be fetched, the page reports it once, and continues to work."""
        host, guest = self.page(), self.page()
        assert isinstance(host.tab, ChromiumTab)
        tries: list[str] = []

        def refuse(route: Route) -> None:
            tries.append(route.request.url)
            route.abort()

        host.tab.context.route("**/assets/extras.*", refuse)
        guest.join(host.host())
        for page in (host, guest):
            page.wait_for("connected")
        guest.tab.click("#chat-button")
        guest.tab.type("#chat-text", "Hello")
        guest.tab.click("#chat-form button")
        host.wait_for_text("error", "could not be fetched")
        host.wait_for_text("chat-badge", "1")
        # Two seconds into the call the page tries to fetch the shortcuts, once as well.
        host.watch()
        count = len(tries)
        # Watching takes two seconds, in which the page would have repeated its attempt.
        host.watch()
        self.assertEqual(len(tries), count)
        self.assertEqual(host.tab.evaluate("document.querySelectorAll('link[href*=extras]').length"), 0)
        host.tab.context.unroute("**/assets/extras.*")
        host.tab.click("#chat-button")
        host.wait_for_text("chat-log", "Hello")
