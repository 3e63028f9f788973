"""The keyboard shortcuts in the page: which key goes to which button, push to talk, and the sheet that names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..browser import storage
from ..browser.bridge import call, get, listen, put, window
from . import shortcut_sheet
from .shortcuts import CLOSE, SHEET, TALK, PushToTalk, action, kept_by

if TYPE_CHECKING:
    from typing import Any

    from ..browser.page import Page
    from ..model.page_state import PageState

__all__ = ["Keyboard"]

MODIFIERS = ("ctrlKey", "altKey", "metaKey", "isComposing", "defaultPrevented")
"""Properties of a `KeyboardEvent` that make it somebody else's."""

MICROPHONE = "mute"


class Keyboard:
    """What listens to the keys. A shortcut presses a button, and what that does is the button's."""

    def __init__(self, page: Page, state: PageState) -> None:
        self._page = page
        self._state = state
        self._document = get(window, "document")
        self._talk = PushToTalk()
        self._single = storage.single_keys()
        listen(window, "keydown", self.down)
        listen(window, "keyup", self._up)
        listen(window, "blur", lambda event: self._let_go())
        listen(self._document, "visibilitychange", lambda event: self._let_go())
        page.on("single-keys", "change", lambda event: self._switch())

    def follow(self) -> None:
        """Mute again what was on while a key was held."""
        if self._talk.settle(self._state.devices.microphone.status):
            self._press(MICROPHONE)

    def down(self, event: Any) -> None:
        """A key went down."""
        for name in MODIFIERS:
            if get(event, name):
                return
        does = action(get(event, "key") or "", get(event, "code") or "", self._kept(), self._dialog(), self._single)
        if does == TALK:
            self._speak(event)
        elif does and not get(event, "repeat"):
            if does == SHEET:
                call(event, "preventDefault")
                self.show_sheet()
            elif does == CLOSE:
                self._close()
            elif self._press(does):
                call(event, "preventDefault")

    def _up(self, event: Any) -> None:
        if self._talk.held and get(event, "code") == "Space":
            call(event, "preventDefault")
            self._let_go()

    def _speak(self, event: Any) -> None:
        """The space key is down: it must not scroll while it lets the person be heard."""
        if self._pressable(MICROPHONE) and self._talk.down(self._state.devices.microphone.status):
            self._press(MICROPHONE)
        if self._talk.held:
            call(event, "preventDefault")

    def _let_go(self) -> None:
        if self._talk.held:
            self._talk.up()
            self.follow()

    def _kept(self) -> str:
        element = get(self._document, "activeElement")
        if element is None:
            return kept_by("", "", False, "")
        return kept_by(
            get(element, "tagName").lower(),
            get(element, "type") or "",
            bool(get(element, "isContentEditable")),
            call(element, "getAttribute", "role") or "",
        )

    def _dialog(self) -> str:
        dialog = call(self._document, "querySelector", "dialog[open]")
        return "" if dialog is None else get(dialog, "id")

    def _pressable(self, name: str) -> bool:
        element = self._page.element(name)
        if element is None or get(element, "disabled") or get(element, "hidden"):
            return False
        menu = call(element, "closest", "[popover]")
        if menu is not None:
            # What a menu holds can be pressed wherever the menu can be opened.
            element = call(self._document, "querySelector", "[popovertarget=" + get(menu, "id") + "]:not([hidden])")
        return element is not None and bool(get(call(element, "getClientRects"), "length"))

    def _press(self, name: str) -> bool:
        pressed = self._pressable(name)
        if pressed:
            call(self._page.element(name), "click")
        return pressed

    def _close(self) -> None:
        """Close what lies beside the call; out of full screen the browser leads."""
        if get(self._document, "fullscreenElement") is None:
            self._press("side-close")

    # The sheet

    def _switch(self) -> None:
        self._single = bool(get(self._page.element("single-keys"), "checked"))
        storage.save_single_keys(self._single)

    def show_sheet(self) -> None:
        """Open the list of shortcuts; close it where it is open."""
        sheet = self._page.element(SHEET)
        if get(sheet, "open"):
            call(sheet, "close")
            return
        shortcut_sheet.fill(self._page)
        put(self._page.element("single-keys"), "checked", self._single)
        call(sheet, "showModal")
