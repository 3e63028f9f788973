"""Tests the page's screens in other engines than Chromium's: Firefox at the sizes of phones, and WebKitGTK."""

from __future__ import annotations

from tests.suites.e2e import report
from tests.suites.e2e.browsers import firefox, webkit
from tests.suites.e2e.call_page import PATIENCE, CallPage
from tests.suites.e2e.caller import Caller
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.firefox import FirefoxTab
from tests.suites.e2e.layout import PHONES, unreachable
from tests.suites.e2e.waiting import until
from tests.suites.e2e.webkit import WebKitTab

#: The sizes of a page in WebKitGTK: a desktop, and phones.
SIZES = ((1280, 800), *PHONES)

#: JavaScript that gives a browser without WebRTC connections that are up at once and carry nothing. Debian builds
#: WebKitGTK without WebRTC; everything else of the page is the engine's own.
STAND_IN = r"""(() => {
    class Track extends EventTarget {
        constructor(kind) { super(); this.kind = kind; this.id = String(Math.random()); this.muted = true; }
    }
    globalThis.RTCPeerConnection = class extends EventTarget {
        transceivers = [];
        connectionState = 'new';
        iceConnectionState = 'new';
        signalingState = 'stable';
        localDescription = null;
        remoteDescription = null;
        constructor() {
            super();
            setTimeout(() => {
                this.connectionState = this.iceConnectionState = 'connected';
                this.dispatchEvent(new Event('connectionstatechange'));
            });
        }
        addTransceiver(kind) {
            const receiver = { track: new Track(kind.kind ?? kind), getSynchronizationSources: () => [] };
            const sender = {
                replaceTrack: async () => {}, getParameters: () => ({ encodings: [] }), setParameters: async () => {},
            };
            const transceiver = { mid: String(this.transceivers.length), currentDirection: null, receiver, sender };
            this.transceivers.push(transceiver);
            setTimeout(() => this.dispatchEvent(new Event('negotiationneeded')));
            return transceiver;
        }
        getTransceivers() { return this.transceivers; }
        createDataChannel() {
            return Object.assign(new EventTarget(), { readyState: 'connecting', bufferedAmount: 0, send() {} });
        }
        async setLocalDescription() {
            this.localDescription = { type: 'offer', sdp: 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n' };
        }
        async setRemoteDescription(description) { this.remoteDescription = description; }
        async addIceCandidate() {}
        setConfiguration() {}
        restartIce() {}
        async getStats() { return new Map(); }
        close() { this.connectionState = 'closed'; }
    };
})()"""

#: JavaScript that starts the page's Python although the browser was found to lack something. A module is loaded once
#: for each address, of which the fragment is a part.
START_ALL_THE_SAME = """(() => {
    document.getElementById('unsupported').hidden = true;
    document.querySelector('main').hidden = false;
    document.documentElement.dataset.state = 'loading';
    return import(document.querySelector('script[type=module]').src + '#again').then(() => true);
})()"""

#: JavaScript that returns whether two pictures of the stage overlap, or one is outside of the window.
MISPLACED = """(() => {
    const boxes = [...document.querySelectorAll('#remotes .remote, #self')].filter(one => one.checkVisibility())
        .map(one => one.getBoundingClientRect());
    return boxes.length !== 4 || boxes.some((one, index) => one.width < 60 || one.left < 0 || one.right > innerWidth
        || one.top < 0 || one.bottom > innerHeight || boxes.slice(index + 1).some(other => one.left < other.right - 0.5
        && other.left < one.right - 0.5 && one.top < other.bottom - 0.5 && other.top < one.bottom - 0.5));
})()"""


class EngineCase(CallTestCase):
    """A test case that looks at screens in several sizes."""

    def resize(self, page: CallPage, width: int, height: int) -> None:
        """Give the page a size, and wait until the pictures of a call have their places, which is one frame later."""
        assert isinstance(page.tab, FirefoxTab | WebKitTab)
        page.tab.resize(width, height)
        page.tab.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def check(self, page: CallPage, name: str, sizes: tuple[tuple[int, int], ...], root: str = "main") -> None:
        """Assert in each size that nothing exceeds the window and every control can be reached; save screenshots."""
        for width, height in sizes:
            self.resize(page, width, height)
            report.add_picture(page.tab, f"{name}-{width}")
            self.assertFalse(page.shown("broken"), page.tab.evaluate("signald.log"))
            self.assertEqual(unreachable(page.tab, root), [], f"{name}, {width} by {height} px")


