"""Cleans the names of people, which others typed, before they are shown in a page or a terminal."""

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
    (0xFFF0, 0xFFFC),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
)
"""Ranges of control characters, of those that change the direction of writing (Unicode UAX #9 §2), and of invisible
ones."""

JOINERS = (0x200C, 0x200D)
"""The invisible characters that scripts and emoji need between others."""

MARKS = (
    "300-6f 114-6 108-2c 2 2-1 2-1 2 49-a 31-14 11 66-6 3-5 3-1 2-3 24 1f-1a 5c-a 3b-8 a 19-3 2-8 2-2 2-4 2c-2 3d-7 "
    "2b-17 2-1f 38 2 5-7 5 4-6 b-1 1e 3b 5-3 9 15-1 1b 3-1 3a 5-1 5-1 3-2 4 1f-1 4 c-1 3a 5-4 2-1 5 15-1 17-5 2 3b 3 "
    "2-3 9 8-1 c-1 1f 3e d 33 4 38 2-2 6-2 2-3 8-1 c-1 1e 3b 3 7 6-1 15-1 1d-1 3a-1 5-3 9 15-1 1e 49 8-2 2 5b 3-6 d-7 "
    "63 3-8 c-5 4b-1 1c 2 2 38-d 2-4 2-1 6-a 2-23 a 67-3 2-5 2-1 3-1 1a-1 5-2 11-3 e 3-1 7 10 2c0-2 3b3-2 1e-1 1f-1 "
    "1f-1 41-1 2-6 9 3-a a 2e-2 2 76-1 23 77-2 5-1 a 7-2 dc-1 3 3b 2-6 2 2 3-7 7-9 3 31-1e 32-3 31 2-4 2 6 29-8 d-1 "
    "21-3 3-1 2-2 39 2-1 4 2-2 3b-7 3-1 99-2 2-c 2-6 5 7 4-1 c7-3f 2d1-20 bff-2 8e 61-1f 22b-3 6c-1 75d5-3 2-9 21-1 "
    "51-1 111 4 5 1a-1 6 98-1 1b-11 e 27-7 1a-a 2f-2 31 3-3 3-1 28 44-5 3-1 3-1 d 9 30 34 2-2 3-1 6-1 2 2b-1 9 ef 3 5 "
    "4f31 2e2-f 11-f"
)
"""The marks that are drawn on the character before them, and the selectors of its variant: the general categories Mn
and Me of Unicode 14, which MicroPython has no table of. In hexadecimal, each range has the distance of its first
character from the last one of the range before, and, where it has more than one character, the distance between its
ends. Those beyond U+FFFF are left out: they belong to rare scripts, and each byte is fetched for the start screen."""

_marks: list[tuple[int, int]] = []
"""The ranges of `MARKS`, once they were needed."""


def _in(code: int, ranges: tuple[tuple[int, int], ...] | list[tuple[int, int]]) -> bool:
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
    return kept if any(_is_visible(ord(character)) for character in kept) else ""


def _is_visible(code: int) -> bool:
    """Return whether a character that was kept shows anything by itself."""
    if code < 0x300:
        return code != 0x20
    return code not in JOINERS and not _in(code, _mark_ranges())


def _mark_ranges() -> list[tuple[int, int]]:
    if not _marks:
        last = 0
        for text in MARKS.split():
            distance, _, length = text.partition("-")
            first = last + int(distance, 16)
            last = first + int(length or "0", 16)
            _marks.append((first, last))
    return _marks
