"""The panel with the messages of a call, and what tells of new ones while it is closed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..browser.bridge import call, get, listen, now, put, spawn, window
from ..model import texts
from ..model.chat_log import MOST_CHARACTERS
from .linkify import pieces

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..browser.chat_feed import ChatFeed
    from ..browser.page import Page
    from ..model.chat_log import ChatMessage
    from ..model.page_state import PageState

__all__ = ["ChatPanel"]

BUDGET = 0.01
"""Seconds in which rows are made before the browser does something else."""

TOAST = 6.0
"""Seconds for which a new message is seen beside the call."""

TOAST_CHARACTERS = 120

NEAR = 48
"""CSS pixels from the end of the list within which the person reads the newest message."""

COMPOSING = 229
"""`KeyboardEvent.keyCode` while an input method has the key (UI Events, §8.3.1)."""

ICONS = {"part": "sent"}
"""Marks that have the icon of another."""


class ChatPanel:
    """The messages as the person sees them: `chat-panel`, `chat-toast`, and the number in `chat-badge`."""

    def __init__(self, page: Page, state: PageState, feed: ChatFeed, changed: Callable[[], None]) -> None:
        """Take the elements of the page; `changed` is called when `follow` has something to do."""
        self._page = page
        self._state = state
        self._feed = feed
        self._changed = changed
        self._chat = feed.chat
        self._calls = feed.calls
        self._document = get(window, "document")
        self._list = page.element("chat-log")
        self._text = page.element("chat-text")
        self._blank = get(page.element("chat-row"), "content", "firstElementChild")
        self._rows: dict[tuple[str, str], Any] = {}
        self._todo: list[ChatMessage] = []
        self._at_end = True
        self._opened = False
        self._toasted = 0
        page.on("chat-form", "submit", self._submitted)
        page.on("chat-text", "keydown", self._pressed)
        page.on("chat-text", "input", lambda event: self._typed())
        page.on("chat-log", "scroll", lambda event: self._scrolled())
        page.on("chat-new", "click", lambda event: self._to_end())
        page.on("chat-toast", "click", lambda event: call(page.element("chat-button"), "click"))
        listen(window, "resize", lambda event: self._resized())

    def follow(self) -> None:
        """Show what there is now."""
        chat, opened = self._chat, self._feed.opened
        if self._calls != self._feed.calls:
            self._calls = self._feed.calls
            self._clear()
        if opened and not self._opened:
            spawn(self._appear())
        self._opened = opened
        self._todo += chat.news()
        if self._todo:
            self._work()
        if opened or not self._state.layout.unread:
            self._page.set("chat-toast", "hidden", True)

    def _clear(self) -> None:
        """Forget the messages: the call is over."""
        for row in self._rows.values():
            call(row, "remove")
        self._rows = {}
        self._todo = []
        put(self._text, "value", "")
        self._typed()
        self._to_end()

    async def _appear(self) -> None:
        """Go on where the person writes, once the panel is seen; where they use a keyboard."""
        await asyncio.sleep(0)
        self._typed()
        self._to_end()
        if get(call(window, "matchMedia", "(pointer: fine)"), "matches"):
            call(self._text, "focus")

    # What the person does

    def _submitted(self, event: Any) -> None:
        call(event, "preventDefault")
        if self._chat.say(get(self._text, "value")):
            put(self._text, "value", "")
            self._at_end = True
        self._typed()
        call(self._text, "focus")
        self._changed()

    def _pressed(self, event: Any) -> None:
        # While somebody composes a letter out of several keys, Enter is theirs; Safari tells that by the code alone.
        composing = get(event, "isComposing") or get(event, "keyCode") == COMPOSING
        if get(event, "key") == "Enter" and not get(event, "shiftKey") and not composing:
            self._submitted(event)

    def _typed(self) -> None:
        """Give the text the room that it needs, and say when it is too long."""
        style = get(self._text, "style")
        put(style, "height", "auto")
        height = get(self._text, "scrollHeight")
        put(style, "height", str(height + 2) + "px" if height else "")
        problem = ""
        if get(self._text, "textLength") > MOST_CHARACTERS:
            problem = self._chat.problem(get(self._text, "value"))
        self._page.set("chat-problem", "text", problem)
        self._page.set("chat-problem", "hidden", not problem)

    def _scrolled(self) -> None:
        behind = get(self._list, "scrollHeight") - get(self._list, "scrollTop") - get(self._list, "clientHeight")
        self._at_end = behind < NEAR
        if self._at_end:
            self._page.set("chat-new", "hidden", True)

    def _resized(self) -> None:
        if self._at_end:
            self._to_end()

    def _to_end(self) -> None:
        self._at_end = True
        self._page.set("chat-new", "hidden", True)
        put(self._list, "scrollTop", get(self._list, "scrollHeight"))

    # What comes

    def _work(self) -> None:
        """Show what is new, as far as there is time for it now."""
        at_end, came, began = self._at_end, None, now()
        while self._todo and now() - began < BUDGET:
            message = self._todo.pop(0)
            key = (message.user, message.ident)
            if message.dropped:
                if key in self._rows:
                    call(self._rows.pop(key), "remove")
                continue
            if key not in self._rows:
                self._rows[key] = self._row(message)
                call(self._list, "append", self._rows[key])
                came = message if message.user else came
            if not message.user:
                self._mark(self._rows[key], message)
        if self._todo:
            self._feed.schedule_update()
        if at_end:
            self._to_end()
        elif came is not None:
            self._page.set("chat-new", "hidden", False)
        if came is not None and not self._opened:
            self._toast(came)

    def _row(self, message: ChatMessage) -> Any:
        row = call(self._blank, "cloneNode", True)
        call(row, "setAttribute", "data-own", "false" if message.user else "true")
        put(call(row, "querySelector", "bdi"), "textContent", message.name or texts.YOU)
        put(call(row, "querySelector", "time"), "textContent", message.time)
        said = call(row, "querySelector", ".said")
        for shown, address in pieces(message.text):
            if address:
                link = call(self._document, "createElement", "a")
                put(link, "textContent", shown)
                put(link, "href", address)
                put(link, "target", "_blank")
                put(link, "rel", "noopener noreferrer")
                call(said, "append", link)
            else:
                call(said, "append", shown)
        return row

    def _mark(self, row: Any, message: ChatMessage) -> None:
        mark, words = message.mark(now())
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
