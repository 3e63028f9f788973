"""Handles keyboard shortcuts: presses the buttons, implements push-to-talk, and shows the list of shortcuts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..browser import storage
from ..browser.bridge import call, get, listen, put, window
from . import shortcut_sheet
from .shortcuts import CLOSE, SHEET, TALK, PushToTalk, action, reserved_keys

if TYPE_CHECKING:
    from typing import Any

    from ..browser.page import Page
    from ..model.page_state import PageState

__all__ = ["Keyboard"]

MODIFIERS = ("ctrlKey", "altKey", "metaKey", "isComposing", "defaultPrevented")
"""The properties of a `KeyboardEvent` with which a key is no shortcut."""

MICROPHONE = "mute"


class Keyboard:
    """Listens to the keyboard. A shortcut presses a button, which does the rest."""

    def __init__(self, page: Page, state: PageState) -> None:
        self._page = page
        self._state = state
        self._document = get(window, "document")
        self._talk = PushToTalk()
        self._single = storage.single_keys()
        listen(window, "keydown", self.key_down)
        listen(window, "keyup", self._up)
        listen(window, "blur", lambda event: self._release())
        listen(self._document, "visibilitychange", lambda event: self._release())
        page.on("single-keys", "change", lambda event: self._toggle())

    def update(self) -> None:
        """Mute again after push-to-talk, when the microphone has changed."""
        if self._talk.should_press(self._state.devices.microphone.status):
            self._press(MICROPHONE)

    def key_down(self, event: Any) -> None:
        """Handle a key that was pressed."""
        for name in MODIFIERS:
            if get(event, name):
                return
        command = action(
            get(event, "key") or "", get(event, "code") or "", self._reserved(), self._dialog(), self._single
        )
        if command == TALK:
            self._talk_down(event)
        elif command and not get(event, "repeat"):
            if command == SHEET:
                call(event, "preventDefault")
                self.show_sheet()
            elif command == CLOSE:
                self._close()
            elif self._press(command):
                call(event, "preventDefault")

    def _up(self, event: Any) -> None:
        if self._talk.held and get(event, "code") == "Space":
            call(event, "preventDefault")
            self._release()

    def _talk_down(self, event: Any) -> None:
        """Start push-to-talk; the space key must not scroll the page meanwhile."""
        if self._can_press(MICROPHONE) and self._talk.press(self._state.devices.microphone.status):
            self._press(MICROPHONE)
        if self._talk.held:
            call(event, "preventDefault")

    def _release(self) -> None:
        if self._talk.held:
            self._talk.release()
            self.update()

    def _reserved(self) -> str:
        element = get(self._document, "activeElement")
        if element is None:
            return reserved_keys("", "", False, "")
        return reserved_keys(
            get(element, "tagName").lower(),
            get(element, "type") or "",
            bool(get(element, "isContentEditable")),
            call(element, "getAttribute", "role") or "",
        )

    def _dialog(self) -> str:
        dialog = call(self._document, "querySelector", "dialog[open]")
        return "" if dialog is None else get(dialog, "id")

    def _can_press(self, name: str) -> bool:
        element = self._page.element(name)
        if element is None or get(element, "disabled") or get(element, "hidden"):
            return False
        menu = call(element, "closest", "[popover]")
        if menu is not None:
            # A menu item can be pressed wherever its menu can be opened.
            element = call(self._document, "querySelector", "[popovertarget=" + get(menu, "id") + "]:not([hidden])")
        return element is not None and bool(get(call(element, "getClientRects"), "length"))

    def _press(self, name: str) -> bool:
        pressed = self._can_press(name)
        if pressed:
            call(self._page.element(name), "click")
        return pressed

    def _close(self) -> None:
        """Close the side panel; in full screen the browser handles the key itself."""
        if get(self._document, "fullscreenElement") is None:
            self._press("side-close")

    # The list of shortcuts

    def _toggle(self) -> None:
        self._single = bool(get(self._page.element("single-keys"), "checked"))
        storage.save_single_keys(self._single)

    def show_sheet(self) -> None:
        """Open the list of shortcuts, or close it if it is open."""
        sheet = self._page.element(SHEET)
        if get(sheet, "open"):
            call(sheet, "close")
            return
        shortcut_sheet.fill(self._page)
        put(self._page.element("single-keys"), "checked", self._single)
        call(sheet, "showModal")
