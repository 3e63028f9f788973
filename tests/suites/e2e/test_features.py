"""Tests browsers that lack what the page needs, and browsers that refuse a connection or an ICE server."""

from __future__ import annotations

from tests.suites.e2e.accessibility import audit
from tests.suites.e2e.browsers import chromium
from tests.suites.e2e.call_page import PATIENCE, CallPage, watch
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.firefox import Firefox
from tests.suites.e2e.screens import NO_WEBASSEMBLY, OLD, tab_of
from tests.suites.e2e.waiting import until

#: JavaScript that takes WebRTC away, as Tor Browser does.
NO_WEBRTC = "delete globalThis.RTCPeerConnection"

#: JavaScript that refuses some ICE servers, as Firefox refuses `stuns:`.
REFUSES_SERVER = """(() => {
    const Connection = RTCPeerConnection;
    globalThis.created = [];
    globalThis.RTCPeerConnection = function (configuration) {
        const urls = (configuration?.iceServers ?? []).flatMap(server => server.urls);
        if (urls.some(url => url.startsWith("stuns:"))) throw new DOMException("stuns", "SyntaxError");
        created.push(urls);
        return new Connection(configuration);
    };
    globalThis.RTCPeerConnection.prototype = Connection.prototype;
})()"""

#: JavaScript that refuses every connection, as a browser does that has too many.
REFUSES_ALL = """globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor() { super(); this.close(); throw new DOMException("too many", "UnknownError"); }
}"""

#: JavaScript that refuses every data channel.
REFUSES_CHANNEL = """RTCPeerConnection.prototype.createDataChannel = () => {
    throw new DOMException("no channel", "OperationError");
}"""

#: JavaScript that returns the visible text of the notice.
NOTICE = "document.getElementById('unsupported').innerText"


class LackingBrowserTests(CallTestCase):
    """Tests of browsers that cannot run the page."""

    def opened(self, prepare: str, **options: object) -> CallPage:
        """Open the page in a Chromium in which this JavaScript ran first, and wait for the notice."""
        tab = chromium().tab(**options)
        self.addCleanup(tab.close)
        tab.page.add_init_script(prepare)
        tab.open(self.daemon.url)
        page = CallPage(tab)
        until(lambda: page.shown("unsupported"), PATIENCE, "the notice")
        return page

    def check_silence(self, page: CallPage) -> None:
        """Assert that nothing else is shown, that Python has not started, and that nothing was thrown."""
        self.assertEqual(page.state, "failed")
        self.assertFalse(page.tab.evaluate("document.querySelector('main').checkVisibility()"))
        self.assertFalse(page.shown("broken"))
        self.assertFalse(page.tab.evaluate("'python' in (globalThis.signald?.marks ?? {})"))
        self.assertEqual([text for text in page.tab.messages if text.startswith(("error", "uncaught"))], [])

    def test_without_webassembly(self) -> None:
        """A browser without WebAssembly is told so, with the ways to switch it on, and Python does not start."""
        page = self.opened(NO_WEBASSEMBLY)
        text = page.tab.evaluate(NOTICE)
        for words in ("WebAssembly.", "Lockdown Mode", "Tor Browser"):
            self.assertIn(words, text)
        self.assertNotIn("too old", text)
        self.check_silence(page)
        self.assertEqual(audit(tab_of(page), "wide-light"), [])

    def test_without_webrtc(self) -> None:
        """A browser without WebAssembly and WebRTC is told both."""
        page = self.opened(f"{NO_WEBASSEMBLY}; {NO_WEBRTC}")
        self.assertIn("WebAssembly, WebRTC.", page.tab.evaluate(NOTICE))
        self.check_silence(page)

    def test_too_old(self) -> None:
        """A browser that lacks what nobody switches off is told that it is too old."""
        page = self.opened(f"{OLD}; {NO_WEBRTC}")
        text = page.tab.evaluate(NOTICE)
        self.assertIn("too old", text)
        self.assertIn("WebRTC, popover.", text)
        self.assertNotIn("Lockdown", text)
        self.check_silence(page)

    def test_in_another_language(self) -> None:
        """The notice is in the browser's language."""
        page = self.opened(NO_WEBASSEMBLY, locale="ar-EG")
        text = page.tab.evaluate(NOTICE)
        self.assertIn("Lockdown Mode", text)
        self.assertIn("لا يستطيع هذا المتصفح", text)
        self.assertNotIn("cannot make calls", text)

    def test_firefox(self) -> None:
        """Firefox with WebAssembly and WebRTC switched off is told so."""
        browser = Firefox(javascript_options_wasm=False, media_peerconnection_enabled=False)
        self.addCleanup(browser.close)
        page = CallPage(browser.tab())
        page.tab.open(self.daemon.url)
        until(lambda: page.shown("unsupported"), PATIENCE, "the notice")
        self.assertIn("WebAssembly, WebRTC.", page.tab.evaluate(NOTICE))
        self.assertIn("media.peerconnection.enabled", page.tab.evaluate(NOTICE))
        self.assertFalse(page.tab.evaluate("document.querySelector('main').checkVisibility()"))


