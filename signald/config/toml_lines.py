"""Where in a TOML file a key stands, for messages: the standard library's reader does not tell."""

from __future__ import annotations

import re

__all__ = ["lines_of"]

_KEY = r"""[A-Za-z0-9_-]+|"[^"\\]*"|'[^']*'"""
_DOTTED = rf"(?:{_KEY})(?:\s*\.\s*(?:{_KEY}))*"
_TABLE = re.compile(rf"\s*\[\[?\s*({_DOTTED})\s*\]\]?\s*(?:#.*)?")
_PAIR = re.compile(rf"\s*({_DOTTED})\s*=(.*)")
_INLINE = re.compile(rf"[{{,]\s*({_DOTTED})\s*=")

_MOST_KEYS = 8
"""Of a dotted key that are looked at; no setting's path has as many."""


def lines_of(text: str) -> dict[tuple[str, ...], int]:
    """Return the line, counted from 1, of each table and key of a valid TOML document, by its path.

    Text within strings of several lines that looks like a key is taken for one; the first one of a path counts.
    """
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if matched := _TABLE.fullmatch(line):
            table = _path(matched[1])
            found.setdefault(table, number)
        elif matched := _PAIR.match(line):
            path = table + _path(matched[1])
            for end in range(len(table) + 1, len(path) + 1):
                found.setdefault(path[:end], number)
            for inner in _INLINE.finditer(matched[2]):
                found.setdefault(path + _path(inner[1]), number)
    return found


def _path(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_KEY, dotted)[:_MOST_KEYS])
