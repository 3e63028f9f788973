"""Creates elements of the document for the parts that are loaded on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..browser.bridge import call, get, put, window

if TYPE_CHECKING:
    from typing import Any

__all__ = ["create", "list_options", "svg"]


def create(tag: str, text: str = "", style: str = "") -> Any:
    """Return a new element with a text and a class; both may be empty."""
    element = call(get(window, "document"), "createElement", tag)
    put(element, "textContent", text)
    if style:
        put(element, "className", style)
    return element


def svg(tag: str, attributes: dict[str, str]) -> Any:
    """Return a new SVG element with these attributes."""
    element = call(get(window, "document"), "createElementNS", "http://www.w3.org/2000/svg", tag)
    for name, value in attributes.items():
        call(element, "setAttribute", name, value)
    return element


def list_options(select: Any, options: list[tuple[str, str]], selected: str) -> None:
    """Replace the options of a `select` element by these (value, text) pairs."""
    call(select, "replaceChildren")
    for value, text in options:
        option = create("option", text)
        put(option, "value", value)
        call(select, "append", option)
    put(select, "value", selected)
