"""Tests pointing and drawing on a shared screen, between pages with windows of different sizes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.suites.e2e import report
from tests.suites.e2e.browsers import chromium
from tests.suites.e2e.call_page import PATIENCE, CallPage
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.hostile_channel import SEND_TO_ALL
from tests.suites.e2e.screens import DRAWN_SCREEN, tab_of
from tests.suites.e2e.waiting import until

#: JavaScript that keeps the offer to verify a connection from lying over the picture.
NO_OFFER = "localStorage['signald.verification-offered'] = 'true'"

#: JavaScript that returns left, top, width and height of the content of the first shared screen on the page.
CONTENT = """(() => {
    const video = document.querySelector('[data-screen=true] video');
    if (!video) return [0, 0, 0, 0];
    const box = video.getBoundingClientRect();
    const scale = Math.min(box.width / video.videoWidth, box.height / video.videoHeight);
    const width = video.videoWidth * scale, height = video.videoHeight * scale;
    return [box.left + (box.width - width) / 2, box.top + (box.height - height) / 2, width, height];
})()"""

#: JavaScript that returns left, top and name of each pointer on the page.
POINTERS = """[...document.querySelectorAll('.pointer')].map((pointer) => {
    const {left, top} = pointer.getBoundingClientRect();
    return [left, top, pointer.textContent];
})"""

#: JavaScript that returns left, top, right and bottom of the first line on the page, without the width of its stroke.
LINE = """(() => {
    const line = document.querySelector('.marks polyline');
    if (!line) return null;
    const places = [...line.points].map((point) => point.matrixTransform(line.getScreenCTM()));
    const across = places.map(({x}) => x), down = places.map(({y}) => y);
    return [Math.min(...across), Math.min(...down), Math.max(...across), Math.max(...down)];
})()"""

SCREEN = "document.querySelector('[data-screen=true] video')?.videoWidth ?? 0"

#: JavaScript that counts in `faded` the parts of lines that begin to fade.
COUNT_FADED = """
    globalThis.faded = 0;
    new MutationObserver((changes) => { globalThis.faded += changes.length; })
        .observe(document, {subtree: true, attributes: true, attributeFilter: ['data-fading']});
