"""The list of keyboard shortcuts, made of the table that they follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..browser import call, get, put, window
from . import texts
from .shortcuts import SHORTCUTS

if TYPE_CHECKING:
    from ..page import Page

__all__ = ["fill"]


def fill(page: Page) -> None:
    """Write a row for each key."""
    table = page.element("shortcut-rows")
    put(table, "textContent", "")
    document = get(window, "document")
    for key, _, does in SHORTCUTS:
        row = call(document, "createElement", "tr")
        head = call(document, "createElement", "th")
        put(head, "scope", "row")
        cap = call(document, "createElement", "kbd")
        put(cap, "textContent", texts.KEYS.get(key, key.upper()))
        call(head, "append", cap)
        cell = call(document, "createElement", "td")
        put(cell, "textContent", texts.SHORTCUTS[does])
        call(row, "append", head, cell)
        call(table, "append", row)
