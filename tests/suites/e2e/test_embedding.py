"""The call page in a page of another origin."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.suites.e2e.application import Application
from tests.suites.e2e.browsers import browser, chromium
from tests.suites.e2e.call_page import PATIENCE, CallPage, watch
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.chromium import ChromiumTab, Error
from tests.suites.e2e.embedding_page import EmbeddingPage, make_application
from tests.suites.e2e.hostile_channel import SEND_TO_ALL
from tests.suites.e2e.program import Program
from tests.suites.e2e.waiting import until

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "embedding"

#: A frame that the browser lets store nothing, as some do with frames of other sites.
WITHOUT_STORAGE = """
if (window.top !== window)
    for (const name of ["localStorage", "sessionStorage", "indexedDB", "caches"])
        Object.defineProperty(window, name, { get() { throw new DOMException("denied", "SecurityError"); } });
"""


class EmbeddingCase(CallTestCase):
    """A daemon whose page one application may embed."""

    def setUp(self) -> None:
        """Start the application and the daemon."""
        super().setUp()
        self.application = self.serve()
        self.start_daemon("--embed-origin", self.application.origin)

    def serve(self, **options: Any) -> Application:
        """Start an application."""
        application = make_application(**options)
        self.addCleanup(application.stop)
        return application

    def application_page(self, name: str = "Chromium", application: Application | None = None) -> EmbeddingPage:
        """Open the application in a tab."""
        tab = browser(name).tab()
        self.addCleanup(tab.close)
        return EmbeddingPage(tab, application or self.application, self.daemon)


class CallTests(EmbeddingCase):
    """The whole conversation."""

    def call(self, name: str) -> tuple[EmbeddingPage, CallPage]:
        """Let the application open a call in a browser, and another page join it."""
        page = self.application_page(name)
        page.embed(camera=False, preview=False)
        page.wait_until_ready()
        self.assertEqual(page.seen("ready"), [{"type": "ready"}])
        page.perform("call.join({ name: 'Ann' })")
        page.wait_for("waiting")
        session = page.tab.evaluate("call.state.session")
        self.assertEqual(page.tab.evaluate("call.state.link"), f"{self.daemon.url}#{session}")
        other = self.page(fragment=session)
        other.join()
        page.wait_for("connected")
        page.wait_until("call.members[0]?.connected && call.members[0].camera")
        self.assertEqual(page.tab.evaluate("[call.media.microphone, call.media.camera]"), [True, False])
        page.perform("call.setCamera(true)")
        page.wait_until("call.media.camera")
        watch(other)
        return page, other

    def finish(self, page: EmbeddingPage, other: CallPage) -> None:
        """Let the application mute, and hang up."""
        silent = "document.querySelector('.remote:has([data-user]) .silent').checkVisibility()"
        for on in (False, True):
            page.perform(f"call.setMicrophone({str(on).lower()})")
            page.wait_until(f"call.media.microphone === {str(on).lower()}")
            until(lambda shown: other.tab.evaluate(silent) is shown, PATIENCE, "the other page to show it", not on)
        page.perform("call.hangUp()")
        page.wait_for("ended")
        self.assertTrue(page.seen("state")[-1]["outcome"])
        other.wait_for("ended")
        self.assertEqual(page.tab.evaluate("[call.members.length, call.state.session]"), [0, ""])
        # Its address still names the session, which its host can open again.
        session = [state["session"] for state in page.seen("state") if state["session"]][-1]
        page.perform("call.join()")
        page.wait_for("waiting")
        self.assertEqual(page.tab.evaluate("call.state.session"), session)

    def test_chromium(self) -> None:
        """Join, camera, mute and hang up by commands, events for each; a neighbour's message does nothing."""
        page, other = self.call("Chromium")
        tab = page.tab
        assert isinstance(tab, ChromiumTab)
        frame = tab.page.frames[1]
        # The devices are told, and another one can be chosen.
        known = tab.evaluate("call.devices.microphone.map(({ device }) => device)")
        self.assertTrue(known)
        page.perform(f"call.chooseDevice('microphone', {json.dumps(known[-1])})")
        page.perform("call.chooseDevice('camera', 'nonsense')")
        page.wait_until("seen.some(({ code }) => code === 'unknown-device')")
        page.perform("call.join({ session: 'nonsense' })")
        page.wait_until("seen.some(({ code }) => code === 'invalid-session')")
        page.perform("call.join()")
        page.wait_until("seen.some(({ code }) => code === 'call-on')")
        # Frames of another origin and of the application's own beside it, and odd values of the application itself.
        for application in (self.serve(host="127.0.0.1"), self.application):
            for message in ({"signald": 1, "type": "hello"}, {"signald": 1, "type": "hang-up"}):
                address = json.dumps(f"{application.origin}/neighbour#{json.dumps(message)}")
                page.perform(
                    f"document.body.append(Object.assign(document.createElement('iframe'), {{ src: {address} }}))"
                )
        ignored = "JSON.parse(signald.embedding()).ignored"
        until(lambda: frame.evaluate(ignored) == 4, PATIENCE, "four ignored messages")
        for odd in (
            "null",
            "'hang-up'",
            "{ signald: 2, type: 'hang-up' }",
            "{ signald: 1, type: 'hang-up', x: 'x'.repeat(9e3) }",
        ):
            page.perform(f"call.frame.contentWindow.postMessage({odd}, '*')")
        page.perform("(() => { const a = { signald: 1 }; a.a = a; call.frame.contentWindow.postMessage(a, '*') })()")
        until(lambda: frame.evaluate(ignored) == 9, PATIENCE, "nine ignored messages")
        self.assertEqual(json.loads(frame.evaluate("signald.embedding()"))["origin"], self.application.origin)
        # Another frame of the tab, with the same storage, is for another session or none: it does not enter this one.
        address = json.dumps(f"{self.daemon.url}embed.mjs")
        for session in ("7Q2M9RT6ZC", ""):
            options = json.dumps({"session": session, "preview": False})
            page.perform(
                f"import({address}).then(({{ embed }}) => second = embed(document.body, call.frame.src, {options}))"
            )
            page.wait_until("globalThis.second?.ready && second.state.state === 'start'")
            page.perform("(second.remove(), second = undefined)")
        watch(other)
        self.finish(page, other)
        fetched = "performance.getEntriesByType('resource').filter(({ name }) => name.includes('/embedding.')).length"
        self.assertEqual((frame.evaluate(fetched), other.tab.evaluate(fetched)), (1, 0))
        self.assertEqual([line for line in tab.messages if line.startswith("uncaught")], [])

    def test_firefox(self) -> None:
        """The same in Firefox."""
        page, other = self.call("Firefox")
        self.finish(page, other)


