"""The page's elements: applies a view to the document, and registers event listeners."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model.view_model import PAGE
from .bridge import call, get, listen, put, spawn, window

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from ..model.view_model import View

__all__ = ["Page", "PagePart"]

ATTRIBUTES = {
    "on": "data-on",
    "picture": "data-picture",
    "quiet": "data-quiet",
    "mirror": "data-mirror",
    "pressed": "aria-pressed",
    "expanded": "aria-expanded",
}
"""Properties of a view that become attributes for the style sheet; the others are the elements' own properties."""

PROPERTIES = {"text": "textContent"}
"""The element's name of each view property that has another name there."""


class Page:
    """The document; only changed values are written to it."""

    def __init__(self, shown: View) -> None:
        """Start from `shown`, the view that index.html shows by itself."""
        self._document = get(window, "document")
        self._elements: dict[str, Any] = {}
        self._shown = shown

    def element(self, name: str) -> Any:
        """Return the element with this id."""
        if name not in self._elements:
            self._elements[name] = call(self._document, "getElementById", name)
        return self._elements[name]

    def on(self, name: str, event: str, handler: Callable[[Any], object]) -> None:
        """Call `handler` with each event of this name at the element with this id."""
        listen(self.element(name), event, handler)

    def on_click(self, name: str, action: Callable[[], Coroutine[Any, Any, None] | None]) -> None:
        """Call `action` on each click on the element with this id. A coroutine function is run as a task."""

        def clicked(event: Any) -> None:
            task = action()
            if task is not None:
                spawn(task)

        self.on(name, "click", clicked)

    def show(self, view: View) -> None:
        """Apply a view to the document."""
        shown, self._shown = self._shown, view
        focus = ""
        for key, value in view.items():
            if shown[key] == value:
                continue
            name, what = key
            if name != PAGE:
                self.set(name, what, value)
            elif what == "state":
                put(get(self._document, "documentElement", "dataset"), "state", value)
            elif what == "side":
                call(get(self._document, "documentElement"), "toggleAttribute", "data-side", bool(value))
            elif what == "title":
                put(self._document, "title", value)
            elif shown[PAGE, "state"] != "loading":
                focus = str(value)
        if focus:
            self._focus(focus)

    def set(self, name: str, what: str, value: str | bool) -> None:
        """Set a view's property of the element with this id."""
        element = self.element(name)
        if what in ATTRIBUTES:
            call(element, "setAttribute", ATTRIBUTES[what], "true" if value else "false")
        else:
            put(element, PROPERTIES.get(what, what), value)

    def _focus(self, name: str) -> None:
        """Focus an element, unless the currently focused element is still visible."""
        active = get(self._document, "activeElement")
        if active is None or get(active, "offsetParent") is None:
            call(self.element(name), "focus", {"preventScroll": True})


class PagePart:
    """A part of the page with its own view, which is computed from the state of its feature."""

    def __init__(self, page: Page) -> None:
        """Start with an empty view, so that the first view is written completely."""
        self._page = page
        self._shown: View = {}

    def show(self, view: View) -> None:
        """Apply a view to the document; only values that changed are written."""
        shown, self._shown = self._shown, view
        for key, value in view.items():
            if shown.get(key) != value:
                name, what = key
                self._page.set(name, what, value)
