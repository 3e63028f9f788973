"""Formats log events as lines of text or JSON, without anything that a client sent.

An event of signald has a name (`event=`), a sentence with values, and the values; the code chooses all of them, and a
test with real traffic checks that. A library's event may contain the repr of any object, so only its namespace is
logged. Of an exception, the class and the stack are logged, since its text may quote data.
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

__all__ = ["LIBRARY", "MOST_FRAMES", "MOST_TEXT", "UNNAMED", "Entry", "as_human", "as_json", "escape", "location"]

LIBRARY = "library"
"""The name of every event that a library logs."""

UNNAMED = "unnamed"
"""The name of an event without a name."""

MOST_TEXT = 2000
"""The maximum length of a sentence, in characters; that of a value is half of it."""

MOST_VALUES = 16
"""The maximum number of values in a line of JSON."""

MOST_FRAMES = 30
"""The maximum number of locations of a stack; the innermost ones are logged."""

_UNSAFE = re.compile(
    # Control characters move a terminal's cursor or start another line; format characters change the direction of
    # text (Unicode Standard Annex 9) or are invisible; line separators split lines; surrogates cannot be encoded.
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
    "|[\U000e0000-\U000e007f]"
)
"""Characters that must not reach a terminal or a log reader."""


@frozen
class Entry:
    """A log event, reduced to what may be logged.

    Attributes:
        time: wall time, in seconds since the epoch.
        level: `debug`, `info`, `warn`, `error` or `critical`.
        event: the name of the event, in kebab-case.
        text: the sentence.
        values: the values in the sentence, and further ones.
        exception: the class of an exception; None without one.
        stack: the locations of its traceback, innermost first.

    """

    time: float
    level: str
    event: str
    text: str
    values: Mapping[str, str | int | float | bool | None] = field(factory=dict)
    exception: str | None = None
    stack: tuple[str, ...] = ()

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Entry:
        """Create the entry of an event of `twisted.logger`."""
        namespace = str(event.get("log_namespace", ""))
        level = getattr(event.get("log_level"), "name", "info")
        # The legacy interface, `twisted.python.log`, uses another key.
        failure = event.get("log_failure") or event.get("failure")
        exception = None if failure is None else escape(getattr(failure.type, "__name__", "?"))[:100]
        stack = () if failure is None else _locations(failure)
        time = float(event.get("log_time", 0.0))
        if namespace != "signald" and not namespace.startswith("signald."):
            where = escape(namespace)[:100]
            return cls(time, level, LIBRARY, f"from {where}", {"library": where}, exception, stack)
        values = {
            name: _loggable(value)
            for name, value in event.items()
            if not name.startswith("log_") and name not in ("event", "format", "message", "time", "isError")
        }
        name = escape(str(event.get("event", UNNAMED)))[:100]
        return cls(time, level, name, _sentence(event.get("log_format"), values), values, exception, stack)


def as_human(entry: Entry) -> str:
    """Format an entry as text, without a line end."""
    time = datetime.fromtimestamp(entry.time, UTC)
    line = f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03}Z {entry.level} [{entry.event}] {entry.text}"
    if entry.exception is not None:
        line += f": {entry.exception}"
    if entry.stack:
        line += f" at {' < '.join(entry.stack)}"
    return line


def as_json(entry: Entry) -> str:
    """Format an entry as a JSON object (RFC 8259) in ASCII, without a line end."""
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


def escape(text: str) -> str:
    r"""Replace each unsafe character (`_UNSAFE`) by `\xHH`, `\uHHHH` or `\UHHHHHHHH`."""
    return _UNSAFE.sub(lambda found: _escape_sequence(ord(found[0])), text)


def location(filename: str, line: int, function: str) -> str:
    """Format a source location: file, line and function; of the path, only the package or directory is shown."""
    parts = PurePath(filename).parts
    file = "/".join(parts[-3:] if parts[-3:-2] == ("signald",) else parts[-2:])
    return escape(f"{file}:{line} {function}")[:200]


def _escape_sequence(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _loggable(value: object) -> str | int | float | bool | None:
    """Return a value as it may be logged; an object of any other class is reduced to the name of its class."""
    match value:
        case None | bool() | int() | float():
            return value
        case Enum():
            return _loggable(value.value)
        case str() | PurePath():
            return _cut(escape(str(value)), MOST_TEXT // 2)
        case list() | tuple():
            return _cut(", ".join(str(_loggable(element)) for element in value[:MOST_FRAMES]), MOST_TEXT // 2)
        case _:
            return f"<{type(value).__name__}>"


def _sentence(format: object, values: Mapping[str, object]) -> str:
    text = str(format or "")
    # If the values do not fit the template, the template itself is logged; a repr could contain anything.
    with suppress(LookupError, ValueError, AttributeError, TypeError):
        text = text.format_map(values)
    return _cut(escape(text), MOST_TEXT)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _locations(failure: Any) -> tuple[str, ...]:
    frames: Iterable[tuple[str, str, int, object, object]] = list(failure.frames)[:MOST_FRAMES]
    return tuple(location(filename, line, function) for function, filename, line, *_ in frames)
