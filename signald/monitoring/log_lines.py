"""Lines of the log: what an event of the log becomes, for people or as JSON. Nothing that a client said is in them.

An event of signald's own has a name (`event=`), a sentence with values in it, and the values; all of them are the
code's choice, checked by a test with real traffic. Of what libraries log, which may hold a repr of anything, only the
place is told. Of an exception only its class and the places that it went through are: its text may quote what it was
about.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from enum import Enum
from pathlib import PurePath
from typing import Any

from attrs import field, frozen

__all__ = ["LIBRARY", "MOST_FRAMES", "MOST_TEXT", "UNNAMED", "Entry", "as_human", "as_json", "escaped", "place"]

LIBRARY = "library"
"""The name of whatever a library logs."""

UNNAMED = "unnamed"
"""The name of an event that has none."""

MOST_TEXT = 2000
"""Characters of a sentence; of any value in it half as many."""

MOST_VALUES = 16
"""Of an event, as JSON."""

MOST_FRAMES = 30
"""Of a stack, innermost first."""

_UNSAFE = re.compile(
    # Controls, which move a terminal's cursor or begin another line; format characters, which turn what follows
    # around (Unicode Standard Annex 9) or hide; separators of lines; surrogates, which no encoding takes.
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
    "|[\U000e0000-\U000e007f]"
)


@frozen
class Entry:
    """An event, ready to be written.

    Attributes:
        time: seconds since the epoch.
        level: `debug`, `info`, `warn`, `error` or `critical`.
        event: its name, in kebab-case.
        text: the sentence.
        values: what is in it, or was told with it.
        exception: the class of an exception; None where there was none.
        stack: the places that it went through, innermost first.

    """

    time: float
    level: str
    event: str
    text: str
    values: Mapping[str, str | int | float | bool | None] = field(factory=dict)
    exception: str | None = None
    stack: tuple[str, ...] = ()

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Entry:
        """Make the entry of an event of Twisted's log (`twisted.logger`)."""
        namespace = str(event.get("log_namespace", ""))
        level = getattr(event.get("log_level"), "name", "info")
        # The older interface of Twisted's calls it otherwise.
        failure = event.get("log_failure") or event.get("failure")
        exception = None if failure is None else escaped(getattr(failure.type, "__name__", "?"))[:100]
        stack = () if failure is None else _places(failure)
        time = float(event.get("log_time", 0.0))
        if namespace != "signald" and not namespace.startswith("signald."):
            where = escaped(namespace)[:100]
            return cls(time, level, LIBRARY, f"from {where}", {"library": where}, exception, stack)
        values = {
            name: _plain(value)
            for name, value in event.items()
            if not name.startswith("log_") and name not in ("event", "format", "message", "time", "isError")
        }
        name = escaped(str(event.get("event", UNNAMED)))[:100]
        return cls(time, level, name, _sentence(event.get("log_format"), values), values, exception, stack)


def as_human(entry: Entry) -> str:
    """A line for people, without its end."""
    time = datetime.fromtimestamp(entry.time, UTC)
    line = f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03}Z {entry.level} [{entry.event}] {entry.text}"
    if entry.exception is not None:
        line += f": {entry.exception}"
    if entry.stack:
        line += f" at {' < '.join(entry.stack)}"
    return line


def as_json(entry: Entry) -> str:
    """A line that is a JSON object (RFC 8259), in ASCII, without its end."""
    document: dict[str, object] = {
        "time": datetime.fromtimestamp(entry.time, UTC).isoformat(timespec="milliseconds"),
        "level": entry.level,
        "event": entry.event,
        "text": entry.text,
    }
    if entry.exception is not None:
        document["exception"] = entry.exception
    if entry.stack:
        document["stack"] = list(entry.stack)
    for name, value in list(entry.values.items())[:MOST_VALUES]:
        document.setdefault(name, value)
    return json.dumps(document, separators=(",", ":"))


def escaped(text: str) -> str:
    r"""The text with every character that could act on a terminal or a reader as `\xHH`, `\uHHHH` or `\UHHHHHHHH`."""
    return _UNSAFE.sub(lambda found: _escape(ord(found[0])), text)


def place(filename: str, line: int, function: str) -> str:
    """The file with its package, the line and the function: of a path that an operator chose nothing is left."""
    parts = PurePath(filename).parts
    file = "/".join(parts[-3:] if parts[-3:-2] == ("signald",) else parts[-2:])
    return escaped(f"{file}:{line} {function}")[:200]


def _escape(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _plain(value: object) -> str | int | float | bool | None:
    """A value as it may stand in a line; of an object of any other class nothing but that."""
    match value:
        case None | bool() | int() | float():
            return value
        case Enum():
            return _plain(value.value)
        case str() | PurePath():
            return _cut(escaped(str(value)), MOST_TEXT // 2)
        case list() | tuple():
            return _cut(", ".join(str(_plain(element)) for element in value[:MOST_FRAMES]), MOST_TEXT // 2)
        case _:
            return f"<{type(value).__name__}>"


def _sentence(format: object, values: Mapping[str, object]) -> str:
    text = str(format or "")
    # Where a value does not fit into the template, it is the template: never a repr of anything.
    with suppress(LookupError, ValueError, AttributeError, TypeError):
        text = text.format_map(values)
    return _cut(escaped(text), MOST_TEXT)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _places(failure: Any) -> tuple[str, ...]:
    frames: Iterable[tuple[str, str, int, object, object]] = list(failure.frames)[:MOST_FRAMES]
    return tuple(place(filename, line, function) for function, filename, line, *_ in frames)