"""

LINES = "document.querySelectorAll('.marks g').length"

#: JavaScript that moves the pointer to a place in the window, as Firefox does when a person moves the mouse.
MOVE = """(() => {
    const layer = document.querySelector('.marks');
    const options = {bubbles: true, clientX: %f, clientY: %f, isPrimary: true};
    layer.dispatchEvent(new PointerEvent('pointermove', options));
})()"""

#: JavaScript that touches the screen at a place in the window so shortly that the pointer is gone before its event, and
#: then moves another one.
SHORT_TOUCH = """(() => {
    const layer = document.querySelector('.marks');
    const [clientX, clientY] = [%f, %f];
    const options = {bubbles: true, isPrimary: true};
    layer.dispatchEvent(new PointerEvent('pointerdown', {...options, pointerId: 99, clientX, clientY}));
    layer.dispatchEvent(new PointerEvent('pointermove', {...options, clientX: clientX + 50, clientY}));
})()"""

#: The widest distance in pixels at which two places are the same: coordinates have four decimals.
SAME = 1.5


class PointingCase(CallTestCase):
    """A test case with a call in which Ann shares a screen of 1600 by 900."""

    def chromium_page(self, name: str, width: int, height: int, *, prepare: str = "", **options: Any) -> CallPage:
        """Open the page in a window of a size, and type a name."""
        tab = chromium().tab(viewport={"width": width, "height": height}, **options)
        self.addCleanup(tab.close)
        tab.page.add_init_script(DRAWN_SCREEN)
        tab.page.add_init_script(NO_OFFER)
        tab.page.add_init_script(COUNT_FADED)
        if prepare:
            tab.page.add_init_script(prepare)
        page = CallPage(tab)
        page.open(self.daemon.url)
        tab.type("#name", name)
        return page

    def share(self, ann: CallPage, *viewers: CallPage) -> None:
        """Let everybody join Ann's call, and let her share the screen."""
        session = ann.host()
        for viewer in viewers:
            viewer.join(session)
            viewer.wait_for("connected")
        ann.wait_for("connected")
        ann.tab.click("#share")
        for viewer in viewers:
            self.wait_for_screen(viewer)

    def wait_for_screen(self, page: CallPage) -> None:
        """Wait until a page shows the shared screen, and can point on it."""
        until(lambda: page.tab.evaluate(SCREEN) > 0 and page.shown("point"), PATIENCE, "the screen")

    def start(self, page: CallPage) -> None:
        """Press the button for pointing."""
        page.tab.click("#point")
        until(lambda: self.pressed(page) == "true", PATIENCE, "pointing")
        until(lambda: page.tab.evaluate("!!document.querySelector('.marks[tabindex]')"), PATIENCE, "the layer")

    def pressed(self, page: CallPage) -> str:
        """Return whether the button for pointing is pressed."""
        pressed: str = page.tab.evaluate("document.getElementById('point').getAttribute('aria-pressed')")
        return pressed

    def at(self, page: CallPage, x: float, y: float) -> tuple[float, float]:
        """Return the pixel of the window for a place in the picture of the screen."""
        left, top, width, height = page.tab.evaluate(CONTENT)
        return left + x * width, top + y * height

    def wait_for_pointer(
        self, page: CallPage, name: str, x: float, y: float, again: Callable[[], object] | None = None
    ) -> None:
        """Wait until a pointer with a name is at a place of the picture.

        A pointer that rests goes after two seconds, which a busy machine needs for more than one page.

        Arguments:
            page: the page that shows the pointer.
            name: the name at the pointer.
            x: the place from the left, as a part of the width.
            y: the place from the top, as a part of the height.
            again: points once more, which it does when the page shows no pointer.

        """

        def found() -> bool:
            if again and not page.tab.evaluate(POINTERS):
                again()
            pointers, place = page.tab.evaluate(POINTERS), self.at(page, x, y)
            return any(
                said == name and abs(left - place[0]) < SAME and abs(top - place[1]) < SAME
                for left, top, said in pointers
            )

        until(found, PATIENCE, f"{name} at {x}, {y}")

    def wait_for_line(
        self,
        page: CallPage,
        start: tuple[float, float],
        end: tuple[float, float],
        again: Callable[[], object] | None = None,
    ) -> None:
        """Wait until there is a line whose box is that of two places of the picture.

        A line goes after three seconds, which a busy machine needs for more than one page.

        Arguments:
            page: the page that shows the line.
            start: the left and upper place, as parts of the picture.
            end: the right and lower place.
            again: draws the line once more, which it does when the page shows no line.

        """

        def found() -> bool:
            box = page.tab.evaluate(LINE)
            if box is None:
                if again:
                    again()
                return False
            expected = (*self.at(page, *start), *self.at(page, *end))
            return all(abs(one - other) < SAME for one, other in zip(box, expected, strict=True))

        until(found, PATIENCE, f"a line from {start} to {end}")


