"""The chat panel, and the toast that announces new messages while it is closed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..browser.bridge import call, get, listen, now, put, spawn, window
from ..model import texts
from ..model.chat_log import MAX_CHARACTERS
from .elements import create
from .linkify import segments

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..browser.chat_feed import ChatFeed
    from ..browser.page import Page
    from ..model.chat_log import ChatMessage
    from ..model.page_state import PageState

__all__ = ["ChatPanel"]

BUDGET = 0.01
"""Seconds for which rows are drawn before the browser gets its turn."""

TOAST = 6.0
"""Seconds for which a new message is shown beside the call."""

TOAST_CHARACTERS = 120

AT_END = 48
"""The distance in CSS pixels from the end of the list within which the newest message counts as read."""

COMPOSING = 229
"""`KeyboardEvent.keyCode` while an input method handles the key (UI Events, §8.3.1)."""

ICONS = {"part": "sent"}
"""Delivery marks that share the icon of another mark."""


class ChatPanel:
    """Shows the chat log: the elements `chat-panel` and `chat-toast`, and the number in `chat-badge`."""

    def __init__(self, page: Page, state: PageState, feed: ChatFeed, changed: Callable[[], None]) -> None:
        """Listen to the elements of the page; `changed` is called when `update` has something to do."""
        self._page = page
        self._state = state
        self._feed = feed
        self._changed = changed
        self._chat = feed.chat
        self._calls = feed.calls
        self._list = page.element("chat-log")
        self._text = page.element("chat-text")
        self._template = get(page.element("chat-row"), "content", "firstElementChild")
        self._rows: dict[tuple[str, str], Any] = {}
        self._pending: list[ChatMessage] = []
        self._at_end = True
        self._opened = False
        self._toasted = 0
        page.on("chat-form", "submit", self._submitted)
        page.on("chat-text", "keydown", self._pressed)
        page.on("chat-text", "input", lambda event: self._fit_input())
        page.on("chat-log", "scroll", lambda event: self._scrolled())
        page.on_click("chat-new", self._to_end)
        page.on_click("chat-toast", lambda: call(page.element("chat-button"), "click"))
        listen(window, "resize", lambda event: self._resized())

    def update(self) -> None:
        """Draw the present state."""
        chat, opened = self._chat, self._feed.opened
        if self._calls != self._feed.calls:
            self._calls = self._feed.calls
            self._clear()
        if opened and not self._opened:
            spawn(self._focus_input())
        self._opened = opened
        self._pending += chat.changes()
        if self._pending:
            self._draw_pending()
        if opened or not self._state.layout.unread:
            self._page.set("chat-toast", "hidden", True)

    def _clear(self) -> None:
        """Remove all messages, because the call is over."""
        for row in self._rows.values():
            call(row, "remove")
        self._rows = {}
        self._pending = []
        put(self._text, "value", "")
        self._fit_input()
        self._to_end()

    async def _focus_input(self) -> None:
        """Move the focus to the input field of a panel that opened, unless the person uses a touch screen."""
        await asyncio.sleep(0)
        self._fit_input()
        self._to_end()
        if get(call(window, "matchMedia", "(pointer: fine)"), "matches"):
            call(self._text, "focus")

    # Actions of the person

    def _submitted(self, event: Any) -> None:
        call(event, "preventDefault")
        if self._chat.send(get(self._text, "value")):
            put(self._text, "value", "")
            self._at_end = True
        self._fit_input()
        call(self._text, "focus")
        self._changed()

    def _pressed(self, event: Any) -> None:
        # While somebody composes a letter out of several keys, Enter belongs to the input method. Safari reveals that
        # by the key code only.
        composing = get(event, "isComposing") or get(event, "keyCode") == COMPOSING
        if get(event, "key") == "Enter" and not get(event, "shiftKey") and not composing:
            self._submitted(event)

    def _fit_input(self) -> None:
        """Adapt the height of the input field to its text, and say when the text is too long."""
        style = get(self._text, "style")
        put(style, "height", "auto")
        height = get(self._text, "scrollHeight")
        put(style, "height", str(height + 2) + "px" if height else "")
        problem = ""
        if get(self._text, "textLength") > MAX_CHARACTERS:
            problem = self._chat.problem(get(self._text, "value"))
        self._page.set("chat-problem", "text", problem)
        self._page.set("chat-problem", "hidden", not problem)

    def _scrolled(self) -> None:
        behind = get(self._list, "scrollHeight") - get(self._list, "scrollTop") - get(self._list, "clientHeight")
        self._at_end = behind < AT_END
        if self._at_end:
            self._page.set("chat-new", "hidden", True)

    def _resized(self) -> None:
        if self._at_end:
            self._to_end()

    def _to_end(self) -> None:
        self._at_end = True
        self._page.set("chat-new", "hidden", True)
        put(self._list, "scrollTop", get(self._list, "scrollHeight"))

    # Messages

    def _draw_pending(self) -> None:
        """Draw changed messages until the time budget is used up; the rest follows with the next update."""
        at_end, newest, started_at = self._at_end, None, now()
        while self._pending and now() - started_at < BUDGET:
            message = self._pending.pop(0)
            key = (message.user, message.ident)
            if message.evicted:
                if key in self._rows:
                    call(self._rows.pop(key), "remove")
                continue
            if key not in self._rows:
                self._rows[key] = self._row(message)
                call(self._list, "append", self._rows[key])
                newest = message if message.user else newest
            if not message.user:
                self._mark(self._rows[key], message)
        if self._pending:
            self._feed.schedule_update()
        if at_end:
            self._to_end()
        elif newest is not None:
            self._page.set("chat-new", "hidden", False)
        if newest is not None and not self._opened:
            self._toast(newest)

    def _row(self, message: ChatMessage) -> Any:
        row = call(self._template, "cloneNode", True)
        call(row, "setAttribute", "data-own", "false" if message.user else "true")
        put(call(row, "querySelector", "bdi"), "textContent", message.name or texts.YOU)
        put(call(row, "querySelector", "time"), "textContent", message.time)
        said = call(row, "querySelector", ".said")
        for shown, address in segments(message.text):
            if address:
                link = create("a", shown)
                put(link, "href", address)
                put(link, "target", "_blank")
                put(link, "rel", "noopener noreferrer")
                call(said, "append", link)
            else:
                call(said, "append", shown)
        return row

    def _mark(self, row: Any, message: ChatMessage) -> None:
        mark, words = message.delivery(now())
        element = call(row, "querySelector", ".mark")
        call(element, "setAttribute", "data-mark", mark)
        icon = "#icon-chat-" + ICONS.get(mark, mark)
        call(call(element, "querySelector", "use"), "setAttribute", "href", icon)
        put(call(element, "querySelector", "span"), "textContent", words)

    def _toast(self, message: ChatMessage) -> None:
        toast = self._page.element("chat-toast")
        text = " ".join(message.text[:TOAST_CHARACTERS].split())
        put(call(toast, "querySelector", "bdi"), "textContent", message.name)
        put(call(toast, "querySelector", ".said"), "textContent", text)
        put(toast, "hidden", False)
        self._toasted += 1
        spawn(self._end_toast(self._toasted))

    async def _end_toast(self, toasted: int) -> None:
        await asyncio.sleep(TOAST)
        if toasted == self._toasted:
            self._page.set("chat-toast", "hidden", True)
