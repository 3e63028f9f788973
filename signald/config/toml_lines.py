"""Finds the line of each key in a TOML file, for messages: the standard library's parser does not report positions."""

from __future__ import annotations

import re
from collections.abc import Iterator

import tomlkit
from tomlkit.container import Container
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, InlineTable, Item, Table

__all__ = ["lines_of"]

_MARK = re.compile("\0([0-9]+)\0")
"""An item's index between two characters that no TOML document contains."""


def lines_of(text: str) -> dict[tuple[str, ...], int]:
    """Return the line, counted from 1, of each table and key of a valid TOML document, by its path.

    A table without a header of its own has the line of its first key. If a path occurs several times, as in an array
    of tables, the first one counts. The result is empty if tomlkit cannot reproduce the document.
    """
    # tomlkit does not report positions either, but it writes a document as it was read. A mark that is put before a
    # key is therefore written on the line of that key.
    try:
        document = tomlkit.parse(text)
        items = list(_items(document, ()))
        for index, (_, item) in enumerate(items):
            item.trivia.indent += f"\0{index}\0"
        marked = tomlkit.dumps(document)
    except (TOMLKitError, RecursionError):
        return {}
    if _without_spaces(marked) != _without_spaces(text):
        # tomlkit moves a table below an array of tables if other tables stand between the two. No line is better than
        # a wrong one.
        return {}
    found: dict[tuple[str, ...], int] = {}
    for line, content in enumerate(marked.split("\n"), 1):
        for index in _MARK.findall(content):
            path, _ = items[int(index)]
            for end in range(1, len(path) + 1):
                found.setdefault(path[:end], line)
    return found


def _without_spaces(text: str) -> str:
    """Remove the marks, and all spaces: tomlkit loses some that follow a date or surround a dot."""
    return _MARK.sub("", text).replace(" ", "").replace("\t", "")


def _items(container: Container, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Item]]:
    """Yield all items that have a key, with their paths; an array of tables counts as its tables."""
    for key, value in container.body:
        if key is not None:
            below = (*path, key.key)
            for item in value.body if isinstance(value, AoT) else [value]:
                yield below, item
                if isinstance(item, Table | InlineTable):
                    yield from _items(item.value, below)
