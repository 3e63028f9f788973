"""Handles keyboard shortcuts: presses the buttons, implements push-to-talk, and shows the list of shortcuts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..browser import storage
from ..browser.bridge import call, get, listen, put, spawn, window
from . import shortcut_sheet
from .shortcuts import CLOSE, HOLD, SHEET, TALK, PushToTalk, action, reserved_keys

if TYPE_CHECKING:
    from typing import Any

    from ..browser.page import Page
    from ..model.page_state import PageState

__all__ = ["Keyboard"]

MODIFIERS = ("ctrlKey", "altKey", "metaKey", "isComposing", "defaultPrevented")
"""The properties of a `KeyboardEvent` with which a key is no shortcut."""

MICROPHONE = "mute"

HOLD_SECONDS = 0.2
"""Seconds for which the space key is held on a focused button until it is push-to-talk and no press of the button.

Shorter, a press of a muted person would send what the room sounds like."""


class Keyboard:
    """Listens to the keyboard. A shortcut presses a button, which does the rest."""

    def __init__(self, page: Page, state: PageState) -> None:
        self._page = page
        self._state = state
        self._document = get(window, "document")
        self._talk = PushToTalk()
        self._space_presses = 0
        self._space_held = False
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
        elif command == HOLD:
            self._hold_down(event)
        elif command and not get(event, "repeat"):
            if command == SHEET:
                call(event, "preventDefault")
                self.show_sheet()
            elif command == CLOSE:
                self._close()
            elif self._press(command):
                call(event, "preventDefault")

    def _up(self, event: Any) -> None:
        if get(event, "code") == "Space":
            self._space_held = False
            if self._talk.held:
                # Otherwise the browser would press a focused button.
                call(event, "preventDefault")
                self._release()

    def _talk_down(self, event: Any) -> None:
        """Start push-to-talk; the space key must not scroll the page meanwhile."""
        self._talk_if_muted()
        if self._talk.held:
            call(event, "preventDefault")

    def _hold_down(self, event: Any) -> None:
        """Start push-to-talk once the space key has been held on a button; its click is prevented on release."""
        if not get(event, "repeat"):
            self._space_held = True
            self._space_presses += 1
            spawn(self._talk_later(self._space_presses))

    async def _talk_later(self, press: int) -> None:
        await asyncio.sleep(HOLD_SECONDS)
        if self._space_held and press == self._space_presses:
            self._talk_if_muted()

    def _talk_if_muted(self) -> None:
        if self._can_press(MICROPHONE) and self._talk.press(self._state.devices.microphone.status):
            self._press(MICROPHONE)

    def _release(self) -> None:
        self._space_held = False
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
        """Close the side panel, and give the focus back to the stage; in full screen the browser handles the key."""
        if get(self._document, "fullscreenElement") is None:
            self._press("side-close")
            if self._state.in_session:
                call(self._page.element("stage"), "focus", {"preventScroll": True})

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
