"""The stage: moves the self-view, and switches the layout and full screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import layout
from .bridge import BrowserError, call, capture_pointer, get, listen, put, wait, window

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..model.page_state import PageState
    from .page import Page
    from .stage_placement import StagePlacement

__all__ = ["Stage"]

DRAG_THRESHOLD = 8
"""The movement in pixels from which a press counts as a drag."""


class Stage:
    """Arranges the pictures on the person's input."""

    def __init__(self, page: Page, state: PageState, placement: StagePlacement, refresh: Callable[[], None]) -> None:
        """Listen to the elements; `refresh` is called when the state changed."""
        self._placement = placement
        self._page = page
        self._state = state
        self._refresh = refresh
        self._drag_start: tuple[int, int] | None = None
        self._figure = page.element("self")
        self._document = get(window, "document")
        for event, handler in (
            ("pointerdown", self._drag_started),
            ("pointermove", self._dragged),
            ("pointerup", self._dropped),
            ("pointercancel", self._dropped),
        ):
            listen(self._figure, event, handler)
        page.on("move-self", "keydown", self._key_pressed)
        page.on_click("swap", lambda: self._apply(state.layout.toggle_self_view))
        page.on_click("layout", lambda: self._apply(state.change_layout))
        page.on_click("full-screen", self._toggle_full_screen)
        listen(self._document, "fullscreenchange", lambda event: self._full_screen_changed())

    def place_self_view(self) -> None:
        """Place the pictures, with the self-view in the corner that the state names."""
        call(self._figure, "setAttribute", "data-corner", self._state.layout.self_view_corner)
        call(get(self._document, "documentElement"), "toggleAttribute", "data-swapped", self._placement.own_large)
        self._placement.place()

    def _can_move(self) -> bool:
        """Return whether the self-view lies in a corner."""
        pictures, _ = self._state.pictures
        return self._state.stage in ("calling", "connected") and len(pictures) == 1 and not self._placement.own_large

    def _apply(self, change: Callable[[], None]) -> None:
        change()
        self._refresh()

    # Moving the self-view with a finger, the mouse or the arrow keys

    def _drag_started(self, event: Any) -> None:
        button = call(get(event, "target"), "closest", "button")
        if button is None and self._can_move():
            start = (int(get(event, "clientX")), int(get(event, "clientY")))
            self._drag_start = start if capture_pointer(self._figure, event) else None

    def _dragged(self, event: Any) -> None:
        if self._drag_start is not None:
            left, top = (
                int(get(event, "clientX")) - self._drag_start[0],
                int(get(event, "clientY")) - self._drag_start[1],
            )
            put(get(self._figure, "style"), "translate", f"{left}px {top}px")

    def _dropped(self, event: Any) -> None:
        if self._drag_start is None:
            return
        (left, top), self._drag_start = self._drag_start, None
        put(get(self._figure, "style"), "translate", "")
        x, y = int(get(event, "clientX")), int(get(event, "clientY"))
        if abs(x - left) + abs(y - top) >= DRAG_THRESHOLD and get(event, "type") == "pointerup":
            room = call(self._page.element("stage"), "getBoundingClientRect")
            width, height = float(get(room, "width")), float(get(room, "height"))
            self._state.layout.self_view_corner = layout.nearest_corner(
                x - float(get(room, "left")), y - float(get(room, "top")), width, height
            )
            self.place_self_view()

    def _key_pressed(self, event: Any) -> None:
        key = get(event, "key")
        corner = layout.next_corner(self._state.layout.self_view_corner, key)
        if key.startswith("Arrow"):
            call(event, "preventDefault")
            self._state.layout.self_view_corner = corner
            self.place_self_view()

    # Full screen

    async def _toggle_full_screen(self) -> None:
        try:
            if get(self._document, "fullscreenElement") is None:
                await wait(call(get(self._document, "documentElement"), "requestFullscreen"))
            else:
                await wait(call(self._document, "exitFullscreen"))
        except BrowserError:
            return

    def _full_screen_changed(self) -> None:
        self._state.layout.full_screen = get(self._document, "fullscreenElement") is not None
        self._refresh()
