"""Measures the time from a press in the page to the frame that shows what came of it on the controlled screen."""

from __future__ import annotations

import time

from tests.suites.e2e.call_page import PATIENCE
from tests.suites.e2e.control_case import ControlCase
from tests.suites.e2e.waiting import until

#: Milliseconds from a press in the page to the frame that shows what came of it (docs/remote-control.md).
DELAY_LIMIT = 150.0

#: JavaScript that measures the milliseconds from each press of the left button to the first frame that is different.
MEASURE = """(() => {
    const video = document.querySelector('[data-screen=true] video');
    const canvas = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
    window.delays = [];
    let pressed = 0, before = null;
    const brightness = () => {
        canvas.drawImage(video, video.videoWidth / 4, video.videoHeight * 3 / 4, 1, 1, 0, 0, 1, 1);
        return canvas.getImageData(0, 0, 1, 1).data[1];
    };
    video.addEventListener('pointerdown', () => { before = brightness(); pressed = performance.now(); }, true);
    const look = (now) => {
        if (pressed && Math.abs(brightness() - before) > 100) {
            window.delays.push(performance.now() - pressed);
            pressed = 0;
        }
        video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
})()"""


class DelayTests(ControlCase):
    """The delay between a pointer and its picture."""

    def test_delay(self) -> None:
        """From a press in the page to the frame that shows what came of it, it takes 150 ms at most, in the median."""
        self.recorder()
        _, page = self.controlled("--rate", "30")
        page.tab.evaluate(MEASURE)
        mouse = page.tab.page.mouse  # type: ignore[attr-defined] # Chromium's
        mouse.move(*page.place(0.5, 0.5))
        for count in range(1, 12):
            mouse.down()
            mouse.up()
            until(lambda count: page.tab.evaluate("window.delays.length") >= count, PATIENCE, "a frame", count)
            time.sleep(0.2)
        delays = sorted(page.tab.evaluate("window.delays"))
        print(f"pointer to picture: median {delays[5]:.0f} ms, from {delays[0]:.0f} to {delays[-1]:.0f} ms")  # noqa: T201
        self.assertLessEqual(delays[5], DELAY_LIMIT)
