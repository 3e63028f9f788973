"""Loads the keyboard shortcuts in a call, or when a key is first pressed outside a text field."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .bridge import call, get, listen, load_extras, spawn, window

if TYPE_CHECKING:
    from typing import Any

    from ..extras.keyboard import Keyboard
    from ..model.page_state import PageState
    from .page import Page

__all__ = ["KeyboardLoader"]

PRELOAD_DELAY = 2.0
"""Seconds from the begin of a call, or from its first connection, until the shortcuts are loaded."""

TEXT_FIELDS = ("INPUT", "SELECT", "TEXTAREA")


class KeyboardLoader:
    """Passes the first key to the keyboard shortcuts once they are loaded, and receives no keys afterwards."""

    def __init__(self, page: Page, state: PageState) -> None:
        self._page = page
        self._state = state
        self._keyboard: Keyboard | None = None
        self._requested = False
        self._preloaded = False
        self._last_event: Any = None
        self._held = False
        listen(window, "keydown", self._key_pressed)
        for event in ("keyup", "blur"):
            listen(window, event, lambda event: self._key_released())
        for name in ("shortcuts-button", "open-shortcuts"):
            page.on_click(name, self._show_sheet)
        page.on("controls", "click", self._clicked)

    def update(self) -> None:
        """Mute or unmute the microphone while its push-to-talk key is held; load the shortcuts for a call."""
        if self._keyboard is not None:
            self._keyboard.update()
        elif self._state.stage in ("waiting", "connected") and not self._preloaded:
            self._preloaded = True
            spawn(self._preload())

    async def _preload(self) -> None:
        """Load the shortcuts, so that push-to-talk works from the first press, after what a new call has to do."""
        await asyncio.sleep(PRELOAD_DELAY)
        await self._load()

    def _clicked(self, event: Any) -> None:
        """Remove the focus from a clicked device button, so that the space key does not press the button again."""
        active = get(window, "document", "activeElement")
        if get(event, "detail") and active is not None and call(active, "matches", "#controls [data-on]"):
            call(active, "blur")

    def _key_pressed(self, event: Any) -> None:
        if self._keyboard is None and get(event, "target", "tagName") not in TEXT_FIELDS:
            self._last_event = event
            self._held = True
            if not self._requested:
                self._requested = True
                spawn(self._replay_key())

    def _key_released(self) -> None:
        self._held = False

    async def _replay_key(self) -> None:
        """Handle the last key that was pressed while the shortcuts were loaded."""
        keyboard = await self._load()
        # The space key works while it is held, and may have been released by now.
        if keyboard is not None and (self._held or get(self._last_event, "key") != " "):
            keyboard.key_down(self._last_event)

    async def _show_sheet(self) -> None:
        keyboard = await self._load()
        if keyboard is not None:
            keyboard.show_sheet()

    async def _load(self) -> Keyboard | None:
        if not await load_extras():
            self._requested = False
            return None
        from ..extras.keyboard import Keyboard

        self._requested = True
        if self._keyboard is None:
            self._keyboard = Keyboard(self._page, self._state)
        return self._keyboard
