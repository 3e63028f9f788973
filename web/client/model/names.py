"""Cleans the names of people, which others typed. It does not touch the browser."""

from __future__ import annotations

__all__ = ["MAX_CHARACTERS", "clean_name"]

MAX_CHARACTERS = 64
"""The longest name that the server accepts."""

SPACES = (
    (0x9, 0xD),
    (0x85, 0x85),
    (0xA0, 0xA0),
    (0x1680, 0x1680),
    (0x2000, 0x200A),
    (0x2028, 0x2029),
    (0x202F, 0x202F),
    (0x205F, 0x205F),
    (0x2800, 0x2800),
    (0x3000, 0x3000),
)
"""Ranges of white space, line ends, and the empty pattern of Braille; each becomes one space."""

REMOVED = (
    (0x0, 0x1F),
    (0x7F, 0x9F),
    (0xAD, 0xAD),
    (0x34F, 0x34F),
    (0x61C, 0x61C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200B),
    (0x200E, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xD800, 0xDFFF),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFFB),
    (0xE0000, 0xE0FFF),
)
"""Ranges of control characters, of those that change the direction of writing (Unicode UAX #9 §2), and of invisible
ones."""

JOINERS = "\u200c\u200d\ufe0e\ufe0f"
"""Invisible characters that scripts and emoji need between others."""


def _in(code: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= code <= last for first, last in ranges)


def clean_name(text: str) -> str:
    """Return a name without control, bidi and invisible characters; empty if no visible character is left."""
    kept = ""
    for character in text[: 4 * MAX_CHARACTERS]:
        code = ord(character)
        if 0x20 < code < 0x7F:
            kept += character
        elif code == 0x20 or _in(code, SPACES):
            kept += " "
        elif not _in(code, REMOVED):
            kept += character
    kept = " ".join(kept.split())[:MAX_CHARACTERS].strip()
    # MicroPython's `strip` compares bytes, and would cut characters apart.
    return kept if any(character not in JOINERS for character in kept) else ""
