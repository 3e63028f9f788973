"""The list of keyboard shortcuts, built from their table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..browser.bridge import call, put
from . import extra_texts
from .elements import create
from .shortcuts import SHORTCUTS

if TYPE_CHECKING:
    from ..browser.page import Page

__all__ = ["fill"]


def fill(page: Page) -> None:
    """Write a row for each key."""
    table = page.element("shortcut-rows")
    put(table, "textContent", "")
    for key, _, command in SHORTCUTS:
        row = create("tr")
        head = create("th")
        put(head, "scope", "row")
        call(head, "append", create("kbd", extra_texts.KEYS.get(key, key.upper())))
        call(row, "append", head, create("td", extra_texts.SHORTCUTS[command]))
        call(table, "append", row)
