"""The page's elements: shows a view, and tells what the person presses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model.view_model import PAGE
from .bridge import call, get, listen, put, window

if TYPE_CHECKING:
    from collections.abc import Callable
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
"""Properties of a view that are attributes for the style sheet; the others are the elements' own."""

PROPERTIES = {"text": "textContent"}
"""Properties of a view that elements call otherwise."""


class Page:
    """The document. What is shown already is not set again."""

    def __init__(self, shown: View) -> None:
        """Begin with what index.html shows by itself."""
        self._document = get(window, "document")
        self._elements: dict[str, Any] = {}
        self._shown = shown

    def element(self, name: str) -> Any:
        """Return the element with this id."""
        if name not in self._elements:
            self._elements[name] = call(self._document, "getElementById", name)
        return self._elements[name]

    def on(self, name: str, event: str, heard: Callable[[Any], object]) -> None:
        """Call `heard` with each event of this name at the element with this id."""
        listen(self.element(name), event, heard)

    def show(self, view: View) -> None:
        """Let the document be as the view says."""
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
        """Set a property of the element with this id, in the terms of a view."""
        element = self.element(name)
        if what in ATTRIBUTES:
            call(element, "setAttribute", ATTRIBUTES[what], "true" if value else "false")
        else:
            put(element, PROPERTIES.get(what, what), value)

    def _focus(self, name: str) -> None:
        """Let the keyboard go on at an element, unless the one that has it is still there."""
        active = get(self._document, "activeElement")
        if active is None or get(active, "offsetParent") is None:
            call(self.element(name), "focus", {"preventScroll": True})


class PagePart:
    """A part of the page with a view of its own: a function of what its feature knows."""

    def __init__(self, page: Page) -> None:
        """Begin without knowing what the part shows."""
        self._page = page
        self._shown: View = {}

    def show(self, view: View) -> None:
        """Let the part be as the view says; what is so already is not set again."""
        shown, self._shown = self._shown, view
        for key, value in view.items():
            if shown.get(key) != value:
                name, what = key
                self._page.set(name, what, value)