class FrameTests(EmbeddingCase):
    """Who may show the page in a frame, and what a frame may do."""

    def test_stranger(self) -> None:
        """The browser refuses a frame of another origin, with the embedding's own module too."""
        page = self.application_page(application=self.serve())
        page.embed()
        tab = page.tab
        assert isinstance(tab, ChromiumTab)
        frame = tab.page.frames[1]
        until(lambda: frame.evaluate("location.protocol") == "chrome-error:", PATIENCE, "the refusal")
        self.assertIn("frame-ancestors", " ".join(tab.messages))
        self.assertFalse(tab.evaluate("call.ready"))

    def test_strict_surroundings(self) -> None:
        """In a page with an embedder policy, and where storage is refused, a call works as the address asks for it."""
        strict = {"Cross-Origin-Embedder-Policy": "require-corp", "Cross-Origin-Opener-Policy": "same-origin"}
        application = self.serve(headers=strict)
        self.start_daemon("--embed-origin", application.origin)
        tab = chromium().tab()
        self.addCleanup(tab.close)
        tab.page.add_init_script(WITHOUT_STORAGE)
        page = EmbeddingPage(tab, application, self.daemon)
        self.assertTrue(tab.evaluate("crossOriginIsolated"))
        page.embed(name="Ann & <Bob>", microphone=False, camera=False, language="ar")
        page.wait_until_ready()
        frame = tab.page.frames[1]
        until(lambda: frame.evaluate("document.documentElement.lang") == "ar", PATIENCE, "Arabic")
        self.assertEqual(frame.evaluate("document.getElementById('name').value"), "Ann & <Bob>")
        self.assertRaises(Error, frame.evaluate, "localStorage.length")
        frame.click("#start")
        page.wait_for("waiting")
        other = self.page(fragment=tab.evaluate("call.state.session"))
        other.join()
        page.wait_for("connected")
        other.wait_for("connected")
        other.wait_for_text("remotes", "Ann & <Bob>")
        self.assertEqual(tab.evaluate("call.media"), {"microphone": False, "camera": False, "screen": False})

    def test_no_remote_control(self) -> None:
        """In a frame the page does not ask for control that another member offers, and says why."""
        session = self.host_with_channel()
        page = self.application_page()
        page.embed(session=session, preview=False)
        page.wait_until_ready()
        page.perform("call.join()")
        page.wait_for("connected")
        tab = page.tab
        assert isinstance(tab, ChromiumTab)
        frame = tab.page.frames[1]
        # The camera of the other member counts as a screen that can be controlled.
        presence = "{type: 'presence', microphone: true, camera: false, screen: true}"
        offer = "{type: 'control-offer', version: 1, mode: 'ask', clipboard: false}"
        self.offering.tab.evaluate(f"sendToAll({presence}, {offer})")
        shown = "document.querySelector('.control-bar button')?.checkVisibility()"
        until(lambda: frame.evaluate(shown), PATIENCE, "the offer")
        frame.click(".control-bar button[type=submit], .control-bar button")
        words = "document.querySelector('.control-bar')?.textContent"
        until(lambda: "window of its own" in (frame.evaluate(words) or ""), PATIENCE, "the reason")
        heard = self.offering.tab.evaluate("heard")
        self.assertEqual([text for text in heard if "control-request" in text], [])

    def host_with_channel(self) -> str:
        """Open a call in a page of its own, which keeps what arrives on its data channels; return the session."""
        tab = chromium().tab()
        self.addCleanup(tab.close)
        self.offering = CallPage(tab)
        self.offering.open(self.daemon.url)
        tab.evaluate(SEND_TO_ALL)
        tab.evaluate(
            """(() => {
                const original = RTCPeerConnection.prototype.createDataChannel;
                window.heard = [];
                RTCPeerConnection.prototype.createDataChannel = function (...args) {
                    const channel = original.apply(this, args);
                    channel.addEventListener("message", ({ data }) => heard.push(String(data)));
                    return channel;
                };
            })()"""
        )
        return self.offering.host()


