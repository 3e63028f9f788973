"""The clipboard of the X server, as text (ICCCM §2)."""

from __future__ import annotations

from typing import Any

from Xlib import X, Xatom
from Xlib.protocol import event as events

from signald_client.control.control_messages import fitting_text

__all__ = ["Clipboard"]


class Clipboard:
    """Owns the clipboard while it has a text of the viewer, and reads what others put there."""

    def __init__(self, display: Any) -> None:
        self._display = display
        self._window = display.screen().root.create_window(-1, -1, 1, 1, 0, X.CopyFromParent)
        self._clipboard = display.intern_atom("CLIPBOARD")
        self._utf8 = display.intern_atom("UTF8_STRING")
        self._targets = display.intern_atom("TARGETS")
        self._property = display.intern_atom("SIGNALD_CLIPBOARD")
        self._text = ""
        self._awaited = False

    def write(self, text: str) -> None:
        """Put a text into the clipboard."""
        self._text = text
        self._window.set_selection_owner(self._clipboard, X.CurrentTime)

    def request(self) -> None:
        """Ask the clipboard's owner for its text; `text_of` returns it later."""
        self._awaited = True
        self._window.convert_selection(self._clipboard, self._utf8, self._property, X.CurrentTime)

    def text_of(self, event: Any) -> str | None:
        """Handle an X event, and return the clipboard's text if the event brings it.

        A text that does not fit into a message is cut; an owner that sends it in increments (ICCCM §2.7.2) counts as
        one without a text, since only larger ones do that.
        """
        if event.type == X.SelectionRequest:
            self._answer(event)
        elif event.type == X.SelectionNotify and self._awaited:
            self._awaited = False
            return self._read() if event.property else ""
        return None

    def _read(self) -> str:
        found = self._window.get_full_property(self._property, self._utf8)
        self._window.delete_property(self._property)
        if found is None or not isinstance(found.value, (bytes, str)):
            return ""
        text = found.value if isinstance(found.value, str) else found.value.decode("utf-8", "replace")
        return fitting_text(text.replace("\0", ""))

    def _answer(self, request: Any) -> None:
        """Give the text to a program that asks for it."""
        # A requestor of an old version names no property (ICCCM §2.2).
        name = request.property or request.target
        if request.target == self._targets:
            request.requestor.change_property(name, Xatom.ATOM, 32, [self._targets, self._utf8])
        elif request.target == self._utf8:
            request.requestor.change_property(name, self._utf8, 8, self._text.encode())
        else:
            name = X.NONE
        reply = events.SelectionNotify(
            time=request.time,
            requestor=request.requestor,
            selection=request.selection,
            target=request.target,
            property=name,
        )
        request.requestor.send_event(reply)