class PointingTests(PointingCase):
    """Pointing and drawing."""

    def test_same_place(self) -> None:
        """The sharer and another viewer see pointer and line at the same place of the picture, in any window."""
        ann = self.chromium_page("Ann", 1280, 720)
        bob = self.chromium_page("Bob", 900, 700)
        cat = self.chromium_page("Cat", 390, 844)
        self.share(ann, bob, cat)
        self.start(bob)
        mouse = tab_of(bob).page.mouse
        mouse.move(*self.at(bob, 0.1, 0.1))
        # The sharer sees a preview of the screen from when somebody points on it.
        until(lambda: ann.tab.evaluate(SCREEN) == 1600, PATIENCE, "the preview")

        def point() -> None:
            mouse.move(*self.at(bob, 0.1, 0.1))
            mouse.move(*self.at(bob, 0.25, 0.75))

        point()
        for page in (ann, cat):
            self.wait_for_pointer(page, "Bob", 0.25, 0.75, point)

        def draw() -> None:
            mouse.move(*self.at(bob, 0.3, 0.2))
            mouse.down()
            mouse.move(*self.at(bob, 0.5, 0.4), steps=5)
            mouse.move(*self.at(bob, 0.8, 0.6), steps=5)
            mouse.up()

        draw()
        for page, name in ((ann, "sharer"), (bob, "drawing"), (cat, "phone")):
            self.wait_for_line(page, (0.3, 0.2), (0.8, 0.6), draw)
            report.add_picture(page.tab, f"pointing-{name}")
        tab_of(cat).page.set_viewport_size({"width": 1280, "height": 720})
        self.wait_for_line(cat, (0.3, 0.2), (0.8, 0.6), draw)
        for page in (bob, ann, cat):
            until(lambda page: page.tab.evaluate(LINES) == 0, PATIENCE, "no line", page)
            self.assertGreater(page.tab.evaluate("faded"), 0)
            until(lambda page: page.tab.evaluate(POINTERS) == [], PATIENCE, "no pointer that rests", page)
        self.assertEqual(tab_of(ann).evaluate("signald.pointing()"), "{}")

    def test_sharer_points(self) -> None:
        """The sharer points on the preview of the screen, which is there until the screen is shared no longer."""
        ann = self.chromium_page("Ann", 1280, 720, reduced_motion="reduce")
        bob = self.chromium_page("Bob", 800, 600, reduced_motion="reduce")
        self.share(ann, bob)
        self.assertEqual(ann.tab.evaluate(SCREEN), 0)
        self.start(ann)
        until(lambda: ann.tab.evaluate(SCREEN) == 1600, PATIENCE, "the preview")
        mouse = tab_of(ann).page.mouse

        def draw() -> None:
            mouse.move(*self.at(ann, 0.9, 0.9))
            mouse.down()
            mouse.move(*self.at(ann, 0.95, 0.95))
            mouse.up()

        draw()
        self.wait_for_line(bob, (0.9, 0.9), (0.95, 0.95), draw)
        self.wait_for_pointer(bob, "Ann", 0.95, 0.95, draw)
        until(lambda: bob.tab.evaluate(LINES) == 0, PATIENCE, "no line")
        self.wait_for_line(bob, (0.6, 0.6), (0.6, 0.6), lambda: ann.tab.evaluate(SHORT_TOUCH % self.at(ann, 0.6, 0.6)))
        self.assertFalse(ann.shown("broken"))
        duration = bob.tab.evaluate("getComputedStyle(document.querySelector('.marks g')).transitionDuration")
        self.assertEqual(duration, "0s")
        mouse.move(2, 2)
        until(lambda: bob.tab.evaluate(POINTERS) == [], 1.5, "the pointer to go with the mouse")
        ann.tab.click("#share")
        until(lambda: not ann.shown("point") and not bob.shown("point"), PATIENCE, "no button")
        until(lambda: ann.tab.evaluate(SCREEN) == 0, PATIENCE, "no preview")
        self.assertEqual([self.pressed(ann), ann.tab.evaluate(LINES)], ["false", 0])

    def test_keyboard(self) -> None:
        """The keyboard is enough: D begins, the arrow keys move, Space draws, and Escape ends it."""
        ann = self.chromium_page("Ann", 1280, 720)
        bob = self.chromium_page("Bob", 800, 600)
        self.share(ann, bob)
        keys = tab_of(bob).page.keyboard
        keys.press("d")
        until(lambda: bob.tab.evaluate("document.activeElement.className") == "marks", PATIENCE, "the focus")
        self.assertEqual(self.pressed(bob), "true")
        role = "[document.activeElement.role, document.activeElement.ariaLabel]"
        self.assertEqual(bob.tab.evaluate(role)[0], "application")
        self.assertIn("arrow keys move", bob.tab.evaluate(role)[1])
        bob.wait_for_text("status", "You point")
        keys.press("ArrowLeft")
        keys.press("Shift+ArrowUp")
        self.wait_for_pointer(ann, "Bob", 0.49, 0.45)
        keys.press("Space")
        bob.wait_for_text("status", "You draw")
        for key in ("ArrowRight", "ArrowDown") * 5:
            keys.press(key)
        keys.press("Space")
        bob.wait_for_text("status", "You no longer draw")
        self.wait_for_line(ann, (0.49, 0.45), (0.54, 0.5))
        self.assertTrue(bob.tab.evaluate("document.getElementById('mute').dataset.on === 'true'"))
        keys.press("Escape")
        until(lambda: self.pressed(bob) == "false", PATIENCE, "the end")
        until(lambda: ann.tab.evaluate(POINTERS) == [], PATIENCE, "no pointer")
        self.assertEqual(bob.tab.evaluate("document.activeElement.id"), "point")

    def test_bad_input(self) -> None:
        """A flood, places beside the picture and malformed messages are bounded and counted, and the call goes on."""
        ann = self.chromium_page("Ann", 1280, 720)
        bob = self.chromium_page("Bob", 800, 600, prepare=SEND_TO_ALL)
        self.share(ann, bob)
        bob.tab.click("#point")
        bob.tab.click("#point")
        self.start(ann)
        screen = "document.querySelector('[data-screen=true] video').dataset.user"
        bob.tab.evaluate(f"globalThis.at = {{type: 'point-at', screen: {screen}, points: [[9, -1e300]]}}")

        def send() -> None:
            bob.tab.evaluate("sendToAll(at)")

        send()
        self.wait_for_pointer(ann, "Bob", 1.0, 0.0, send)
        bob.tab.evaluate(
            "sendToAll({...at, points: 5}, {...at, points: []}, {...at, points: Array(17).fill([0, 0])},"
            "{...at, points: [[0, null]]}, {...at, line: 2 ** 31}, {...at, screen: 'nobody'}, {...at, screen: ''})"
        )
        wanted = {"malformed": 6, "no-screen": 1}
        until(lambda: json.loads(ann.tab.evaluate("signald.pointing()")) == wanted, PATIENCE, "refusals")
        bob.tab.evaluate(
            "sendToAll(...Array.from({length: 2000}, (_, count) =>"
            "({...at, line: 1, points: Array.from({length: 16}, () => [Math.random(), Math.random()])})))"
        )
        until(lambda: json.loads(ann.tab.evaluate("signald.pointing()")).get("rate", 0) > 0, PATIENCE, "a limit")
        points = "[...document.querySelectorAll('.marks g')].map((line) => line.lastChild.points.length)"
        found = ann.tab.evaluate(points)
        self.assertLessEqual(len(found), 16)
        self.assertLessEqual(max(found, default=0), 64)
        until(lambda: ann.tab.evaluate(LINES) == 0, PATIENCE, "no line")
        self.assertEqual((ann.state, ann.tab.evaluate("document.getElementById('broken').hidden")), ("connected", True))
        self.assertEqual(ann.tab.evaluate("signald.log"), [])

    def test_with_firefox(self) -> None:
        """Firefox shows and sends what people point at as well."""
        ann = self.chromium_page("Ann", 1280, 720)
        fox = self.page("Firefox")
        fox.tab.type("#name", "Fox")
        self.share(ann, fox)
        self.start(ann)
        self.wait_for_screen(fox)
        mouse = tab_of(ann).page.mouse

        def draw() -> None:
            mouse.move(*self.at(ann, 0.2, 0.3))
            mouse.down()
            mouse.move(*self.at(ann, 0.6, 0.7))
            mouse.up()

        draw()
        self.wait_for_line(fox, (0.2, 0.3), (0.6, 0.7), draw)
        self.wait_for_pointer(fox, "Ann", 0.6, 0.7, draw)
        self.start(fox)

        def point() -> None:
            fox.tab.evaluate(MOVE % self.at(fox, 0.4, 0.8))

        point()
        self.wait_for_pointer(ann, "Fox", 0.4, 0.8, point)
