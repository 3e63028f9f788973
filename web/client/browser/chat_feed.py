"""The messages of the call that goes on, whether or not anybody looks at them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..model.chat_log import ChatLog
from ..model.page_state import ENDED, START
from .bridge import call, construct, get, listen, now, random_text, spawn, window
from .page import PagePart

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..model.page_state import PageState
    from ..model.peer_messaging import PeerMessaging
    from .page import Page

__all__ = ["ChatFeed"]

TOGETHER = 0.05
"""Seconds in which what comes is followed at once, so that many messages cost little more than one."""


class ChatFeed:
    """What is said, and how much of it is unread.

    Attributes:
        chat: the messages.
        opened: whether the person has the panel before them.
        calls: how many calls there were: with each the messages begin anew.

    """

    def __init__(self, page: Page, state: PageState, messaging: PeerMessaging, changed: Callable[[], None]) -> None:
        """Begin without a message; `changed` is called when `follow` has something to do."""
        self.chat = ChatLog(state, messaging, now, _time_of_day, random_text, self.soon)
        self.opened = False
        self.calls = 0
        self._part = PagePart(page)
        self._state = state
        self._changed = changed
        self._document = get(window, "document")
        self._pending = False
        self._over = True
        listen(self._document, "visibilitychange", lambda event: self.soon())

    def follow(self) -> None:
        """Let the messages follow what happens in the call."""
        chat, state = self.chat, self._state
        over = state.phase in (START, ENDED)
        if over and not self._over:
            chat.begin()
            self.calls += 1
        self._over = over
        self.opened = state.layout.side_panel == "chat" and state.in_session
        chat.watched = self.opened and get(self._document, "visibilityState") == "visible"
        if chat.watched:
            chat.read()
        chat.follow()
        state.layout.unread = chat.unread if state.in_session else 0
        self._part.show(chat.view())

    def soon(self) -> None:
        """There is something to follow."""
        if not self._pending:
            self._pending = True
            spawn(self._later())

    async def _later(self) -> None:
        await asyncio.sleep(TOGETHER)
        self._pending = False
        self._changed()


def _time_of_day() -> str:
    text: str = call(
        construct("Date"),
        "toLocaleTimeString",
        get(window, "document", "documentElement", "lang"),
        {"hour": "2-digit", "minute": "2-digit"},
    )
    return text
