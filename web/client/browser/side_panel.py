"""What is shown beside the call: one panel at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .bridge import call, get, listen, window

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..model.page_state import PageState
    from .page import Page

__all__ = ["SidePanel"]

BUTTONS = {"chat": "chat-button", "people": "people-button"}


class SidePanel:
    """The element `side`: opened by its buttons, closed by them, by its own one and by Escape."""

    def __init__(self, page: Page, state: PageState, changed: Callable[[], None]) -> None:
        """Listen to the buttons; `changed` is called when the state changed."""
        self._page = page
        self._state = state
        self._changed = changed
        for side, button in BUTTONS.items():
            page.on(button, "click", self._pressed(side))
        page.on("side-close", "click", lambda event: self._close())
        listen(page.element("side"), "keydown", self._key)

    def _pressed(self, side: str) -> Callable[[Any], None]:
        def pressed(event: Any) -> None:
            self._state.layout.toggle_side_panel(side)
            self._changed()
            if self._state.layout.side_panel:
                call(self._page.element("side-close"), "focus", {"preventScroll": True})

        return pressed

    def _close(self) -> None:
        side = self._state.layout.side_panel
        self._state.layout.side_panel = ""
        self._changed()
        if side:
            call(self._page.element(BUTTONS[side]), "focus")

    def _key(self, event: Any) -> None:
        if get(event, "key") == "Escape" and get(window, "document", "fullscreenElement") is None:
            self._close()
