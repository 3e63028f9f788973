"""Injects keys, buttons and motion through XTEST, and knows what is held by that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from Xlib import X

__all__ = ["BUTTONS", "Injection", "Keymap"]

BUTTONS = (1, 2, 3, 8, 9)
"""The X buttons of the W3C buttons left, middle, right, back and forward."""

UP, DOWN, LEFT, RIGHT = 4, 5, 6, 7
"""The X buttons that stand for steps of the wheel."""


class Keymap(Protocol):
    """Finds the key of the controlled computer for a W3C `code`."""

    def keycode(self, code: str) -> int:
        """Return the X keycode; 0 when the keyboard lacks the key."""


class Injection:
    """The keyboard and pointer that the viewer in control uses."""

    def __init__(
        self, fake_input: Callable[[int, int, int, int], None], keymap: Keymap, size: Callable[[], tuple[int, int]]
    ) -> None:
        """Create it with nothing held.

        Arguments:
            fake_input: injects one event: type, detail, x, y.
            keymap: finds the keys.
            size: returns the screen's width and height in pixels.

        """
        self._fake_input = fake_input
        self._keymap = keymap
        self._size = size
        self._keys: dict[str, int] = {}
        self._buttons: set[int] = set()

    @property
    def is_holding(self) -> bool:
        """Whether a key or button is held."""
        return bool(self._keys or self._buttons)

    def move(self, x: float, y: float) -> None:
        """Move the pointer to a place, in parts of the screen's size."""
        width, height = self._size()
        self._fake_input(X.MotionNotify, 0, min(width - 1, int(x * width)), min(height - 1, int(y * height)))

    def button(self, number: int, down: bool) -> None:
        """Press or release a button, by its W3C number."""
        button = BUTTONS[number]
        if down and button not in self._buttons:
            self._buttons.add(button)
            self._fake_input(X.ButtonPress, button, 0, 0)
        elif not down and button in self._buttons:
            self._buttons.remove(button)
            self._fake_input(X.ButtonRelease, button, 0, 0)

    def wheel(self, right: int, down: int) -> None:
        """Turn the wheel by steps."""
        for steps, negative, positive in ((right, LEFT, RIGHT), (down, UP, DOWN)):
            for _ in range(abs(steps)):
                button = positive if steps > 0 else negative
                self._fake_input(X.ButtonPress, button, 0, 0)
                self._fake_input(X.ButtonRelease, button, 0, 0)

    def key(self, code: str, down: bool) -> None:
        """Press or release a key; the keycode of the press is released, also if the layout has changed since."""
        if down and code not in self._keys:
            keycode = self._keymap.keycode(code)
            if keycode and keycode not in self._keys.values():
                self._keys[code] = keycode
                self._fake_input(X.KeyPress, keycode, 0, 0)
        elif not down and code in self._keys:
            self._fake_input(X.KeyRelease, self._keys.pop(code), 0, 0)

    def release_all(self) -> None:
        """Release every key and button that is held."""
        keys, buttons = list(self._keys), sorted(self._buttons)
        for code in reversed(keys):
            self.key(code, False)
        for button in buttons:
            self._buttons.remove(button)
            self._fake_input(X.ButtonRelease, button, 0, 0)
