"""Waits for the first key that is no text, and fetches what knows the keyboard shortcuts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .browser import BrowserError, get, listen, load_extras, spawn, window

if TYPE_CHECKING:
    from typing import Any

    from .extras.keyboard import Keyboard
    from .page import Page
    from .state import PageState

__all__ = ["Keys"]

TYPED_IN = ("INPUT", "SELECT", "TEXTAREA")


class Keys:
    """The keyboard of those who use it for more than typing."""

    def __init__(self, page: Page, state: PageState) -> None:
        self._page = page
        self._state = state
        self._keyboard: Keyboard | None = None
        self._asked = False
        listen(window, "keydown", self._heard)
        for name in ("shortcuts-button", "open-shortcuts"):
            page.on(name, "click", lambda event: spawn(self._show_sheet()))

    def follow(self) -> None:
        """Let the microphone follow the key that is held."""
        if self._keyboard is not None:
            self._keyboard.follow()

    def _heard(self, event: Any) -> None:
        if not self._asked and get(event, "target", "tagName") not in TYPED_IN:
            self._asked = True
            spawn(self._answer(event))

    async def _answer(self, event: Any) -> None:
        keyboard = await self._loaded()
        # A key that is to be held may have been let go; it repeats if not.
        if keyboard is not None and get(event, "key") != " ":
            keyboard.down(event)

    async def _show_sheet(self) -> None:
        keyboard = await self._loaded()
        if keyboard is not None:
            keyboard.show_sheet()

    async def _loaded(self) -> Keyboard | None:
        try:
            await load_extras()
        except BrowserError:
            self._asked = False
            return None
        from .extras.keyboard import Keyboard

        self._asked = True
        if self._keyboard is None:
            self._keyboard = Keyboard(self._page, self._state)
        return self._keyboard
