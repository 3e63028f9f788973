"""Explains why a configuration file is not TOML, with the setting and what to write instead; no value is repeated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

__all__ = ["explain_syntax_error"]

_POSITION = re.compile(r"(?P<what>.*) \(at line (?P<line>[0-9]+), column (?P<column>[0-9]+)\)", re.DOTALL)
"""The text of a `tomllib.TOMLDecodeError`."""

_ASSIGNMENT = re.compile(r"\s*(?P<key>[A-Za-z0-9_.-]+)\s*=\s*(?P<value>.*)")

_SECTION = re.compile(r"\s*\[(?P<name>[A-Za-z0-9_.-]+)\]\s*(?:#.*)?")

_OVERWRITTEN = "Cannot overwrite a value"
"""The parser's words for a key that was there before."""

_MULTILINE = re.compile(r"\"{3}|'{3}")
"""The begin or the end of a text of several lines, which may look like settings."""

_BOOLEAN = re.compile(r"(?i:true|false|yes|no|on|off|none|null)\b")
"""Words of other languages for the values of switches, and for no value."""

_WORDS = {
    "Expected newline or end of document after a statement": "delete what follows the value; only a comment (#) may.",
    "Illegal character '\\n'": "expected a closing quotation mark on the same line.",
    "Expected ']' at the end of a table declaration": "expected ] at the end of a section's name, as in [log].",
    "Expected '=' after a key in a key/value pair": "expected NAME = VALUE, got no equals sign.",
}
"""What the parser's sentences mean to an operator."""

_CURVED_QUOTES = "\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb"
"""Quotation marks that word processors and web pages put in the place of straight ones."""


def explain_syntax_error(name: str, text: str, error: str) -> str:
    """Return a sentence about a syntax error.

    Arguments:
        name: the name of the file.
        text: its content.
        error: the text of the `tomllib.TOMLDecodeError`.

    """
    position = _POSITION.fullmatch(error)
    if position is None:
        return f"{name} is not valid TOML: {error}."
    number = int(position["line"])
    lines = text.split("\n")
    line = lines[number - 1] if number <= len(lines) else ""
    assignment = _ASSIGNMENT.match(line)
    if assignment is None:
        what = _WORDS.get(position["what"], f"this is not valid TOML: {position['what']}.")
        return f"{name}, line {number}, column {position['column']}: {what}"
    *others, (_, key) = _assignments(lines[:number])
    if position["what"] == _OVERWRITTEN:
        first = None if _MULTILINE.search(text) else next((line for line, other in others if other == key), None)
        advice = (
            f"this setting is set twice{'' if first is None else f', first in line {first}'}; delete one of the two."
        )
    else:
        advice = _advice(assignment["value"], position["what"])
    return f"{name}, line {number}, {key}: {advice}"


def _assignments(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield the number of each line that looks like a setting, with the setting's key."""
    section = ""
    for number, line in enumerate(lines, 1):
        if heading := _SECTION.fullmatch(line):
            section = heading["name"] + "."
        elif assignment := _ASSIGNMENT.match(line):
            yield number, section + assignment["key"]


def _advice(value: str, what: str) -> str:
    """Return what was expected in the place of a value, and what was found, without the value: it may be secret."""
    word = _BOOLEAN.match(value)
    if word is not None and word[0] not in ("true", "false"):
        return f"expected true or false in lower case, or a text in quotation marks, got {word[0]}."
    if any(mark in value for mark in _CURVED_QUOTES):
        return 'expected straight quotation marks ("), got curved ones.'
    if not value.strip() or value.startswith("#"):
        return "expected a value, got none; to leave a setting at its default, delete the line."
    if (value[:1].isalpha() and word is None) or value[:1] in ("/", "~", "."):
        return 'expected a number, true, false, or a text in quotation marks ("), got a text without them.'
    return _WORDS.get(what, f"this is not valid TOML: {what}.")
