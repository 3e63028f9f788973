"""The invitation: draws the QR code of the link, and copies, shares and mails the link."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..model import texts
from ..model.call_urls import mail_url, name_inviter
from .bridge import BrowserError, call, get, load_extras, load_qr, put, spawn, wait, window

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..extras.calendar_sheet import CalendarSheet
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
        self._mailed: tuple[str, ...] = ()
        self._name = ""
        self._consent_text = ""
        self._calendar: CalendarSheet | None = None
        self._listen("copy", "link")
        self._listen("people-copy", "people-link")
        page.on_click("send-link", self._share)
        page.on_click("open-calendar", self._open_calendar)
        page.on("name-inviter", "change", lambda event: self._name_inviter())
        put(page.element("send-link"), "hidden", get(window, "navigator", "share") is None)

    def _listen(self, button: str, field: str) -> None:
        self._page.on_click(button, lambda: self._copy(field))
        self._page.on(field, "focus", lambda event: call(self._page.element(field), "select"))

    def draw(self, name: str) -> None:
        """Update the invitation for the current link; `name` is the local person's name."""
        session = self._state.session
        self._name = name
        text = texts.NAME_INVITER.format(name) if name else ""
        if text != self._consent_text:
            self._consent_text = text
            put(self._page.element("name-inviter-text"), "textContent", text)
            put(self._page.element("name-inviter-row"), "hidden", not name)
        if not session.link or not self._state.in_session:
            put(self._page.element("name-inviter"), "checked", False)
            return
        if session.link != self._drawn_link:
            self._drawn_link = session.link
            spawn(self._draw_code(session.link))
        mailed = (session.link, texts.MAIL_SUBJECT, texts.MAIL_BODY)
        if mailed != self._mailed:
            self._mailed = mailed
            address = mail_url(texts.MAIL_SUBJECT, texts.MAIL_BODY.format(session.link))
            put(self._page.element("mail-link"), "href", address)

    async def _draw_code(self, link: str) -> None:
        try:
            qr = await load_qr()
            call(call(qr, "generate", link), "toCanvas", self._page.element("qr"))
        except BrowserError:
            # The library could not be loaded. The next update tries again, and the person can copy the link meanwhile.
            self._drawn_link = ""

    def _name_inviter(self) -> None:
        """Name the person in the link, or not, as they chose."""
        named = get(self._page.element("name-inviter"), "checked")
        session = self._state.session
        session.link = name_inviter(session.link, self._name if named else "")
        self._refresh()

    async def _share(self) -> None:
        """Pass the link to the system's dialog for sharing (Web Share API)."""
        data = {"title": texts.MAIL_SUBJECT, "url": self._state.session.link}
        try:
            await wait(call(get(window, "navigator"), "share", data))
        except BrowserError:
            # The person closed the dialog.
            return

    async def _open_calendar(self) -> None:
        if not await load_extras():
            self._state.notices.problem = texts.NO_EXTRAS
            self._refresh()
            return
        from ..extras.calendar_sheet import CalendarSheet

        if self._calendar is None:
            self._calendar = CalendarSheet(self._page, self._state)
        self._calendar.open()

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
