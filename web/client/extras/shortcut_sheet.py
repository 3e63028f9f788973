"""The list of keyboard shortcuts, built from their table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..browser.bridge import call, get, put, window
from . import extra_texts
from .shortcuts import SHORTCUTS

if TYPE_CHECKING:
    from ..browser.page import Page

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
        put(cap, "textContent", extra_texts.KEYS.get(key, key.upper()))
        call(head, "append", cap)
        cell = call(document, "createElement", "td")
        put(cell, "textContent", extra_texts.SHORTCUTS[does])
        call(row, "append", head, cell)
        call(table, "append", row)
