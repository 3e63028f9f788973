"""Tests that a page sends no larger picture than the other one shows."""

from __future__ import annotations

from tests.suites.e2e.browsers import chromium
from tests.suites.e2e.call_page import PATIENCE, CallPage
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.screens import tab_of
from tests.suites.e2e.waiting import until

#: JavaScript that returns the height of the remote video in pixels.
HEIGHT = "document.getElementById('remote-video').videoHeight"

#: JavaScript that replaces the camera, whose picture is small in the tests, by a canvas that changes all the time.
LARGE_CAMERA = """(({ getUserMedia }) => {
  MediaDevices.prototype.getUserMedia = async function (wanted) {
    const stream = await getUserMedia.call(this, wanted);
    const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 480 });
    const pen = canvas.getContext("2d");
    setInterval(() => {
      pen.fillStyle = `hsl(${performance.now() / 20} 50% 50%)`;
      pen.fillRect(0, 0, canvas.width, canvas.height);
    }, 100);
    stream.getVideoTracks().forEach((track) => (track.stop(), stream.removeTrack(track)));
    stream.addTrack(canvas.captureStream(10).getVideoTracks()[0]);
    return stream;
  };
})(MediaDevices.prototype)"""


#: JavaScript that presses the button which has the remote picture fill the screen.
FULL_SCREEN = "document.querySelector('.remote .full').click()"

#: JavaScript that tells the page what a browser tells it when the remote picture floats in a window of 600 pixels.
#: Headless browsers have no such windows.
FLOAT = """document.getElementById('remote-video').dispatchEvent(
    Object.assign(new Event('enterpictureinpicture'), { pictureInPictureWindow: { width: 800, height: 600 } }))"""

#: JavaScript that tells the page that the picture is in its tile again.
LAND = "document.getElementById('remote-video').dispatchEvent(new Event('leavepictureinpicture'))"


class ShownPictureTests(CallTestCase):
    """A call of two pages, one of which has a small window."""

    def large_page(self) -> CallPage:
        """Open the page with a large camera in a new tab."""
        tab = chromium().tab()
        self.addCleanup(tab.close)
        tab.page.add_init_script(LARGE_CAMERA)
        page = CallPage(tab)
        page.open(self.daemon.url)
        return page

    def height(self, page: CallPage) -> int:
        """Return the height of the other one's picture, as the page receives it."""
        return int(page.tab.evaluate(HEIGHT))

    def test_a_small_window(self) -> None:
        """The picture for a small window is sent small, and large again when the window has grown."""
        host, guest = self.large_page(), self.large_page()
        guest.join(host.host())
        for page in (host, guest):
            page.wait_for("connected")
            until(lambda page: self.height(page) > 360, PATIENCE, "a large picture", page)
        window = tab_of(guest).page
        window.set_viewport_size({"width": 320, "height": 240})
        until(lambda: 0 < self.height(guest) <= 270, PATIENCE, "a small picture")
        self.assertGreater(self.height(host), 360)
        window.set_viewport_size({"width": 1280, "height": 720})
        until(lambda: self.height(guest) > 360, PATIENCE, "a large picture again")

    def test_an_enlarged_picture(self) -> None:
        """A small tile is sent large while it fills the screen, and while it floats above other windows."""
        host, guest = self.large_page(), self.large_page()
        guest.join(host.host())
        for page in (host, guest):
            page.wait_for("connected")
        tab_of(guest).page.set_viewport_size({"width": 960, "height": 720})
        guest.tab.evaluate("document.getElementById('swap').click()")
        until(lambda: 0 < self.height(guest) <= 270, PATIENCE, "a small picture")
        guest.tab.evaluate(FULL_SCREEN)
        until(lambda: self.height(guest) > 360, PATIENCE, "a large picture in full screen")
        guest.tab.evaluate("document.exitFullscreen()")
        until(lambda: self.height(guest) <= 270, PATIENCE, "a small picture again")
        guest.tab.evaluate(FLOAT)
        until(lambda: self.height(guest) > 360, PATIENCE, "a large picture in picture in picture")
        guest.tab.evaluate(LAND)
        until(lambda: self.height(guest) <= 270, PATIENCE, "a small picture at last")
