"""Tests what is injected, and that nothing is left pressed."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from Xlib import X

from signald_client.control.injection import Injection
from signald_client.control.key_codes import KEYSYM_OF_CODE, KNOWN_CODES, POSITION_OF_CODE
from signald_client.control.keyboard_map import FAKE_KEYS, KeyboardMap


class MapOfThree:
    """A keyboard with two keys, one of which has two codes."""

    def keycode(self, code: str) -> int:
        """Return the keycode."""
        return {"KeyA": 38, "KeyB": 56, "Enter": 36, "NumpadEnter": 36}.get(code, 0)


class InjectionTests(SynchronousTestCase):
    """`Injection`."""

    def setUp(self) -> None:
        """Create it for a screen of 800 by 600."""
        self.sent: list[tuple[int, int, int, int]] = []
        self.injection = Injection(lambda *event: self.sent.append(event), MapOfThree(), lambda: (800, 600))

    def test_place(self) -> None:
        """The right and lower edges are the last pixels."""
        for place in ((0.0, 0.0), (1.0, 1.0), (0.5, 0.25)):
            self.injection.move(*place)
        self.assertEqual([event[2:] for event in self.sent], [(0, 0), (799, 599), (400, 150)])

    def test_keys_that_the_keyboard_lacks(self) -> None:
        """A key that does not exist, or whose keycode is held by another code, is not pressed."""
        self.injection.key("F9", True)
        self.injection.key("F9", False)
        self.injection.key("Enter", True)
        self.injection.key("NumpadEnter", True)
        self.injection.key("NumpadEnter", False)
        self.assertEqual(self.sent, [(X.KeyPress, 36, 0, 0)])

    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("key"), st.sampled_from(("KeyA", "KeyB", "Enter", "NumpadEnter")), st.booleans()),
                st.tuples(st.just("button"), st.integers(0, 4), st.booleans()),
                st.tuples(st.just("wheel"), st.integers(-10, 10), st.integers(-10, 10)),
                st.tuples(st.just("release_all")),
            )
        )
    )
    def test_nothing_is_left(self, calls: list[tuple[Any, ...]]) -> None:
        """After any sequence of events, what is released is exactly what was pressed."""
        self.setUp()
        for name, *arguments in calls:
            getattr(self.injection, name)(*arguments)
        self.injection.release_all()
        self.assertFalse(self.injection.is_holding)
        pressed: set[tuple[int, int]] = set()
        for type_, detail, _, _ in self.sent:
            if type_ in (X.KeyPress, X.ButtonPress):
                self.assertNotIn((type_, detail), pressed)
                pressed.add((type_, detail))
            else:
                pressed.remove((type_ - 1, detail))
        self.assertEqual(pressed, set())


class KeyboardMapTests(SynchronousTestCase):
    """`KeyboardMap`, and the table of codes."""

    def test_table(self) -> None:
        """Each code has a position or a keysym, and no two codes have one position."""
        self.assertEqual(set(POSITION_OF_CODE) & set(KEYSYM_OF_CODE), set())
        self.assertEqual(len(set(POSITION_OF_CODE.values())), len(POSITION_OF_CODE))
        self.assertEqual(len(KNOWN_CODES), len(POSITION_OF_CODE) + len(KEYSYM_OF_CODE))
        for code in ("Power", "Sleep", "WakeUp"):
            self.assertNotIn(code, KNOWN_CODES)

    def test_third_level(self) -> None:
        """The right Alt key is the third level where the layout has one there, never a key that is none."""

        class Keyboard:
            keys: dict[int, list[tuple[int, int]]]

            def keysym_to_keycodes(self, keysym: int) -> list[tuple[int, int]]:
                return self.keys.get(keysym, [])

        level3, alt = 0xFE03, 0xFFEA
        keyboard = Keyboard()
        keyboard.keys = {level3: [(92, 0), (108, 0)], alt: []}
        self.assertEqual(KeyboardMap(keyboard).keycode("AltRight"), 108)
        keyboard.keys = {level3: [(92, 0)], alt: [(108, 0)]}
        self.assertIn(92, FAKE_KEYS)
        self.assertEqual(KeyboardMap(keyboard).keycode("AltRight"), 108)
        keyboard.keys = {}
        self.assertEqual(KeyboardMap(keyboard).keycode("AltRight"), 0)
        self.assertEqual(KeyboardMap(keyboard).keycode("KeyZ"), 52)
        self.assertEqual(KeyboardMap(keyboard).keycode("Nothing"), 0)
