"""Finds the keys of the X server's keyboard."""

from __future__ import annotations

from typing import Any

from Xlib import XK

from signald_client.control.key_codes import KEYSYM_OF_CODE, POSITION_OF_CODE

__all__ = ["KeyboardMap"]

FAKE_KEYS = frozenset({92, *range(203, 208)})
"""Keycodes that XKB's rules for evdev give to modifiers of no key, such as `<LVL3>`; they differ from the real keys."""

XK.load_keysym_group("xkb")


class KeyboardMap:
    """The keyboard of the controlled computer, with its present layout."""

    def __init__(self, display: Any) -> None:
        self._display = display

    def keycode(self, code: str) -> int:
        """Return the X keycode of a W3C `code`; 0 when the keyboard lacks the key."""
        if code in POSITION_OF_CODE:
            return POSITION_OF_CODE[code]
        for name in KEYSYM_OF_CODE.get(code, ()):
            found = self.keycode_of_keysym(name)
            if found:
                return found
        return 0

    def keycode_of_keysym(self, name: str) -> int:
        """Return the keycode of the key that has a keysym of this name; 0 when there is none."""
        keysym = XK.string_to_keysym(name)
        codes = [code for code, _ in self._display.keysym_to_keycodes(keysym)] if keysym else []
        return next((code for code in codes if code not in FAKE_KEYS), 0)
