"""Receives the chat messages of a call, even while the chat panel is closed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..model.chat_log import ChatLog
from ..model.page_state import ENDED, START
from .bridge import call, construct, get, listen, now, random_hex, spawn, window
from .page import PagePart

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..model.page_state import PageState
    from ..model.peer_messaging import PeerMessaging
    from .page import Page

__all__ = ["ChatFeed"]

ID_BYTES = 16
"""The length of the random id of a message."""

BATCH_SECONDS = 0.05
"""Seconds in which received messages are collected before one update of the page shows them all."""


class ChatFeed:
    """The chat log of the call, and the number of unread messages.

    Attributes:
        chat: the messages.
        opened: whether the chat panel is open.
        calls: the number of calls that have ended; the log is cleared at each end.

    """

    def __init__(self, page: Page, state: PageState, messaging: PeerMessaging, refresh: Callable[[], None]) -> None:
        """Start with an empty log; `refresh` is called when the page should call `update`."""
        self.chat = ChatLog(state, messaging, now, _time_of_day, lambda: random_hex(ID_BYTES), self.schedule_update)
        self.opened = False
        self.calls = 0
        self._part = PagePart(page)
        self._state = state
        self._refresh = refresh
        self._document = get(window, "document")
        self._update_pending = False
        self._call_over = True
        listen(self._document, "visibilitychange", lambda event: self.schedule_update())

    def update(self) -> None:
        """Update the log and the number of unread messages from the page's state."""
        chat, state = self.chat, self._state
        call_over = state.phase in (START, ENDED)
        if call_over and not self._call_over:
            chat.reset()
            self.calls += 1
        self._call_over = call_over
        self.opened = state.layout.side_panel == "chat" and state.in_session
        chat.visible = self.opened and get(self._document, "visibilityState") == "visible"
        if chat.visible:
            chat.mark_read()
        chat.update()
        state.layout.unread = chat.unread if state.in_session else 0
        self._part.show(chat.view())

    def schedule_update(self) -> None:
        """Update the page after `BATCH_SECONDS`, because the log has changed."""
        if not self._update_pending:
            self._update_pending = True
            spawn(self._refresh_later())

    async def _refresh_later(self) -> None:
        await asyncio.sleep(BATCH_SECONDS)
        self._update_pending = False
        self._refresh()


def _time_of_day() -> str:
    text: str = call(
        construct("Date"),
        "toLocaleTimeString",
        get(window, "document", "documentElement", "lang"),
        {"hour": "2-digit", "minute": "2-digit"},
    )
    return text
