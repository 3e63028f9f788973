"""The keys that a viewer can press: from the W3C `code` of a key to the key of an X server.

Keys that write text are addressed by their position, so that the layout of the controlled computer decides what they
write, dead keys and the third level (AltGr) included, as if its user pressed them. All other keys are addressed by
their keysym, because their positions differ between X servers. Keys that switch off the computer are left out.
"""

from __future__ import annotations

__all__ = ["KEYSYM_OF_CODE", "KNOWN_CODES", "POSITION_OF_CODE"]

_ROWS = {
    10: "Digit1 Digit2 Digit3 Digit4 Digit5 Digit6 Digit7 Digit8 Digit9 Digit0 Minus Equal",
    24: "KeyQ KeyW KeyE KeyR KeyT KeyY KeyU KeyI KeyO KeyP BracketLeft BracketRight",
    38: "KeyA KeyS KeyD KeyF KeyG KeyH KeyJ KeyK KeyL Semicolon Quote Backquote",
    51: "Backslash KeyZ KeyX KeyC KeyV KeyB KeyN KeyM Comma Period Slash",
    94: "IntlBackslash",
}

POSITION_OF_CODE: dict[str, int] = {
    code: first + index for first, row in _ROWS.items() for index, code in enumerate(row.split())
}
"""X keycodes of the keys that write text; they are the same for evdev and the older drivers (XKB `keycodes`)."""

KEYSYM_OF_CODE: dict[str, tuple[str, ...]] = {
    "Escape": ("Escape",),
    "Backspace": ("BackSpace",),
    "Tab": ("Tab",),
    "Enter": ("Return",),
    "Space": ("space",),
    "CapsLock": ("Caps_Lock",),
    "ShiftLeft": ("Shift_L",),
    "ShiftRight": ("Shift_R",),
    "ControlLeft": ("Control_L",),
    "ControlRight": ("Control_R",),
    "AltLeft": ("Alt_L",),
    # Layouts with a third level have it on the right Alt key.
    "AltRight": ("ISO_Level3_Shift", "Alt_R"),
    "MetaLeft": ("Super_L",),
    "MetaRight": ("Super_R", "Super_L"),
    "ContextMenu": ("Menu",),
    "ArrowUp": ("Up",),
    "ArrowDown": ("Down",),
    "ArrowLeft": ("Left",),
    "ArrowRight": ("Right",),
    "Home": ("Home",),
    "End": ("End",),
    "PageUp": ("Prior",),
    "PageDown": ("Next",),
    "Insert": ("Insert",),
    "Delete": ("Delete",),
    "PrintScreen": ("Print",),
    "ScrollLock": ("Scroll_Lock",),
    "Pause": ("Pause",),
    "NumLock": ("Num_Lock",),
    "NumpadDivide": ("KP_Divide",),
    "NumpadMultiply": ("KP_Multiply",),
    "NumpadSubtract": ("KP_Subtract",),
    "NumpadAdd": ("KP_Add",),
    "NumpadEnter": ("KP_Enter",),
    "NumpadDecimal": ("KP_Delete", "KP_Decimal"),
    "Numpad0": ("KP_Insert", "KP_0"),
    "Numpad1": ("KP_End", "KP_1"),
    "Numpad2": ("KP_Down", "KP_2"),
    "Numpad3": ("KP_Next", "KP_3"),
    "Numpad4": ("KP_Left", "KP_4"),
    "Numpad5": ("KP_Begin", "KP_5"),
    "Numpad6": ("KP_Right", "KP_6"),
    "Numpad7": ("KP_Home", "KP_7"),
    "Numpad8": ("KP_Up", "KP_8"),
    "Numpad9": ("KP_Prior", "KP_9"),
    **{f"F{number}": (f"F{number}",) for number in range(1, 13)},
}
"""Names of keysyms, of which the first that the keyboard has is used."""

KNOWN_CODES = frozenset((*POSITION_OF_CODE, *KEYSYM_OF_CODE))
