"""Tests of the page's keyboard shortcuts."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.extras.shortcuts import (
    ALL,
    CLOSE,
    HOLD,
    NOTHING,
    SHEET,
    SHORTCUTS,
    SPACE,
    PushToTalk,
    action,
    reserved_keys,
)
from signald_page.client.model.devices import MUTED, OFF, ON, REQUESTED


class ActionTests(SynchronousTestCase):
    """`action` maps keys to commands."""

    def command(
        self, key: str, code: str = "", *, reserved: str = NOTHING, dialog: str = "", single: bool = True
    ) -> str:
        """Return the command of a key."""
        return action(key, code, reserved, dialog, single)

    def test_table(self) -> None:
        """Each key of the table runs its command, in either case."""
        for key, code, does in SHORTCUTS:
            self.assertEqual(self.command(key, code), does)
            self.assertEqual(self.command(key.upper() if len(key) == 1 else key, code), does)

    def test_other_keys(self) -> None:
        """Other keys do nothing."""
        for key in ("x", "Enter", "Tab", "1", "", "Dead"):
            self.assertEqual(self.command(key), "")

    def test_layouts(self) -> None:
        """On layouts without Latin letters the key code counts, on others the letter."""
        self.assertEqual(self.command("ь", "KeyM"), "mute")
        self.assertEqual(self.command("ة", "KeyM"), "mute")
        self.assertEqual(self.command("m", "Semicolon"), "mute")
        self.assertEqual(self.command(",", "KeyM"), "")

    def test_question_mark(self) -> None:
        """The Arabic question mark opens the list as well, and no other letter on that key does."""
        self.assertEqual(self.command("؟", "Slash"), SHEET)
        self.assertEqual(self.command("ظ", "Slash"), "")

    def test_text_field(self) -> None:
        """A text field handles every key itself but Escape."""
        for key, code, does in SHORTCUTS:
            self.assertEqual(self.command(key, code, reserved=ALL), CLOSE if does == CLOSE else "")

    def test_button(self) -> None:
        """On a button, a short press of the space key belongs to the button, and a long one is push-to-talk."""
        self.assertEqual(self.command(" ", reserved=SPACE), HOLD)
        self.assertEqual(self.command(" ", reserved=SPACE, dialog="devices"), "")
        self.assertEqual(self.command(" ", reserved=SPACE, single=False), "")
        self.assertEqual(self.command("m", reserved=SPACE), "mute")

    def test_dialog(self) -> None:
        """An open dialog blocks shortcuts; its own key closes the list, and Escape is left to the browser."""
        for key, _, _ in SHORTCUTS:
            self.assertEqual(self.command(key, dialog="devices"), "")
        self.assertEqual(self.command("?", dialog=SHEET), SHEET)
        self.assertEqual(self.command("m", dialog=SHEET), "")

    def test_single_keys_switched_off(self) -> None:
        """Single-character shortcuts can be switched off."""
        for key, code, does in SHORTCUTS:
            self.assertEqual(self.command(key, code, single=False), CLOSE if does == CLOSE else "")


class ReservedKeysTests(SynchronousTestCase):
    """`reserved_keys` returns the keys that the focused element handles itself."""

    def test_fields(self) -> None:
        """Text fields and lists handle all keys themselves."""
        for tag, kind in (("input", "text"), ("input", "password"), ("textarea", "textarea"), ("select", "select-one")):
            self.assertEqual(reserved_keys(tag, kind, False, ""), ALL)
        self.assertEqual(reserved_keys("div", "", True, ""), ALL)

    def test_pressed(self) -> None:
        """Buttons, links, check boxes and elements with a role handle the space key themselves."""
        for tag, kind, role in (("button", "submit", ""), ("a", "", ""), ("input", "checkbox", ""), ("div", "", "tab")):
            self.assertEqual(reserved_keys(tag, kind, False, role), SPACE)

    def test_document(self) -> None:
        """The document itself handles no key."""
        self.assertEqual(reserved_keys("body", "", False, ""), NOTHING)


class PushToTalkTests(SynchronousTestCase):
    """`PushToTalk` decides when to press the microphone's button."""

    def setUp(self) -> None:
        """Start without a held key."""
        self.talk = PushToTalk()

    def test_held_key(self) -> None:
        """The microphone is on while the key is held, however often it repeats."""
        self.assertTrue(self.talk.press(MUTED))
        self.assertTrue(self.talk.held)
        for _ in range(5):
            self.assertFalse(self.talk.press(ON))
        self.assertFalse(self.talk.should_press(ON))
        self.talk.release()
        self.assertFalse(self.talk.held)
        self.assertTrue(self.talk.should_press(ON))
        self.assertFalse(self.talk.should_press(MUTED))

    def test_unmuted(self) -> None:
        """Push-to-talk does not mute a microphone that is on."""
        self.assertFalse(self.talk.press(ON))
        self.talk.release()
        self.assertFalse(self.talk.should_press(ON))

    def test_muted_while_held(self) -> None:
        """A person who mutes while holding the key stays muted, even when the key repeats."""
        self.talk.press(MUTED)
        self.assertFalse(self.talk.press(MUTED))
        self.talk.release()
        self.assertFalse(self.talk.should_press(MUTED))
        self.assertFalse(self.talk.should_press(ON))

    def test_short_press(self) -> None:
        """A microphone that starts after the key was released is muted at once."""
        self.assertTrue(self.talk.press(OFF))
        self.talk.release()
        self.assertFalse(self.talk.should_press(REQUESTED))
        self.assertTrue(self.talk.should_press(ON))
        self.assertFalse(self.talk.should_press(MUTED))

    def test_refused(self) -> None:
        """A microphone that was refused is not requested again."""
        self.talk.press(OFF)
        self.talk.release()
        self.assertFalse(self.talk.should_press(REQUESTED))
        self.assertFalse(self.talk.should_press(OFF))
        self.assertFalse(self.talk.should_press(ON))

    def test_second_press_while_starting(self) -> None:
        """A second press while the microphone starts continues with it."""
        self.talk.press(OFF)
        self.talk.release()
        self.assertFalse(self.talk.press(REQUESTED))
        self.assertTrue(self.talk.held)
        self.assertFalse(self.talk.should_press(ON))
        self.talk.release()
        self.assertTrue(self.talk.should_press(ON))

    def test_requested_by_the_button(self) -> None:
        """A microphone that was requested by its button is left alone."""
        self.assertFalse(self.talk.press(REQUESTED))
        self.talk.release()
        self.assertFalse(self.talk.should_press(ON))

    def test_release_without_a_press(self) -> None:
        """A released key that was pressed elsewhere mutes nobody."""
        self.talk.release()
        self.assertFalse(self.talk.should_press(ON))
