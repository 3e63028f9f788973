"""A call of up to eight people in one browser, whose pictures a test chooses, to look at the stage."""

from __future__ import annotations

import json

from playwright.sync_api import ViewportSize

from tests.suites.e2e.call_page import PATIENCE, CallPage
from tests.suites.e2e.screens import ScreenTestCase, tab_of
from tests.suites.e2e.waiting import until

#: JavaScript after which every peer connection counts as connected, so that nobody is given up.
CONNECTED = """(() => {
    const get = Object.getOwnPropertyDescriptor(RTCPeerConnection.prototype, 'connectionState').get;
    Object.defineProperty(RTCPeerConnection.prototype, 'connectionState', {
        get() { return get.call(this) === 'closed' ? 'closed' : 'connected'; },
    });
    globalThis.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(...args) {
            super(...args);
            setTimeout(() => this.dispatchEvent(new Event('connectionstatechange')));
        }
    };
})()"""

#: JavaScript that plays a drawing of a size in each picture of a person that has none: a person before a wall, and a
#: frame at the edges that shows how much is cut off.
DRAW = """(sizes => {
    const videos = [...document.querySelectorAll('#remotes [data-screen=false] video[data-user]')];
    videos.forEach((video, index) => {
        const size = sizes[index % sizes.length];
        if (!size || video.drawn === String(size)) return;
        video.drawn = String(size);
        const canvas = Object.assign(document.createElement('canvas'), { width: size[0], height: size[1] });
        const draw = canvas.getContext('2d');
        const [width, height] = size;
        const unit = Math.min(width, height);
        const paint = () => {
            draw.fillStyle = `hsl(${index * 70} 30% 55%)`;
            draw.fillRect(0, 0, width, height);
            draw.fillStyle = `hsl(${index * 70} 35% 25%)`;
            draw.fillRect(width / 2 - unit * 0.35, height - unit * 0.35, unit * 0.7, unit * 0.35);
            draw.beginPath();
            draw.arc(width / 2, height / 2, unit * 0.22, 0, 7);
            draw.fill();
            draw.lineWidth = unit * 0.02;
            draw.strokeStyle = '#fff';
            draw.strokeRect(0, 0, width, height);
        };
        paint();
        setInterval(paint, 1000);
        video.muted = true;
        video.srcObject = canvas.captureStream();
        void video.play();
    });
    return videos.every((video, index) => !sizes[index % sizes.length]
        || (video.videoWidth > 0 && video.closest('figure').dataset.picture === 'true'));
})(SIZES)"""

#: The names of the others, of whom the first is a page that can share its screen.
NAMES = ("Bob", "Cat Stevens", "دانة", "Eve", "Fay Müller-Lüdenscheidt of the long name", "Gus", "Hal")

#: The sizes of the others' pictures; none for a camera that is off.
SIZES: tuple[tuple[int, int] | None, ...] = ((320, 180), (180, 320), None, (240, 180), (320, 180))

#: JavaScript that returns the visible rectangles of the pictures, of what lies over them, and of the window.
RECTANGLES = """(() => {
    const box = element => { const { left, top, right, bottom } = element.getBoundingClientRect();
        return [left, top, right, bottom]; };
    const visible = selector => [...document.querySelectorAll(selector)].filter(one => one.checkVisibility()).map(box);
    return {
        pictures: visible('#remotes .remote, #self'),
        texts: visible('#status, #clock, #verify-offer'),
        controls: visible('#controls button'),
        parts: visible('.tile .label, .tile .tools button'),
        stage: box(document.getElementById('stage')),
    };
})()"""


class StageScene(ScreenTestCase):
    """A test case with a host's page on whose stage there are several people."""

    #: The other people do not answer pings.
    options = ("--limit", "ping-seconds=600")

    def scene(self, count: int) -> tuple[CallPage, CallPage]:
        """Return the page of a host with so many others, and the page of the first of them."""
        host = self.chromium_page(prepare=CONNECTED)
        host.tab.type("#name", "Ann Lee")
        session = host.host()
        guest = self.chromium_page(fragment=session)
        guest.tab.type("#name", NAMES[0])
        guest.join()
        host.wait_for("connected")
        for name in NAMES[1:count]:
            self.caller().send("join", session=session, name=name)
        tiles = "document.querySelectorAll('#remotes video[data-user]').length"
        until(lambda: host.tab.evaluate(tiles) == count, PATIENCE, f"{count} others")
        self.draw(host)
        return host, guest

    def draw(self, page: CallPage) -> None:
        """Play the drawings, and wait until they are shown."""
        sizes = [list(size) if size else None for size in SIZES]
        until(lambda: page.tab.evaluate(DRAW.replace("SIZES", json.dumps(sizes))), PATIENCE, "the drawings")

    def resize(self, page: CallPage, size: ViewportSize) -> None:
        """Change the size of the window, and wait until the pictures have their places."""
        tab = tab_of(page)
        tab.page.set_viewport_size(size)
        tab.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")
