"""Waits for the first key that is no text, and fetches what knows the keyboard shortcuts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .bridge import call, get, listen, load_extras, spawn, window

if TYPE_CHECKING:
    from typing import Any

    from ..extras.keyboard import Keyboard
    from ..model.page_state import PageState
    from .page import Page

__all__ = ["KeyboardLoader"]

TYPED_IN = ("INPUT", "SELECT", "TEXTAREA")


class KeyboardLoader:
    """The keyboard of those who use it for more than typing."""

    def __init__(self, page: Page, state: PageState) -> None:
        self._page = page
        self._state = state
        self._keyboard: Keyboard | None = None
        self._asked = False
        self._last: Any = None
        listen(window, "keydown", self._heard)
        for name in ("shortcuts-button", "open-shortcuts"):
            page.on(name, "click", lambda event: spawn(self._show_sheet()))
        page.on("controls", "click", self._clicked)

    def follow(self) -> None:
        """Let the microphone follow the key that is held."""
        if self._keyboard is not None:
            self._keyboard.follow()

    def _clicked(self, event: Any) -> None:
        """Who presses a device's button with a mouse may hold the space key next, which must not press it again."""
        active = get(window, "document", "activeElement")
        if get(event, "detail") and active is not None and call(active, "matches", "#controls [data-on]"):
            call(active, "blur")

    def _heard(self, event: Any) -> None:
        if self._keyboard is None and get(event, "target", "tagName") not in TYPED_IN:
            self._last = event
            if not self._asked:
                self._asked = True
                spawn(self._answer())

    async def _answer(self) -> None:
        """Do what the last key asks for that was pressed meanwhile."""
        keyboard = await self._loaded()
        # A key that is to be held may have been let go; it repeats if not.
        if keyboard is not None and get(self._last, "key") != " ":
            keyboard.down(self._last)

    async def _show_sheet(self) -> None:
        keyboard = await self._loaded()
        if keyboard is not None:
            keyboard.show_sheet()

    async def _loaded(self) -> Keyboard | None:
        if not await load_extras():
            self._asked = False
            return None
        from ..extras.keyboard import Keyboard

        self._asked = True
        if self._keyboard is None:
            self._keyboard = Keyboard(self._page, self._state)
        return self._keyboard
