"""The keyboard shortcuts, and push to talk, in a browser."""

from __future__ import annotations

from tests.suites.e2e.browsers import chromium
from tests.suites.e2e.call_page import PATIENCE, CallPage
from tests.suites.e2e.case import CallTestCase
from tests.suites.e2e.chromium import ChromiumTab
from tests.suites.e2e.waiting import until

#: JavaScript: note the id of what was pressed last, which does nothing from then on.
LISTEN = """document.addEventListener('click', event => {
    globalThis.pressed = event.target.id;
    event.stopImmediatePropagation();
}, true)"""

#: JavaScript: whether a button can be pressed, if need be after its menu was opened.
CAN = """(button => Boolean(button && !button.disabled && !button.hidden && (button.checkVisibility()
    || (button.closest('[popover]') && document.getElementById('more-button').checkVisibility())
)))(document.getElementById('{}'))"""


class ShortcutTests(CallTestCase):
    """A person at a keyboard."""

    def setUp(self) -> None:
        """Wait for somebody, with camera and microphone on."""
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
        """Let nothing have the focus."""
        self.tab.evaluate("document.activeElement.blur()")

    def on(self, name: str) -> bool:
        """Return whether a device is on."""
        return bool(self.tab.evaluate(f"document.getElementById('{name}').dataset.on == 'true'"))

    def wait_for_microphone(self, on: bool) -> None:
        """Wait until the microphone is on, or off."""
        until(lambda: self.on("mute") == on, PATIENCE, f"a microphone that is {'on' if on else 'off'}")

    def open(self) -> bool:
        """Return whether the sheet of shortcuts is open."""
        return bool(self.tab.evaluate("document.getElementById('shortcuts').open"))

    def warm(self) -> None:
        """Let the page know that keys are used."""
        self.keys.press("?")
        until(self.open, PATIENCE, "the sheet")
        self.keys.press("?")
        until(lambda: not self.open(), PATIENCE, "no sheet")
        self.away()

    def test_devices(self) -> None:
        """M is the microphone, V the camera, with capital letters as well, and once for a press that repeats."""
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
        """Each key presses its button where there is one that can be pressed, and nothing elsewhere."""
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
        """A key that is typed into a field, or with a modifier, is no shortcut."""
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
        """Without Latin letters the key in the same place does the same."""
        self.tab.evaluate(
            "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'ة', code: 'KeyM', bubbles: true}))"
        )
        self.wait_for_microphone(False)

    def test_push_to_talk(self) -> None:
        """The microphone of who is muted is on while space is held, however long."""
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
        """It works for who has pressed no other key before, and never goes on when the key is let go at once."""
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
        """It ends when the window loses the keyboard."""
        self.keys.press("m")
        self.wait_for_microphone(False)
        self.keys.down("Space")
        self.wait_for_microphone(True)
        self.tab.evaluate("window.dispatchEvent(new Event('blur'))")
        self.wait_for_microphone(False)
        self.keys.up("Space")
        self.assertFalse(self.on("mute"))

    def test_push_to_talk_unmuted(self) -> None:
        """Push to talk does not mute an open microphone."""
        self.warm()
        self.keys.press("Space")
        self.assertTrue(self.on("mute"))

    def test_space_presses_buttons(self) -> None:
        """With the focus on a button, space presses the button and nothing else."""
        self.tab.evaluate("document.getElementById('camera').focus()")
        until(lambda: self.on("camera"), PATIENCE, "the camera")
        self.keys.press("m")
        self.wait_for_microphone(False)
        self.keys.press("Space")
        until(lambda: not self.on("camera"), PATIENCE, "no camera")
        self.assertFalse(self.on("mute"))

    def test_sheet(self) -> None:
        """The question mark opens a list of all of them, and closes it; so does Escape."""
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
    """The same in Firefox, with events in the place of a keyboard."""

    def test_keys(self) -> None:
        """A key presses its button, and space lets who is muted talk for as long as it is held."""
        page = self.page("Firefox")
        page.host()
        until(lambda: page.tab.evaluate("document.getElementById('mute').dataset.on") == "true", PATIENCE, "sound")
        page.tab.evaluate("void document.activeElement.blur()")
        for name, key, code, on in (
            ("keydown", "m", "KeyM", False),
            ("keydown", " ", "Space", True),
            ("keyup", " ", "Space", False),
        ):
            self.send(page, name, key, code)
            wanted = f"document.getElementById('mute').dataset.on == '{str(on).lower()}'"
            until(lambda wanted: page.tab.evaluate(wanted), PATIENCE, f"{name} {code}", wanted)
        self.send(page, "keydown", "?", "Slash")
        until(lambda: page.tab.evaluate("document.getElementById('shortcuts').open"), PATIENCE, "the sheet")

    def send(self, page: CallPage, name: str, key: str, code: str) -> None:
        """Send an event of the keyboard to the document."""
        event = f"new KeyboardEvent('{name}', {{key: '{key}', code: '{code}', bubbles: true}})"
        page.tab.evaluate(f"void document.body.dispatchEvent({event})")
