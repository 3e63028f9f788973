"""Tests the keyboard shortcuts and push-to-talk in a browser."""

from __future__ import annotations

from playwright.sync_api import Route

from tests.suites.e2e.browsers import chromium
from tests.suites.e2e.call_page import PATIENCE, CallPage
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.chromium import ChromiumTab
from tests.suites.e2e.waiting import until

#: JavaScript that records the id of the last pressed element, whose action is suppressed from then on.
LISTEN = """document.addEventListener('click', event => {
    globalThis.pressed = event.target.id;
    event.stopImmediatePropagation();
}, true)"""

#: JavaScript that returns whether a button can be pressed, if necessary after its menu was opened.
CAN = """(button => Boolean(button && !button.disabled && !button.hidden && (button.checkVisibility()
    || (button.closest('[popover]') && document.getElementById('more-button').checkVisibility())
)))(document.getElementById('{}'))"""


class ShortcutTests(CallTestCase):
    """Tests of a person at a keyboard."""

    def setUp(self) -> None:
        """Open a page that waits for a guest, with camera and microphone on."""
        super().setUp()
        self.tab: ChromiumTab = chromium().tab()
        self.addCleanup(self.tab.close)
        self.keys = self.tab.page.keyboard
        self.me = CallPage(self.tab)
        self.me.open(self.daemon.url)
        self.me.host()
        self.wait_for_microphone(True)
        self.away()

    def away(self) -> None:
        """Remove the focus from all elements."""
        self.tab.evaluate("document.activeElement.blur()")

    def on(self, name: str) -> bool:
        """Return whether a device is switched on."""
        return bool(self.tab.evaluate(f"document.getElementById('{name}').dataset.on == 'true'"))

    def wait_for_microphone(self, on: bool) -> None:
        """Wait until the microphone is switched on or off."""
        until(lambda: self.on("mute") == on, PATIENCE, f"a microphone that is {'on' if on else 'off'}")

    def open(self) -> bool:
        """Return whether the list of shortcuts is open."""
        return bool(self.tab.evaluate("document.getElementById('shortcuts').open"))

    def warm(self) -> None:
        """Press a key, so that the page loads its code for shortcuts."""
        self.keys.press("?")
        until(self.open, PATIENCE, "the sheet")
        self.keys.press("?")
        until(lambda: not self.open(), PATIENCE, "no sheet")
        self.away()

    def test_devices(self) -> None:
        """M toggles the microphone and V the camera, also as capital letters, and only once while the key repeats."""
        self.keys.press("m")
        self.wait_for_microphone(False)
        self.keys.press("Shift+M")
        self.wait_for_microphone(True)
        self.keys.down("m")
        self.keys.down("m")
        self.keys.up("m")
        self.wait_for_microphone(False)
        until(lambda: self.on("camera"), PATIENCE, "the camera")
        self.keys.press("v")
        until(lambda: not self.on("camera"), PATIENCE, "no camera")

    def test_each(self) -> None:
        """Each key presses its button if the button can be pressed, and has no effect otherwise."""
        self.warm()
        self.tab.evaluate(LISTEN)
        for key, name in (
            ("m", "mute"),
            ("v", "camera"),
            ("s", "share"),
            ("c", "chat-button"),
            ("p", "people-button"),
            ("g", "layout"),
            ("f", "full-screen"),
        ):
            self.tab.evaluate("globalThis.pressed = ''")
            can = self.tab.evaluate(CAN.format(name))
            self.keys.press(key)
            self.assertEqual(self.tab.evaluate("globalThis.pressed"), name if can else "", key)

    def test_not_while_typing(self) -> None:
        """A key that is typed into a field, or pressed with a modifier, is not a shortcut."""
        self.warm()
        self.tab.evaluate("document.getElementById('link').focus()")
        self.keys.press("m")
        self.keys.press("?")
        self.away()
        self.keys.press("Control+m")
        self.keys.press("Alt+m")
        self.assertTrue(self.on("mute"))
        self.assertFalse(self.open())

    def test_another_layout(self) -> None:
        """On a keyboard layout without Latin letters, the key in the same position has the same effect."""
        self.tab.evaluate(
            "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'ة', code: 'KeyM', bubbles: true}))"
        )
        self.wait_for_microphone(False)

    def test_push_to_talk(self) -> None:
        """A muted microphone is switched on while the space bar is held, however long."""
        self.keys.press("m")
        self.wait_for_microphone(False)
        self.keys.down("Space")
        self.wait_for_microphone(True)
        for _ in range(3):
            self.keys.down("Space")
        self.assertTrue(self.on("mute"))
        self.keys.up("Space")
        self.wait_for_microphone(False)
        self.assertEqual(self.tab.evaluate("scrollY"), 0)

    def test_push_to_talk_first(self) -> None:
        """Push-to-talk works as the first key of a call, and switches off if the key is released at once."""
        self.tab.click("#mute")
        self.wait_for_microphone(False)
        self.away()
        self.keys.press("Space")
        self.warm()
        self.assertFalse(self.on("mute"))
        self.keys.down("Space")
        self.wait_for_microphone(True)
        self.keys.up("Space")
        self.wait_for_microphone(False)

    def test_push_to_talk_ends(self) -> None:
        """Push-to-talk ends when the window loses the focus."""
        self.keys.press("m")
        self.wait_for_microphone(False)
        self.keys.down("Space")
        self.wait_for_microphone(True)
        self.tab.evaluate("window.dispatchEvent(new Event('blur'))")
        self.wait_for_microphone(False)
        self.keys.up("Space")
        self.assertFalse(self.on("mute"))

    def test_push_to_talk_unmuted(self) -> None:
        """Push-to-talk does not mute an open microphone."""
        self.warm()
        self.keys.press("Space")
        self.assertTrue(self.on("mute"))

    def test_space_presses_buttons(self) -> None:
        """A short press of the space bar presses the button that has the focus, and nothing else."""
        self.tab.evaluate("document.getElementById('camera').focus()")
        until(lambda: self.on("camera"), PATIENCE, "the camera")
        self.keys.press("m")
        self.wait_for_microphone(False)
        self.keys.press("Space")
        until(lambda: not self.on("camera"), PATIENCE, "no camera")
        self.assertFalse(self.on("mute"))

    def test_space_talks_on_a_button(self) -> None:
        """Held on any focused button, the space bar talks, and does not press the button when it is released."""
        self.keys.press("m")
        self.wait_for_microphone(False)
        for name in ("copy", "hang-up", "people-button", "mute"):
            self.tab.evaluate(f"document.getElementById('{name}').focus()")
            self.keys.down("Space")
            self.wait_for_microphone(True)
            self.keys.up("Space")
            self.wait_for_microphone(False)
            self.assertEqual(self.me.state, "waiting")
            self.assertFalse(self.me.shown("side"))

    def test_escape_leads_to_the_stage(self) -> None:
        """After Escape in a panel the stage has the focus, and the first press of the space bar talks."""
        self.keys.press("m")
        self.wait_for_microphone(False)
        self.keys.press("p")
        until(lambda: self.me.shown("side"), PATIENCE, "the panel")
        self.keys.press("Escape")
        until(lambda: not self.me.shown("side"), PATIENCE, "no panel")
        until(lambda: self.tab.evaluate("document.activeElement.id") == "stage", PATIENCE, "the focus on the stage")
        self.keys.down("Space")
        self.wait_for_microphone(True)
        self.keys.up("Space")
        self.wait_for_microphone(False)
        self.assertFalse(self.me.shown("side"))

    def test_the_first_key(self) -> None:
        """The space bar talks when it is the first key that is pressed, however slowly the shortcuts arrive."""
        tab = chromium().tab()
        self.addCleanup(tab.close)

        def delay(route: Route) -> None:
            tab.page.wait_for_timeout(500)
            route.continue_()

        tab.page.route("**/assets/extras.*", delay)
        page = CallPage(tab)
        page.open(self.daemon.url)
        page.host()
        until(lambda: tab.evaluate("document.getElementById('mute').dataset.on") == "true", PATIENCE, "sound")
        tab.click("#mute")
        tab.evaluate("document.activeElement.blur()")
        tab.page.keyboard.down("Space")
        until(lambda: tab.evaluate("document.getElementById('mute').dataset.on") == "true", PATIENCE, "talking")
        tab.page.keyboard.up("Space")
        until(lambda: tab.evaluate("document.getElementById('mute').dataset.on") == "false", PATIENCE, "silence")

    def test_sheet(self) -> None:
        """The question mark opens and closes the list of all shortcuts, and Escape closes it."""
        self.keys.press("?")
        until(self.open, PATIENCE, "the sheet")
        rows = self.tab.evaluate("document.getElementById('shortcut-rows').innerText")
        for words in ("M", "Microphone", "Space", "Talk while you hold it", "?"):
            self.assertIn(words, rows)
        self.keys.press("m")
        self.assertTrue(self.on("mute"))
        self.keys.press("?")
        until(lambda: not self.open(), PATIENCE, "no sheet")
        self.keys.press("?")
        until(self.open, PATIENCE, "the sheet again")
        self.keys.press("Escape")
        until(lambda: not self.open(), PATIENCE, "no sheet")

    def test_switched_off(self) -> None:
        """Shortcuts that are switched off stay off after a reload."""
        self.keys.press("?")
        until(self.open, PATIENCE, "the sheet")
        self.tab.click("#single-keys")
        self.keys.press("Escape")
        until(lambda: not self.open(), PATIENCE, "no sheet")
        for key in ("m", "?", "Space"):
            self.away()
            self.keys.press(key)
        self.assertTrue(self.on("mute"))
        self.assertFalse(self.open())
        self.tab.reload()
        self.me.wait_for("waiting")
        self.wait_for_microphone(True)
        self.away()
        self.keys.press("m")
        self.assertTrue(self.on("mute"))


