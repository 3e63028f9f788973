"""The list of visitors in the lobby, which the host sees: a row with two buttons for each visitor."""

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
    """The list element `knocks`."""

    def __init__(self, page: Page, state: PageState, answer: Callable[[str, bool], None]) -> None:
        """Use the page's list; `answer` is called with a user and whether the host admits them."""
        self._page = page
        self._list = page.element("knocks")
        self._in_side_panel = False
        self._state = state
        self._answer = answer
        self._rows: dict[str, Any] = {}

    def show(self) -> None:
        """Show exactly the visitors who are waiting now."""
        waiting = self._state.participants.knocks
        in_side_panel = self._state.in_session and bool(self._state.layout.side_panel)
        if in_side_panel != self._in_side_panel:
            # On a phone the side panel covers everything else.
            self._in_side_panel = in_side_panel
            call(self._page.element("side-header" if in_side_panel else "problem"), "after", self._list)
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
                self._rows[user] = self._create_row(user, name)
                call(self._list, "append", self._rows[user])

    def _create_row(self, user: str, name: str) -> Any:
        row = _create("li", "")
        call(row, "append", _create("span", texts.KNOCK.format(name or texts.SOMEBODY)))
        for text, admitted in ((texts.ADMIT, True), (texts.REFUSE, False)):
            button = _create("button", text)
            put(button, "type", "button")
            listen(button, "click", self._answer_handler(user, admitted))
            call(row, "append", button)
        return row

    def _answer_handler(self, user: str, admitted: bool) -> Callable[[Any], None]:
        return lambda event: self._answer(user, admitted)


def _create(tag: str, text: str) -> Any:
    element = call(get(window, "document"), "createElement", tag)
    put(element, "textContent", text)
    return element
