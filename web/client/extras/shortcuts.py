"""Which key does what, and when: pure."""

from __future__ import annotations

from ..model.devices import ASKING, ON

__all__ = ["ALL", "CLOSE", "NOTHING", "SHEET", "SHORTCUTS", "SPACE", "TALK", "PushToTalk", "action", "kept_by"]

TALK = "talk"
SHEET = "shortcuts"
CLOSE = "close"

SHORTCUTS = (
    ("m", "KeyM", "mute"),
    (" ", "Space", TALK),
    ("v", "KeyV", "camera"),
    ("s", "KeyS", "share"),
    ("c", "KeyC", "chat-button"),
    ("p", "KeyP", "people-button"),
    ("g", "KeyG", "layout"),
    ("f", "KeyF", "full-screen"),
    ("Escape", "Escape", CLOSE),
    ("?", "Slash", SHEET),
)
"""`KeyboardEvent.key`, `KeyboardEvent.code`, and what it does: `TALK`, `SHEET`, `CLOSE`, or the id of the button that
it presses wherever that is seen and enabled. The order is that of the sheet."""

# What the element with the focus keeps for itself.
NOTHING = "nothing"
SPACE = "space"
ALL = "all"

FIELDS = ("input", "textarea", "select")
PRESSED_FIELDS = ("button", "checkbox", "color", "file", "image", "radio", "range", "reset", "submit")
"""Types of `input` into which nothing is typed, and most of which the space key presses."""

PRESSED = ("a", "audio", "button", "summary", "video")


def kept_by(tag: str, kind: str, editable: bool, role: str) -> str:
    """Return what the element with the focus keeps: `ALL` keys, `SPACE`, or `NOTHING`.

    Args:
        tag: its name, in lower case.
        kind: its `type`, if it has one.
        editable: whether its contents can be edited.
        role: its ARIA role, or empty.

    """
    if editable or (tag in FIELDS and kind not in PRESSED_FIELDS):
        return ALL
    return SPACE if tag in FIELDS or tag in PRESSED or role else NOTHING


def action(key: str, code: str, kept: str, dialog: str, single: bool) -> str:
    """Return what a key does, empty for nothing; one pressed with Ctrl, Alt or Meta never gets here.

    Looked at in this order: what the focused element keeps, the dialog that covers the page, whether keys are switched
    off (WCAG 2.2, 2.1.4), the table.

    Args:
        key: `KeyboardEvent.key`.
        code: `KeyboardEvent.code`, which names the key where the layout has no Latin letters.
        kept: what the element with the focus keeps.
        dialog: the id of an open dialog; it closes by itself at Escape.
        single: whether keys that are characters do something.

    """
    found = _meaning(key, code)
    if found == CLOSE:
        return "" if dialog else found
    if kept == ALL or (kept == SPACE and found == TALK) or not single:
        return ""
    return found if not dialog or dialog == found else ""


def _meaning(key: str, code: str) -> str:
    foreign = len(key) == 1 and ord(key) > 127
    for own, place, does in SHORTCUTS:
        if own in (key, key.lower()) or (foreign and code == place and (does != SHEET or key == "؟")):
            return does
    return ""


class PushToTalk:
    """The microphone is on while a key is held: what is to be pressed when. A status is one of `devices`."""

    def __init__(self) -> None:
        self._held = False
        self._owed = False

    def down(self, status: str) -> bool:
        """The key went down: whether to press the microphone's button. A repeat presses nothing."""
        if self._held or status == ON or (status == ASKING and not self._owed):
            return False
        # Of a short press before, the microphone may only just be coming.
        pressed = not self._owed
        self._held = True
        self._owed = False
        return pressed

    def up(self) -> None:
        """The key was let go, or the page is out of sight."""
        self._owed = self._held or self._owed
        self._held = False

    @property
    def held(self) -> bool:
        """Whether the person talks by holding the key."""
        return self._held

    def settle(self, status: str) -> bool:
        """Whether to press the microphone's button now, so that it is as before; ask at each change."""
        if not self._owed or status == ASKING:
            return False
        self._owed = False
        return status == ON
