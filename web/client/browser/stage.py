"""The room for the pictures: the own one moved about, full screen, and one large picture or all alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import layout
from .bridge import BrowserError, call, get, listen, put, spawn, wait, window

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..model.page_state import PageState
    from .page import Page

__all__ = ["Stage"]

DRAGGED = 8
"""Pixels from which a press is a drag, and no press that trembled."""


class Stage:
    """What the person does to the pictures."""

    def __init__(self, page: Page, state: PageState, changed: Callable[[], None]) -> None:
        """Listen to the elements; `changed` is called when the state changed."""
        self._page = page
        self._state = state
        self._changed = changed
        self._from: tuple[int, int] | None = None
        self._figure = page.element("self")
        self._document = get(window, "document")
        for event, heard in (
            ("pointerdown", self._pressed),
            ("pointermove", self._dragged),
            ("pointerup", self._dropped),
            ("pointercancel", self._dropped),
        ):
            listen(self._figure, event, heard)
        page.on("move-self", "keydown", self._moved)
        page.on("swap", "click", lambda event: self._do(state.layout.toggle_self_view))
        page.on("layout", "click", lambda event: self._do(state.change_layout))
        page.on("full-screen", "click", lambda event: spawn(self._full_screen()))
        listen(self._document, "fullscreenchange", lambda event: self._follow_full_screen())

    def follow(self) -> None:
        """Let the own picture be where the state says."""
        call(self._figure, "setAttribute", "data-corner", self._state.layout.self_view_corner)
        call(get(self._document, "documentElement"), "toggleAttribute", "data-swapped", self._swapped())

    def _swapped(self) -> bool:
        return (
            self._state.layout.self_view_large
            and self._state.stage == "connected"
            and len(self._state.pictures[0]) == 1
        )

    def _do(self, deed: Callable[[], None]) -> None:
        deed()
        self._changed()

    # The own picture, moved with a finger, the mouse or the arrow keys

    def _pressed(self, event: Any) -> None:
        button = call(get(event, "target"), "closest", "button")
        if button is None and self._state.stage in ("calling", "connected") and not self._swapped():
            self._from = (int(get(event, "clientX")), int(get(event, "clientY")))
            call(self._figure, "setPointerCapture", get(event, "pointerId"))

    def _dragged(self, event: Any) -> None:
        if self._from is not None:
            left, top = int(get(event, "clientX")) - self._from[0], int(get(event, "clientY")) - self._from[1]
            put(get(self._figure, "style"), "translate", f"{left}px {top}px")

    def _dropped(self, event: Any) -> None:
        if self._from is None:
            return
        (left, top), self._from = self._from, None
        put(get(self._figure, "style"), "translate", "")
        x, y = int(get(event, "clientX")), int(get(event, "clientY"))
        if abs(x - left) + abs(y - top) >= DRAGGED and get(event, "type") == "pointerup":
            room = call(self._page.element("stage"), "getBoundingClientRect")
            width, height = float(get(room, "width")), float(get(room, "height"))
            self._state.layout.self_view_corner = layout.nearest_corner(
                x - float(get(room, "left")), y - float(get(room, "top")), width, height
            )
            self.follow()

    def _moved(self, event: Any) -> None:
        key = get(event, "key")
        corner = layout.corner_after(self._state.layout.self_view_corner, key)
        if key.startswith("Arrow"):
            call(event, "preventDefault")
            self._state.layout.self_view_corner = corner
            self.follow()

    # Full screen

    async def _full_screen(self) -> None:
        try:
            if get(self._document, "fullscreenElement") is None:
                await wait(call(get(self._document, "documentElement"), "requestFullscreen"))
            else:
                await wait(call(self._document, "exitFullscreen"))
        except BrowserError:
            return

    def _follow_full_screen(self) -> None:
        self._state.layout.full_screen = get(self._document, "fullscreenElement") is not None
        self._changed()
