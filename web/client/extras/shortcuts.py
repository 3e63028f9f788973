"""Decides which command a key runs, and when. It does not touch the browser."""

from __future__ import annotations

from ..model.devices import ON, REQUESTED

__all__ = [
    "ALL",
    "CLOSE",
    "HOLD",
    "NOTHING",
    "SHEET",
    "SHORTCUTS",
    "SPACE",
    "TALK",
    "PushToTalk",
    "action",
    "reserved_keys",
]

TALK = "talk"
HOLD = "hold"
SHEET = "shortcuts"
CLOSE = "close"

SHORTCUTS = (
    ("m", "KeyM", "mute"),
    (" ", "Space", TALK),
    ("v", "KeyV", "camera"),
    ("s", "KeyS", "share"),
    ("d", "KeyD", "point"),
    ("c", "KeyC", "chat-button"),
    ("p", "KeyP", "people-button"),
    ("g", "KeyG", "layout"),
    ("f", "KeyF", "full-screen"),
    ("Escape", "Escape", CLOSE),
    ("?", "Slash", SHEET),
)
"""Tuples of `KeyboardEvent.key`, `KeyboardEvent.code` and a command. The command is `TALK`, `SHEET` (the sheet that
lists the shortcuts), `CLOSE`, or the id of a button, which is clicked if it is visible and enabled. The sheet shows the
shortcuts in this order."""

# These are the sets of keys that the focused element handles itself.
NOTHING = "nothing"
SPACE = "space"
ALL = "all"

INPUTS = ("input", "textarea", "select")
BUTTON_TYPES = ("button", "checkbox", "color", "file", "image", "radio", "range", "reset", "submit")
"""Types of `input` that take no text, most of which the space key presses."""

BUTTONS = ("a", "audio", "button", "summary", "video")


def reserved_keys(tag: str, kind: str, editable: bool, role: str) -> str:
    """Return which keys the focused element handles itself: `ALL`, `SPACE`, or `NOTHING`.

    Arguments:
        tag: its tag name, in lower case.
        kind: its `type`, if it has one.
        editable: whether its contents can be edited.
        role: its ARIA role, or empty.

    """
    if editable or (tag in INPUTS and kind not in BUTTON_TYPES):
        return ALL
    return SPACE if tag in INPUTS or tag in BUTTONS or role else NOTHING


def action(key: str, code: str, reserved: str, dialog: str, single: bool) -> str:
    """Return the command of a key, empty for none; the caller excludes keys pressed with Ctrl, Alt or Meta.

    `HOLD` is push-to-talk while a button has the focus: a short press belongs to the button.

    The checks come in this order: keys of the focused element, the open dialog, whether single-character shortcuts are
    switched off (WCAG 2.2, 2.1.4), the table.

    Arguments:
        key: `KeyboardEvent.key`.
        code: `KeyboardEvent.code`, which identifies the key on layouts without Latin letters.
        reserved: which keys the focused element handles itself.
        dialog: the id of an open dialog, which the browser closes at Escape.
        single: whether single-character shortcuts are switched on.

    """
    found = _meaning(key, code)
    if found == CLOSE:
        return "" if dialog else found
    if reserved == ALL or not single or (dialog and dialog != found):
        return ""
    return HOLD if reserved == SPACE and found == TALK else found


def _meaning(key: str, code: str) -> str:
    foreign = len(key) == 1 and ord(key) > 127
    for latin, position, command in SHORTCUTS:
        if latin in (key, key.lower()) or (foreign and code == position and (command != SHEET or key == "؟")):
            return command
    return ""


class PushToTalk:
    """Push-to-talk: decides when to press the microphone's button. A status is one of `devices`."""

    def __init__(self) -> None:
        self._held = False
        self._restore = False

    def press(self, status: str) -> bool:
        """Handle the pressed key, and return whether to press the button; auto-repeat presses nothing."""
        if self._held or status == ON or (status == REQUESTED and not self._restore):
            return False
        # After a short press before, the microphone may still be starting: it must not be pressed off again.
        pressed = not self._restore
        self._held = True
        self._restore = False
        return pressed

    def release(self) -> None:
        """Handle the released key, or a page that lost the focus."""
        self._restore = self._held or self._restore
        self._held = False

    @property
    def held(self) -> bool:
        """Whether the key is held."""
        return self._held

    def should_press(self, status: str) -> bool:
        """Return whether to press the button to restore the previous state; call it at each change of the status."""
        if not self._restore or status == REQUESTED:
            return False
        self._restore = False
        return status == ON
