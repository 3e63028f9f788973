"""Tests how the page signals what others do: by sounds and by the title of a hidden tab."""

from __future__ import annotations

from tests.suites.e2e.browser import Tab
from tests.suites.e2e.call_page import PATIENCE, CallPage
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.screens import NO_DEVICES, tab_of
from tests.suites.e2e.waiting import until

#: JavaScript that keeps the first two pitches of each sound that the page plays in `heard`, once per sound.
LISTEN = """void (() => {
    globalThis.heard = [];
    const start = OscillatorNode.prototype.start;
    const ramp = AudioParam.prototype.setValueAtTime;
    const pitches = new WeakMap();
    AudioParam.prototype.setValueAtTime = function (value, time) {
        pitches.set(this, [...(pitches.get(this) ?? []), value]);
        return ramp.call(this, value, time);
    };
    OscillatorNode.prototype.start = function (...args) {
        heard.push(pitches.get(this.frequency).join());
        return start.apply(this, args);
    };
})()"""

JOINED = "523,784"
LEFT = "784,523"
KNOCK = "659,659,880"
CHAT = "988"

#: JavaScript that hides the page from itself, or shows it again.
VISIBILITY = """void (() => {{
    Object.defineProperty(document, "visibilityState", {{ value: "{}", configurable: true }});
    document.dispatchEvent(new Event("visibilitychange"));
}})()"""


class SignalTests(CallTestCase):
    """Tests of the signals in a call."""

    def wait_for_sounds(self, tab: Tab, *sounds: str) -> None:
        """Wait until the page has played exactly these sounds."""
        until(lambda: tab.evaluate("heard") == list(sounds), PATIENCE, f"the sounds {sounds}")

    def check(self, name: str) -> None:
        """Let a guest knock, join, write and leave, and listen at the host."""
        host, guest = self.page(name), self.page()
        host.tab.evaluate(LISTEN)
        guest.tab.evaluate(LISTEN)
        host.tab.click("#options summary")
        host.tab.click("#new-lobby")
        guest.tab.type("#name", "Bob")
        guest.join(host.host())
        self.wait_for_sounds(host.tab, KNOCK)
        host.tab.click("#knocks button")
        host.wait_for("connected")
        self.wait_for_sounds(host.tab, KNOCK, JOINED)
        guest.tab.click("#chat-button")
        guest.tab.type("#chat-text", "Hello")
        tab_of(guest).page.keyboard.press("Enter")
        self.wait_for_sounds(host.tab, KNOCK, JOINED, CHAT)
        guest.tab.click("#hang-up")
        host.wait_for("waiting")
        self.wait_for_sounds(host.tab, KNOCK, JOINED, CHAT, LEFT)
        self.assertEqual(guest.tab.evaluate("heard"), [])

    def test_chromium(self) -> None:
        """In Chromium a host hears a knock, who joins, a message, and who leaves."""
        self.check("Chromium")

    def test_firefox(self) -> None:
        """In Firefox a host hears a knock, who joins, a message, and who leaves."""
        self.check("Firefox")

    def test_off(self) -> None:
        """With the sounds switched off the page is silent, and stays so after a reload."""
        host = self.page()
        host.tab.click("#devices summary")
        until(lambda: host.tab.evaluate("document.getElementById('sounds').checked"), PATIENCE, "the switch")
        host.tab.click("#sounds")
        host.tab.reload()
        host.wait_for("start")
        host.tab.evaluate(LISTEN)
        guest = self.page()
        guest.join(host.host())
        host.wait_for("connected")
        guest.tab.click("#hang-up")
        host.wait_for("waiting")
        self.assertEqual(host.tab.evaluate("heard"), [])

    def test_the_title(self) -> None:
        """The title of a hidden tab says who came, until the person looks at the page."""
        host, guest = self.page(), self.page()
        session = host.host()
        host.tab.evaluate(VISIBILITY.format("hidden"))
        guest.tab.type("#name", "Bob")
        guest.join(session)
        until(lambda: host.tab.evaluate("document.title") == "Bob joined · signald", PATIENCE, "the title")
        host.tab.evaluate(VISIBILITY.format("visible"))
        until(lambda: "Bob" not in host.tab.evaluate("document.title"), PATIENCE, "the usual title")


class MissingDeviceTests(CallTestCase):
    """Tests of a person without camera and microphone."""

    def test_a_note_once(self) -> None:
        """That there is no device is a note, not an alarm, and is not repeated in the next call."""
        page = self.page()
        page.tab.evaluate(f"void ({NO_DEVICES})")
        page.host()
        page.wait_for_text("error", "were found")
        self.assertEqual(self.look(page), ["true", "status"])
        page.tab.click("#dismiss")
        page.tab.click("#hang-up")
        page.wait_for("ended")
        page.tab.click("#again")
        page.wait_for("start")
        page.tab.click("header a")
        page.host()
        until(lambda: not page.tab.evaluate("document.getElementById('mute').disabled"), PATIENCE, "the answer")
        self.assertFalse(page.shown("error"))
        page.tab.click("#camera")
        page.wait_for_text("error", "were found")

    def look(self, page: CallPage) -> list[str]:
        """Return how the note is shown."""
        looks: list[str] = page.tab.evaluate(
            "[document.getElementById('problem').dataset.quiet, document.getElementById('error').role]"
        )
        return looks
