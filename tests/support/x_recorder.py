"""Prints the events that a window over the whole screen gets, as JSON, one a line: x_recorder.py DISPLAY.

With each press of the left button the window changes between black and white.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from Xlib import XK, X
from Xlib.display import Display

XK.load_keysym_group("xkb")

SHIFTED, THIRD_LEVEL = 1, 4
"""Columns of the core keyboard mapping: with Shift, and with the modifier of the third level (XKB §17)."""

NAMES = {value: name[3:] for name, value in vars(XK).items() if name.startswith("XK_")}
NAMES[0x20AC] = "EuroSign"
"""The names of keysyms; python-xlib does not have those of currencies."""

KINDS = {X.KeyPress: "+", X.KeyRelease: "-", X.ButtonPress: "+", X.ButtonRelease: "-"}


def describe(display: Any, event: Any) -> dict[str, Any]:
    """Return an event as plain values."""
    place = {"x": event.root_x, "y": event.root_y}
    if event.type == X.MotionNotify:
        return {"kind": "motion", **place}
    sign = KINDS[event.type]
    if event.type in (X.ButtonPress, X.ButtonRelease):
        return {"kind": "button", "name": f"{sign}{event.detail}", **place}
    column = SHIFTED * bool(event.state & X.ShiftMask) + THIRD_LEVEL * bool(event.state & X.Mod5Mask)
    keysym = display.keycode_to_keysym(event.detail, column)
    if column and keysym not in NAMES:
        # The key has fewer levels, as most modifiers have.
        keysym = display.keycode_to_keysym(event.detail, 0)
    return {"kind": "key", "name": sign + NAMES.get(keysym, "")}


def main() -> None:
    """Create the window, and print until the process is killed."""
    display = Display(sys.argv[1])
    screen = display.screen()
    window = screen.root.create_window(
        0,
        0,
        screen.width_in_pixels,
        screen.height_in_pixels,
        0,
        X.CopyFromParent,
        override_redirect=1,
        background_pixel=screen.black_pixel,
        event_mask=X.KeyPressMask
        | X.KeyReleaseMask
        | X.ButtonPressMask
        | X.ButtonReleaseMask
        | X.PointerMotionMask
        | X.ExposureMask,
    )
    window.map()
    while display.next_event().type != X.Expose:
        pass
    window.set_input_focus(X.RevertToParent, X.CurrentTime)
    display.sync()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    place, white = None, False
    while True:
        event = display.next_event()
        if event.type == X.MappingNotify:
            display.refresh_keyboard_mapping(event)
        elif event.type in KINDS or (event.type == X.MotionNotify and (event.root_x, event.root_y) != place):
            place = event.root_x, event.root_y
            sys.stdout.write(json.dumps(describe(display, event)) + "\n")
            sys.stdout.flush()
            if event.type == X.ButtonPress and event.detail == 1:
                white = not white
                window.change_attributes(background_pixel=screen.white_pixel if white else screen.black_pixel)
                window.clear_area()


if __name__ == "__main__":
    main()
