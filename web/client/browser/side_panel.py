"""The side panel, which shows the chat or the people."""

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
    """The element `side`: its toolbar buttons open and close it; its close button and Escape close it."""

    def __init__(self, page: Page, state: PageState, refresh: Callable[[], None]) -> None:
        """Listen to the buttons; `refresh` is called when the state changed."""
        self._page = page
        self._state = state
        self._refresh = refresh
        for side, button in BUTTONS.items():
            page.on_click(button, self._toggle_handler(side))
        page.on_click("side-close", self._close)
        listen(page.element("side"), "keydown", self._key_pressed)

    def _toggle_handler(self, side: str) -> Callable[[], None]:
        def toggle() -> None:
            self._state.layout.toggle_side_panel(side)
            self._refresh()
            if self._state.layout.side_panel:
                call(self._page.element("side-close"), "focus", {"preventScroll": True})

        return toggle

    def _close(self) -> None:
        side = self._state.layout.side_panel
        self._state.layout.side_panel = ""
        self._refresh()
        if side:
            call(self._page.element(BUTTONS[side]), "focus")

    def _key_pressed(self, event: Any) -> None:
        if get(event, "key") == "Escape" and get(window, "document", "fullscreenElement") is None:
            self._close()
