"""Those who wait to be let in, as the host sees them: a row with two buttons for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import texts
from .bridge import call, get, listen, put, window

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..model.page_state import PageState
    from .page import Page

__all__ = ["LobbyList"]


class LobbyList:
    """The list `knocks` in the page."""

    def __init__(self, page: Page, state: PageState, answer: Callable[[str, bool], None]) -> None:
        """Take the page's list; `answer` is called with a user and whether they may come in."""
        self._page = page
        self._list = page.element("knocks")
        self._beside = False
        self._state = state
        self._answer = answer
        self._rows: dict[str, Any] = {}

    def follow(self) -> None:
        """Show exactly those who wait now."""
        waiting = self._state.participants.knocks
        beside = self._state.in_session and bool(self._state.layout.side_panel)
        if beside != self._beside:
            # On a phone what is beside the call covers everything else.
            self._beside = beside
            call(self._page.element("side-header" if beside else "problem"), "after", self._list)
        for user in list(self._rows):
            if user not in waiting:
                row = self._rows.pop(user)
                focused = call(row, "contains", get(window, "document", "activeElement"))
                call(row, "remove")
                if focused:
                    following = call(self._list, "querySelector", "button") or self._page.element("people-button")
                    call(following, "focus")
        for user, name in waiting.items():
            if user not in self._rows:
                self._rows[user] = self._row(user, name)
                call(self._list, "append", self._rows[user])

    def _row(self, user: str, name: str) -> Any:
        row = self._make("li", "")
        call(row, "append", self._make("span", texts.KNOCK.format(name or texts.SOMEBODY)))
        for text, admitted in ((texts.ADMIT, True), (texts.REFUSE, False)):
            button = self._make("button", text)
            put(button, "type", "button")
            listen(button, "click", self._pressed(user, admitted))
            call(row, "append", button)
        return row

    def _pressed(self, user: str, admitted: bool) -> Callable[[Any], None]:
        return lambda event: self._answer(user, admitted)

    def _make(self, tag: str, text: str) -> Any:
        element = call(get(window, "document"), "createElement", tag)
        put(element, "textContent", text)
        return element
