"""Tests where everything lies on the stage of a call; `make stage-pictures` saves forty screenshots of it."""

from __future__ import annotations

import itertools

from playwright.sync_api import ViewportSize

from tests.suites.e2e import report
from tests.suites.e2e.call_page import PATIENCE, CallPage
from tests.suites.e2e.screens import tab_of
from tests.suites.e2e.stage_scene import RECTANGLES, StageScene
from tests.suites.e2e.waiting import until

Box = tuple[float, float, float, float]

#: The sizes of window of the screenshots: two desktops, a phone held either way, and the narrowest one.
WINDOWS: dict[str, ViewportSize] = {
    "1920x1080": {"width": 1920, "height": 1080},
    "1280x800": {"width": 1280, "height": 800},
    "844x390": {"width": 844, "height": 390},
    "390x844": {"width": 390, "height": 844},
    "320x640": {"width": 320, "height": 640},
}

#: The numbers of other people of the screenshots.
COUNTS = (1, 2, 3, 7)

#: The widths between which the bar of controls never wraps.
WIDTHS = (320, 360, 390, 480, 600, 768, 1000, 1280, 1920, 2560)


def overlap(one: Box, other: Box) -> bool:
    """Return whether two boxes (left, top, right, bottom) have a common area of more than half a pixel."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return width > 0.5 and height > 0.5


class StageLayoutTests(StageScene):
    """Tests of up to eight people on windows of all sizes."""

    def check(self, page: CallPage, name: str) -> list[str]:
        """Save a screenshot, and return what is covered or outside of the stage."""
        tab_of(page).page.mouse.move(3, 3)
        tab_of(page).page.mouse.move(4, 4)
        report.add_picture(page.tab, f"stage-{name}")
        found = page.tab.evaluate(RECTANGLES)
        pictures, controls = found["pictures"], found["controls"]
        left, top, right, bottom = found["stage"]
        faults = [
            f"{name}: {kind} {box} is outside of {found['stage']}"
            for kind in ("pictures", "texts", "controls", "parts")
            for box in found[kind]
            if box[0] < left - 0.5 or box[1] < top - 0.5 or box[2] > right + 0.5 or box[3] > bottom + 0.5
        ]
        # With one other picture the own one lies on it, and the controls may.
        if len(pictures) > 2:
            faults += [f"{name}: pictures {a} {b}" for a, b in itertools.combinations(pictures, 2) if overlap(a, b)]
            faults += [f"{name}: controls on {one}" for one in pictures for other in controls if overlap(one, other)]
        faults += [f"{name}: text {a} on {b}" for a in found["texts"] for b in pictures + controls if overlap(a, b)]
        faults += [f"{name}: {a} on {b}" for a, b in itertools.combinations(found["parts"], 2) if overlap(a, b)]
        faults += [f"{name}: part {a} under a control" for a in found["parts"] for b in controls if overlap(a, b)]
        return faults

    def test_forty(self) -> None:
        """Nothing is covered, overlaps or is outside: one, two, three and seven others, with and without a screen."""
        faults: list[str] = []
        for count in COUNTS:
            host, guest = self.scene(count)
            for name, size in WINDOWS.items():
                self.resize(host, size)
                faults += self.check(host, f"{count}-{name}")
            guest.tab.click("#share")
            screen = "document.querySelector('#remotes [data-screen=true]')?.dataset.picture === 'true'"
            until(lambda host, screen: host.tab.evaluate(screen), PATIENCE, "the screen", host, screen)
            for name, size in WINDOWS.items():
                self.resize(host, size)
                faults += self.check(host, f"{count}-screen-{name}")
            for page in (host, guest):
                page.tab.close()
        self.assertEqual(faults, [], "\n".join(faults))

    def test_the_own_picture_is_one_of_the_grid(self) -> None:
        """From three people on, the own picture is as large as the others, and cannot be moved."""
        host, _ = self.scene(2)
        tiles = "[...document.querySelectorAll('#remotes .remote, #self')]"
        sizes = f"{tiles}.map(one => [one.offsetWidth, one.offsetHeight].join())"
        until(lambda: len(set(host.tab.evaluate(sizes))) == 1, PATIENCE, "equal tiles")
        self.assertFalse(host.shown("move-self"))

    def test_the_bar_never_wraps(self) -> None:
        """All controls are in one line on every window from 320 to 2560 pixels, while waiting and in a call."""
        host = self.chromium_page()
        session = host.host()
        rows = "new Set([...document.querySelectorAll('#controls button')].filter(one => one.checkVisibility())" + (
            ".map(one => { const box = one.getBoundingClientRect(); return Math.round(box.top + box.bottom); })).size"
        )
        edges = (
            "(box => [box.left, innerWidth - box.right])(document.getElementById('controls').getBoundingClientRect())"
        )

        def check(width: int) -> None:
            self.resize(host, {"width": width, "height": 700})
            self.assertEqual(host.tab.evaluate(rows), 1, f"{host.state}, {width} px")
            self.assertGreaterEqual(min(host.tab.evaluate(edges)), 4, f"{host.state}, {width} px")

        for width in WIDTHS:
            check(width)
        guest = self.chromium_page(fragment=session)
        guest.join()
        host.wait_for("connected")
        until(lambda: host.shown("share"), PATIENCE, "all controls")
        for width in WIDTHS:
            check(width)
        host.tab.click("#people-button")
        for width in WIDTHS:
            if width >= 768:
                check(width)
