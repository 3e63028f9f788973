"""Inviting somebody: the QR code of the link, and copying the link."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..model import texts
from .bridge import BrowserError, call, get, load_qr, spawn, wait, window

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..model.page_state import PageState
    from .page import Page

__all__ = ["Invitation"]

CONFIRMED_FOR = 2.5
"""Seconds for which the page says that the link was copied."""


class Invitation:
    """What the waiting screen offers, and the people's panel."""

    def __init__(self, page: Page, state: PageState, changed: Callable[[], None]) -> None:
        self._page = page
        self._state = state
        self._changed = changed
        self._drawn = ""
        self._offer("copy", "link")
        self._offer("people-copy", "people-link")

    def _offer(self, button: str, field: str) -> None:
        self._page.on(button, "click", lambda event: spawn(self._copy(field)))
        self._page.on(field, "focus", lambda event: call(self._page.element(field), "select"))

    def follow(self) -> None:
        """Draw the code of the link, if that is not done yet."""
        link = self._state.session.link
        if link and link != self._drawn:
            self._drawn = link
            spawn(self._draw(link))

    async def _draw(self, link: str) -> None:
        try:
            qr = await load_qr()
            call(call(qr, "generate", link), "toCanvas", self._page.element("qr"))
        except BrowserError:
            # The link can still be copied.
            self._drawn = ""

    async def _copy(self, field: str) -> None:
        clipboard = get(window, "navigator", "clipboard")
        try:
            if clipboard is None:
                raise BrowserError("NotAllowedError", "Pages that came over http have no clipboard.")
            await wait(call(clipboard, "writeText", self._state.session.link))
        except BrowserError:
            self._state.notices.problem = texts.COPY_REFUSED
            call(self._page.element(field), "focus")
            call(self._page.element(field), "select")
            self._changed()
            return
        self._state.session.link_copied = True
        self._changed()
        await asyncio.sleep(CONFIRMED_FOR)
        self._state.session.link_copied = False
        self._changed()
