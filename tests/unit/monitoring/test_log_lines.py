"""Tests of formatting log events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import LogLevel
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from signald.config.settings import LogFormat
from signald.monitoring.log_lines import (
    LIBRARY,
    MOST_FRAMES,
    MOST_TEXT,
    MOST_VALUES,
    UNNAMED,
    Entry,
    as_human,
    as_json,
    escape,
    location,
)


def entry(format: str = "a sentence", /, *, namespace: str = "signald.lifecycle.service", **values: Any) -> Entry:
    """Create the entry of an event of signald at the beginning of 2026."""
    event = {"log_time": 1767225600.25, "log_level": LogLevel.warn, "log_namespace": namespace, "log_format": format}
    return Entry.from_event({**event, **values})


def failure(text: str) -> Failure:
    """Create a failure with that text."""
    try:
        raise ValueError(text)
    except ValueError:
        return Failure()


class EntryTests(SynchronousTestCase):
    """`Entry.from_event` takes from an event what may be logged."""

    def test_own_event(self) -> None:
        """Name, sentence and values of signald's own event are taken."""
        found = entry("listening: {scheme} on port {port}", event="listening", scheme="https", port=9000)
        self.assertEqual(found.event, "listening")
        self.assertEqual(found.text, "listening: https on port 9000")
        self.assertEqual(found.values, {"scheme": "https", "port": 9000})
        self.assertEqual((found.level, found.time), ("warn", 1767225600.25))

    def test_unnamed(self) -> None:
        """An event without a name is logged."""
        self.assertEqual(entry("words").event, UNNAMED)

    def test_library(self) -> None:
        """A library's event is reduced to its namespace; template, values and name are not taken."""
        found = entry("canary {x}", namespace="twisted.web.http", x="canary", event="canary", log_text="canary")
        self.assertEqual((found.event, found.text), (LIBRARY, "from twisted.web.http"))
        self.assertNotIn("canary", as_human(found) + as_json(found))
        self.assertEqual(entry("x", namespace="signaldish").event, LIBRARY)

    def test_exception(self) -> None:
        """An exception is reduced to its class and its stack locations, without its text and source lines."""
        for namespace in ("signald.web", "log_legacy"):
            found = entry("it failed", namespace=namespace, log_failure=failure("canary"))
            self.assertEqual(found.exception, "ValueError")
            self.assertRegex(found.stack[0], r"^monitoring/test_log_lines\.py:\d+ failure$")
            self.assertNotIn("canary", as_human(found) + as_json(found))

    def test_deep_stack(self) -> None:
        """Only the innermost locations of a deep stack are taken."""

        def deep(depth: int) -> Failure:
            return failure("") if depth == 0 else deeper(depth - 1)

        def deeper(depth: int) -> Failure:
            try:
                if depth == 0:
                    raise ValueError
                return deeper(depth - 1)
            except ValueError:
                if depth < 99:
                    raise
                return Failure()

        self.assertEqual(len(entry("x", log_failure=deep(100)).stack), MOST_FRAMES)

    def test_other_classes(self) -> None:
        """A value of any other class is reduced to the name of the class, whatever its repr."""

        class Secretive:
            def __repr__(self) -> str:
                return "canary"

            __str__ = __repr__

        found = entry("{thing} {things}", thing=Secretive(), things=[Secretive(), 1])
        self.assertEqual(found.text, "<Secretive> <Secretive>, 1")

    def test_plain_values(self) -> None:
        """Paths, enumerations, numbers and None are formatted."""
        found = entry("{a} {b} {c} {d}", a=Path("/x"), b=LogFormat.JSON, c=1.5, d=None)
        self.assertEqual(found.text, "/x json 1.5 None")

    def test_mismatched_template(self) -> None:
        """A template that does not fit the values is logged itself, without the values."""
        for template in ("{missing}", "{", "{0}", "{x.y}", "{x!z}", "{x[y]}"):
            self.assertEqual(entry(template, x="canary").text, template)

    def test_long_values(self) -> None:
        """Long values, and the whole text of a long line, are truncated."""
        found = entry("{a}{b}{c}", a="x" * 10**6, b="y" * 10**6, c="z" * 10**6)
        self.assertEqual(len(found.text), MOST_TEXT)
        self.assertEqual(len(str(found.values["a"])), MOST_TEXT // 2)


class LineTests(SynchronousTestCase):
    """`as_human`, `as_json`, `location` and `escape`."""

    def test_as_human(self) -> None:
        """A line of text has time, level, name, sentence, exception and stack."""
        line = as_human(Entry(1767225600.25, "warn", "it-is", "so it is", {}, "ValueError", ("a.py:1 f", "b.py:2 g")))
        self.assertEqual(line, "2026-01-01T00:00:00.250Z warn [it-is] so it is: ValueError at a.py:1 f < b.py:2 g")

    def test_as_json(self) -> None:
        """A JSON line has the same fields and the event's values; a value never overrides a field."""
        line = as_json(Entry(1767225600.25, "warn", "it-is", "so", {"port": 1, "text": "other"}, "E", ("a.py:1 f",)))
        self.assertEqual(
            json.loads(line),
            {
                "time": "2026-01-01T00:00:00.250+00:00",
                "level": "warn",
                "event": "it-is",
                "text": "so",
                "exception": "E",
                "stack": ["a.py:1 f"],
                "port": 1,
            },
        )

    def test_json_values(self) -> None:
        """A line of JSON has at most `MOST_VALUES` values, the first ones."""
        values = {f"v{number}": number for number in range(100)}
        self.assertEqual(len(json.loads(as_json(Entry(0.0, "info", "e", "t", values)))), 4 + MOST_VALUES)

    def test_location(self) -> None:
        """A location has the file with its package, and no other directory."""
        self.assertEqual(location("/home/somebody/signald/hub.py", 7, "received"), "signald/hub.py:7 received")
        self.assertEqual(
            location("/home/somebody/signald/core/hub.py", 7, "received"), "signald/core/hub.py:7 received"
        )

    @given(st.text(), st.text(), st.text())
    def test_any_event(self, format: str, value: str, exception: str) -> None:
        """Any event becomes one line without unsafe characters."""
        found = entry(format, value=value, event=value, log_failure=None)
        for line in (as_human(found), as_json(found)):
            self.assertLess(len(line), 8 * MOST_TEXT)
            self.assertEqual(line, escape(line))
            self.assertEqual(line.splitlines(), [line])
            line.encode("utf-8")
        self.assertIsInstance(json.loads(as_json(found)), dict)

    def test_escape(self) -> None:
        """Control, bidi, zero-width, separator, surrogate and tag characters are escaped; letters are not."""
        for character in "\n\r\x1b\x7f\x9b\u202e\u2066\u200b\u2028\ufeff\ud800\U000e0041":
            self.assertNotIn(character, escape(f"a{character}b"))
        self.assertEqual(escape("\x1b[2J\u202e\U000e0041"), "\\x1b[2J\\u202e\\U000e0041")
        self.assertEqual(escape("Grüße, שלום, 你好"), "Grüße, שלום, 你好")
