"""The dialog in which the host plans the call for later, and saves an invitation for calendars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..browser.bridge import BrowserError, call, construct, get, put, random_hex
from . import extra_texts
from .calendar_file import calendar_file
from .elements import save_file

if TYPE_CHECKING:
    from typing import Any

    from ..browser.page import Page
    from ..model.page_state import PageState

__all__ = ["CalendarSheet"]

IDENT_BYTES = 16
"""The length of the random id of an event."""

FILE_NAME = "call.ics"
MEDIA_TYPE = "text/calendar"


class CalendarSheet:
    """Controls the dialog `calendar`."""

    def __init__(self, page: Page, state: PageState) -> None:
        """Listen to the elements of the page."""
        self._page = page
        self._state = state
        page.on("calendar-form", "submit", self._submitted)

    def open(self) -> None:
        """Open the dialog, which proposes the next full hour but one."""
        begin = construct("Date")
        call(begin, "setMinutes", 120, 0)
        fields = [call(begin, method) for method in ("getFullYear", "getMonth", "getDate", "getHours")]
        year, month, day, hour = [int(field) for field in fields]
        put(self._page.element("calendar-begin"), "value", f"{year:04}-{month + 1:02}-{day:02}T{hour:02}:00")
        call(self._page.element("calendar"), "showModal")

    def _submitted(self, event: Any) -> None:
        call(event, "preventDefault")
        begin = construct("Date", get(self._page.element("calendar-begin"), "value"))
        link = self._state.session.link
        try:
            text = calendar_file(
                ident=random_hex(IDENT_BYTES),
                created=call(construct("Date"), "toISOString"),
                begins=call(begin, "toISOString"),
                minutes=int(get(self._page.element("calendar-minutes"), "value")),
                summary=extra_texts.CALENDAR_SUMMARY,
                description=extra_texts.CALENDAR_TEXT.format(link),
                link=link,
            )
        except BrowserError:
            # The browser lets nobody submit a form without a valid time; a script may.
            return
        save_file(FILE_NAME, MEDIA_TYPE, text)
        call(self._page.element("calendar"), "close")