class ExampleTests(SynchronousTestCase):
    """The example of docs/embedding.md, started by its command."""

    def test_call(self) -> None:
        """Two people join by the buttons of the page, see who is there, mute, and hang up; no frame has a worker."""
        command: list[str | Path] = [sys.executable, EXAMPLE / "run.py", "--port", "0", "--server-port", "0"]
        home = Path(self.mktemp()).resolve()
        home.mkdir()
        program = Program(command, environment={"HOME": str(home)}, directory=home)
        self.addCleanup(program.stop, signal.SIGINT)
        url = program.wait_for(r"Open (\S+)", PATIENCE)[1]
        tabs = []
        for fragment in ("", "{hash}"):
            tab = chromium().tab()
            self.addCleanup(tab.close)
            tabs.append(tab)
            tab.open(url + (fragment and tabs[0].evaluate("location.hash")))
            self.wait_for_text(tab, "state", "start")
            tab.click("#join")
            self.wait_for_text(tab, "state", "connected" if fragment else "waiting")
        self.wait_for_text(tabs[0], "others", "Ann")
        self.wait_for_text(tabs[1], "mute", "Mute")
        tabs[1].click("#mute")
        self.wait_for_text(tabs[1], "mute", "Unmute")
        tabs[1].click("#hang-up")
        self.wait_for_text(tabs[1], "state", "ended")
        self.wait_for_text(tabs[0], "others", "")
        # The first frame has been open for longer than the page waits before it registers its worker.
        workers = "navigator.serviceWorker.getRegistrations().then(({ length }) => length)"
        self.assertEqual(tabs[0].page.frames[1].evaluate(workers), 0)

    def wait_for_text(self, tab: ChromiumTab, element: str, text: str) -> None:
        """Wait until an element has this text."""
        content = f"document.getElementById('{element}').textContent"
        until(lambda: tab.evaluate(content) == text, PATIENCE, f"“{text}” in #{element}")