class FirefoxTests(CallTestCase):
    """Tests of shortcuts in Firefox, which dispatch events instead of using a keyboard."""

    def test_keys(self) -> None:
        """A key presses its button, and the space bar unmutes the microphone while it is held."""
        page = self.page("Firefox")
        page.host()
        until(lambda: page.tab.evaluate("document.getElementById('mute').dataset.on") == "true", PATIENCE, "sound")
        page.tab.evaluate("void document.activeElement.blur()")
        for name, key, code, on in (
            ("keydown", "m", "KeyM", False),
            ("keydown", " ", "Space", True),
            ("keyup", " ", "Space", False),
            ("focus", "", "hang-up", False),
            ("keydown", " ", "Space", True),
            ("keyup", " ", "Space", False),
        ):
            self.send(page, name, key, code)
            wanted = f"document.getElementById('mute').dataset.on == '{str(on).lower()}'"
            until(lambda wanted: page.tab.evaluate(wanted), PATIENCE, f"{name} {code}", wanted)
        self.send(page, "keydown", "?", "Slash")
        until(lambda: page.tab.evaluate("document.getElementById('shortcuts').open"), PATIENCE, "the sheet")

    def send(self, page: CallPage, name: str, key: str, code: str) -> None:
        """Dispatch a keyboard event to the document, or move the focus to an element."""
        if name == "focus":
            page.tab.evaluate(f"void document.getElementById('{code}').focus()")
            return
        event = f"new KeyboardEvent('{name}', {{key: '{key}', code: '{code}', bubbles: true}})"
        page.tab.evaluate(f"void document.body.dispatchEvent({event})")
