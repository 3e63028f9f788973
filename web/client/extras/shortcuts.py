"""Which key does what, and when: pure."""

from __future__ import annotations

from ..model.devices import ON, REQUESTED

__all__ = ["ALL", "CLOSE", "NOTHING", "SHEET", "SHORTCUTS", "SPACE", "TALK", "PushToTalk", "action", "reserved_keys"]

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

INPUT_TAGS = ("input", "textarea", "select")
PRESSED_TYPES = ("button", "checkbox", "color", "file", "image", "radio", "range", "reset", "submit")
"""Types of `input` into which nothing is typed, and most of which the space key presses."""

PRESSED_TAGS = ("a", "audio", "button", "summary", "video")


def reserved_keys(tag: str, kind: str, editable: bool, role: str) -> str:
    """Return what the element with the focus keeps: `ALL` keys, `SPACE`, or `NOTHING`.

    Args:
        tag: its name, in lower case.
        kind: its `type`, if it has one.
        editable: whether its contents can be edited.
        role: its ARIA role, or empty.

    """
    if editable or (tag in INPUT_TAGS and kind not in PRESSED_TYPES):
        return ALL
    return SPACE if tag in INPUT_TAGS or tag in PRESSED_TAGS or role else NOTHING


def action(key: str, code: str, reserved: str, dialog: str, single: bool) -> str:
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
    if reserved == ALL or (reserved == SPACE and found == TALK) or not single:
        return ""
    return found if not dialog or dialog == found else ""


def _meaning(key: str, code: str) -> str:
    foreign = len(key) == 1 and ord(key) > 127
    for latin, position, command in SHORTCUTS:
        if latin in (key, key.lower()) or (foreign and code == position and (command != SHEET or key == "؟")):
            return command
    return ""


class PushToTalk:
    """The microphone is on while a key is held: what is to be pressed when. A status is one of `devices`."""

    def __init__(self) -> None:
        self._held = False
        self._restore = False

    def key_down(self, status: str) -> bool:
        """The key went down: whether to press the microphone's button. A repeat presses nothing."""
        if self._held or status == ON or (status == REQUESTED and not self._restore):
            return False
        # Of a short press before, the microphone may only just be coming.
        pressed = not self._restore
        self._held = True
        self._restore = False
        return pressed

    def key_up(self) -> None:
        """The key was let go, or the page is out of sight."""
        self._restore = self._held or self._restore
        self._held = False

    @property
    def held(self) -> bool:
        """Whether the person talks by holding the key."""
        return self._held

    def should_press(self, status: str) -> bool:
        """Whether to press the microphone's button now, so that it is as before; ask at each change."""
        if not self._restore or status == REQUESTED:
            return False
        self._restore = False
        return status == ON
