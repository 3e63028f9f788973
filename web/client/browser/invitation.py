"""The invitation: draws the QR code of the link, and copies the link."""

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

CONFIRMATION_SECONDS = 2.5
"""Seconds during which the page shows that the link was copied."""


class Invitation:
    """The invitation on the waiting screen and in the people panel."""

    def __init__(self, page: Page, state: PageState, refresh: Callable[[], None]) -> None:
        self._page = page
        self._state = state
        self._refresh = refresh
        self._drawn_link = ""
        self._listen("copy", "link")
        self._listen("people-copy", "people-link")

    def _listen(self, button: str, field: str) -> None:
        self._page.on_click(button, lambda: self._copy(field))
        self._page.on(field, "focus", lambda event: call(self._page.element(field), "select"))

    def draw(self) -> None:
        """Draw the QR code of the current link, unless it is already shown."""
        link = self._state.session.link
        if link and link != self._drawn_link:
            self._drawn_link = link
            spawn(self._draw_code(link))

    async def _draw_code(self, link: str) -> None:
        try:
            qr = await load_qr()
            call(call(qr, "generate", link), "toCanvas", self._page.element("qr"))
        except BrowserError:
            # The library could not be loaded. The next update tries again, and the person can copy the link meanwhile.
            self._drawn_link = ""

    async def _copy(self, field: str) -> None:
        clipboard = get(window, "navigator", "clipboard")
        try:
            if clipboard is None:
                raise BrowserError("NotAllowedError", "The clipboard is not available over http.")
            await wait(call(clipboard, "writeText", self._state.session.link))
        except BrowserError:
            self._state.notices.problem = texts.COPY_REFUSED
            call(self._page.element(field), "focus")
            call(self._page.element(field), "select")
            self._refresh()
            return
        self._state.session.link_copied = True
        self._refresh()
        await asyncio.sleep(CONFIRMATION_SECONDS)
        self._state.session.link_copied = False
        self._refresh()