class ColourTests(CallTestCase):
    """Tests of the colours, which no function of younger browsers chooses."""

    def test_schemes(self) -> None:
        """The start screen follows the person's colour scheme, and the stage is dark in both."""
        tab = chromium().tab()
        self.addCleanup(tab.close)
        page = CallPage(tab)
        page.open(self.daemon.url)
        ground = "getComputedStyle(document.body).backgroundColor"
        tab.page.emulate_media(color_scheme="dark")
        self.assertEqual(tab.evaluate(ground), "rgb(19, 23, 24)")
        tab.page.emulate_media(color_scheme="light")
        self.assertEqual(tab.evaluate(ground), "rgb(245, 244, 240)")
        page.host()
        self.assertEqual(tab.evaluate("getComputedStyle(document.querySelector('main')).color"), "rgb(233, 237, 236)")


class RefusedConnectionTests(CallTestCase):
    """Tests of browsers that refuse a peer connection, an ICE server or a data channel."""

    def prepared(self, prepare: str, fragment: str = "") -> CallPage:
        """Open the page in a Chromium in which this JavaScript ran first."""
        tab = chromium().tab()
        self.addCleanup(tab.close)
        tab.page.add_init_script(prepare)
        page = CallPage(tab)
        page.open(self.daemon.url + (f"#{fragment}" if fragment else ""))
        return page

    def test_one_server_less(self) -> None:
        """A browser that refuses one ICE server uses the others, and the call works."""
        self.start_daemon("--ice-server=stun:127.0.0.1:9", "--ice-server=stuns:127.0.0.1:9")
        host, guest = self.prepared(REFUSES_SERVER), self.page()
        guest.join(host.host())
        watch(host, guest)
        self.assertEqual(host.tab.evaluate("created.at(-1)"), ["stun:127.0.0.1:9"])
        self.assertIn("ice-server-refused: stuns", "".join(host.tab.evaluate("signald.log")))

    def refused(self, prepare: str) -> None:
        """Let a guest join whose browser refuses a connection, and then a host."""
        host = self.page()
        guest = self.prepared(prepare, host.host())
        guest.join()
        guest.wait_for("failed")
        guest.wait_for_text("error", "opens no connection")
        host.wait_for("waiting")
        self.assertFalse(guest.shown("broken"))
        other = self.page()
        unable = self.prepared(prepare)
        other.join(unable.host())
        unable.wait_for_text("error", "opens no connection")
        unable.wait_for("waiting")
        other.wait_for("failed")
        other.wait_for_text("error", "could not open a connection")
        self.assertFalse(unable.shown("broken"))

    def test_no_connection(self) -> None:
        """A browser that refuses all connections says so, and the other side is told, whoever is the host."""
        self.refused(REFUSES_ALL)

    def test_no_data_channel(self) -> None:
        """A browser that refuses the data channel is no broken page, and the other side is told."""
        host = self.page()
        guest = self.prepared(REFUSES_CHANNEL, host.host())
        guest.join()
        guest.wait_for("failed")
        guest.wait_for_text("error", "opens no connection")
        host.wait_for("waiting")
