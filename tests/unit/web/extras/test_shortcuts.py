"""The page's keyboard shortcuts."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.extras.shortcuts import (
    ALL,
    CLOSE,
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
    """`action`."""

    def does(self, key: str, code: str = "", *, kept: str = NOTHING, dialog: str = "", single: bool = True) -> str:
        """What a key does."""
        return action(key, code, kept, dialog, single)

    def test_each(self) -> None:
        """Each key of the table does what the table says, in either case."""
        for key, code, does in SHORTCUTS:
            self.assertEqual(self.does(key, code), does)
            self.assertEqual(self.does(key.upper() if len(key) == 1 else key, code), does)

    def test_others(self) -> None:
        """Other keys do nothing."""
        for key in ("x", "Enter", "Tab", "1", "", "Dead"):
            self.assertEqual(self.does(key), "")

    def test_layouts(self) -> None:
        """Without Latin letters the place of the key counts; with them, the letter."""
        self.assertEqual(self.does("ь", "KeyM"), "mute")
        self.assertEqual(self.does("ة", "KeyM"), "mute")
        self.assertEqual(self.does("m", "Semicolon"), "mute")
        self.assertEqual(self.does(",", "KeyM"), "")

    def test_question_mark(self) -> None:
        """Is the Arabic one as well, and no other letter in its place."""
        self.assertEqual(self.does("؟", "Slash"), SHEET)
        self.assertEqual(self.does("ظ", "Slash"), "")

    def test_typing(self) -> None:
        """A field keeps every key but Escape."""
        for key, code, does in SHORTCUTS:
            self.assertEqual(self.does(key, code, kept=ALL), CLOSE if does == CLOSE else "")

    def test_button(self) -> None:
        """A button keeps the space key alone."""
        self.assertEqual(self.does(" ", kept=SPACE), "")
        self.assertEqual(self.does("m", kept=SPACE), "mute")

    def test_dialog(self) -> None:
        """An open dialog covers the page; its own key closes the sheet, and Escape is the browser's."""
        for key, _, _ in SHORTCUTS:
            self.assertEqual(self.does(key, dialog="devices"), "")
        self.assertEqual(self.does("?", dialog=SHEET), SHEET)
        self.assertEqual(self.does("m", dialog=SHEET), "")

    def test_switched_off(self) -> None:
        """Then keys that are characters do nothing."""
        for key, code, does in SHORTCUTS:
            self.assertEqual(self.does(key, code, single=False), CLOSE if does == CLOSE else "")


class KeptTests(SynchronousTestCase):
    """`kept_by`."""

    def test_fields(self) -> None:
        """Into a field a person types, and a list is searched by typing."""
        for tag, kind in (("input", "text"), ("input", "password"), ("textarea", "textarea"), ("select", "select-one")):
            self.assertEqual(reserved_keys(tag, kind, False, ""), ALL)
        self.assertEqual(reserved_keys("div", "", True, ""), ALL)

    def test_pressed(self) -> None:
        """Space presses buttons, links, boxes and what has a role."""
        for tag, kind, role in (("button", "submit", ""), ("a", "", ""), ("input", "checkbox", ""), ("div", "", "tab")):
            self.assertEqual(reserved_keys(tag, kind, False, role), SPACE)

    def test_nothing(self) -> None:
        """The document itself keeps nothing."""
        self.assertEqual(reserved_keys("body", "", False, ""), NOTHING)


class TalkTests(SynchronousTestCase):
    """`PushToTalk`."""

    def setUp(self) -> None:
        """Nothing is held."""
        self.talk = PushToTalk()

    def test_hold(self) -> None:
        """The microphone is on while the key is held, however often it repeats."""
        self.assertTrue(self.talk.key_down(MUTED))
        self.assertTrue(self.talk.held)
        for _ in range(5):
            self.assertFalse(self.talk.key_down(ON))
        self.assertFalse(self.talk.should_press(ON))
        self.talk.key_up()
        self.assertFalse(self.talk.held)
        self.assertTrue(self.talk.should_press(ON))
        self.assertFalse(self.talk.should_press(MUTED))

    def test_unmuted(self) -> None:
        """Who can be heard is not muted by it."""
        self.assertFalse(self.talk.key_down(ON))
        self.talk.key_up()
        self.assertFalse(self.talk.should_press(ON))

    def test_muted_meanwhile(self) -> None:
        """Who mutes while holding stays muted, and a repeat does not change that."""
        self.talk.key_down(MUTED)
        self.assertFalse(self.talk.key_down(MUTED))
        self.talk.key_up()
        self.assertFalse(self.talk.should_press(MUTED))
        self.assertFalse(self.talk.should_press(ON))

    def test_short_press(self) -> None:
        """A microphone that comes after the key was let go is muted as soon as it is there."""
        self.assertTrue(self.talk.key_down(OFF))
        self.talk.key_up()
        self.assertFalse(self.talk.should_press(REQUESTED))
        self.assertTrue(self.talk.should_press(ON))
        self.assertFalse(self.talk.should_press(MUTED))

    def test_refused(self) -> None:
        """One that does not come is not asked for again."""
        self.talk.key_down(OFF)
        self.talk.key_up()
        self.assertFalse(self.talk.should_press(REQUESTED))
        self.assertFalse(self.talk.should_press(OFF))
        self.assertFalse(self.talk.should_press(ON))

    def test_again_before_it_comes(self) -> None:
        """A second press while the microphone still comes goes on with it."""
        self.talk.key_down(OFF)
        self.talk.key_up()
        self.assertFalse(self.talk.key_down(REQUESTED))
        self.assertTrue(self.talk.held)
        self.assertFalse(self.talk.should_press(ON))
        self.talk.key_up()
        self.assertTrue(self.talk.should_press(ON))

    def test_somebody_else_asks(self) -> None:
        """A microphone that the button asked for is not the key's."""
        self.assertFalse(self.talk.key_down(REQUESTED))
        self.talk.key_up()
        self.assertFalse(self.talk.should_press(ON))

    def test_let_go_without_a_press(self) -> None:
        """A key that was pressed elsewhere mutes nobody."""
        self.talk.key_up()
        self.assertFalse(self.talk.should_press(ON))