class FirefoxTests(EngineCase):
    """Tests of Firefox at the sizes of phones."""

    def test_phone(self) -> None:
        """From the start screen to a call with a panel nothing exceeds the screen, and all controls can be reached."""
        tab = firefox().tab()
        self.addCleanup(tab.close)
        page = CallPage(tab)
        page.open(self.daemon.url)
        self.check(page, "firefox-start", PHONES)
        guest = self.page(fragment=page.host())
        self.check(page, "firefox-waiting", PHONES)
        guest.tab.type("#name", "Bob")
        guest.join()
        page.wait_for("connected")
        until(lambda: page.picture()[1] > 0, PATIENCE, "a picture")
        self.check(page, "firefox-call", PHONES)
        tab.click("#people-button")
        until(lambda: page.shown("people-panel"), PATIENCE, "the panel")
        self.check(page, "firefox-people", PHONES, "#side")
        page.close_side()
        tab.click("#chat-button")
        until(lambda: page.shown("chat-form"), PATIENCE, "the panel")
        self.check(page, "firefox-chat", PHONES, "#side")


class WebKitTests(EngineCase):
    """Tests of WebKitGTK, whose engine is Safari's."""

    #: The other people do not answer pings.
    options = ("--limit", "ping-seconds=600")

    def open_page(self) -> CallPage:
        """Open the page, whatever it then says of the browser."""
        tab = webkit().tab()
        self.addCleanup(tab.close)
        tab.open(self.daemon.url)
        return CallPage(tab)

    def lacks_webrtc(self, page: CallPage) -> bool:
        """Return whether this build has no WebRTC."""
        return bool(page.tab.evaluate("!globalThis.RTCPeerConnection"))

    def started(self) -> CallPage:
        """Open the page, and start it also in a build that has no WebRTC."""
        page = self.open_page()
        if self.lacks_webrtc(page):
            page.tab.evaluate(STAND_IN)
            page.tab.evaluate(START_ALL_THE_SAME)
        page.wait_for("start")
        return page

    def test_feature_check(self) -> None:
        """The page says that WebRTC is missing where it is, and nothing else; it starts where there is WebRTC."""
        page = self.open_page()
        if not self.lacks_webrtc(page):
            page.wait_for("start")
            self.assertFalse(page.shown("unsupported"))
            return
        self.assertTrue(page.shown("unsupported"))
        text = page.tab.evaluate("document.getElementById('unsupported').innerText")
        self.assertIn("WebRTC.", text)
        self.assertNotIn("WebAssembly, WebRTC", text)
        self.assertIn("GNOME Web", text)
        self.assertNotIn("too old", text)
        self.assertFalse(page.tab.evaluate("document.querySelector('main').checkVisibility()"))
        self.assertFalse(page.tab.evaluate("'python' in (globalThis.signald?.marks ?? {})"))
        self.check(page, "webkit-lacking", SIZES, "#unsupported")

    def test_screens(self) -> None:
        """Start screen, settings, waiting, a call of four and its panels have the layout that they have elsewhere."""
        page = self.started()
        self.check(page, "webkit-start", SIZES)
        # Nobody is there to answer the browser's question for the devices.
        page.tab.click("#mute")
        page.tab.click("#camera")
        page.tab.type("#name", "Ann Lee")
        session = page.host()
        self.check(page, "webkit-waiting", SIZES)
        for name in ("Bob", "Cat Stevens", "دانة"):
            caller = Caller(self.daemon.signaling_url, str(self.daemon.authority))
            self.addCleanup(caller.socket.close)
            caller.send("join", session=session, name=name)
        page.wait_for("connected")
        tiles = "document.querySelectorAll('#remotes video[data-user]').length"
        until(lambda: page.tab.evaluate(tiles) == 3, PATIENCE, "three others")
        self.check(page, "webkit-call", SIZES)
        for width, height in SIZES:
            self.resize(page, width, height)
            until(lambda width: not page.tab.evaluate(MISPLACED), PATIENCE, f"the pictures at {width} px", width)
        page.tab.click("#more-button")
        page.tab.click("#open-settings")
        until(lambda: page.shown("settings"), PATIENCE, "the settings")
        self.check(page, "webkit-settings", SIZES, "#settings")
        page.tab.click("#settings form button")
        page.tab.click("#people-button")
        until(lambda: page.shown("people-panel"), PATIENCE, "the panel")
        self.check(page, "webkit-people", SIZES, "#side")
