"""What an event of the log becomes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import LogLevel
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from signald.config.tree import LogFormat
from signald.monitoring.log_lines import (
    LIBRARY,
    MOST_FRAMES,
    MOST_TEXT,
    MOST_VALUES,
    UNNAMED,
    Entry,
    as_human,
    as_json,
    escaped,
    place,
)


def entry(format: str = "a sentence", /, *, namespace: str = "signald.lifecycle.service", **values: Any) -> Entry:
    """The entry of an event of ours at the beginning of 2026."""
    event = {"log_time": 1767225600.25, "log_level": LogLevel.warn, "log_namespace": namespace, "log_format": format}
    return Entry.of({**event, **values})


def failure(text: str) -> Failure:
    """A failure with that text."""
    try:
        raise ValueError(text)
    except ValueError:
        return Failure()


class EntryTests(SynchronousTestCase):
    """What is taken of an event."""

    def test_an_event_of_ours(self) -> None:
        """Its name, its sentence with the values in it, and the values."""
        found = entry("listening: {scheme} on port {port}", event="listening", scheme="https", port=9000)
        self.assertEqual(found.event, "listening")
        self.assertEqual(found.text, "listening: https on port 9000")
        self.assertEqual(found.values, {"scheme": "https", "port": 9000})
        self.assertEqual((found.level, found.time), ("warn", 1767225600.25))

    def test_one_without_a_name(self) -> None:
        """It is not lost."""
        self.assertEqual(entry("words").event, UNNAMED)

    def test_nothing_of_what_a_library_says(self) -> None:
        """Neither its template nor its values, nor what it calls its event: only where it comes from."""
        found = entry("canary {x}", namespace="twisted.web.http", x="canary", event="canary", log_text="canary")
        self.assertEqual((found.event, found.text), (LIBRARY, "from twisted.web.http"))
        self.assertNotIn("canary", as_human(found) + as_json(found))
        self.assertEqual(entry("x", namespace="signaldish").event, LIBRARY)

    def test_of_an_exception_its_class_and_its_places(self) -> None:
        """Whoever logs it; not its text, nor the lines of the code."""
        for namespace in ("signald.web", "log_legacy"):
            found = entry("it failed", namespace=namespace, log_failure=failure("canary"))
            self.assertEqual(found.exception, "ValueError")
            self.assertRegex(found.stack[0], r"^monitoring/test_log_lines\.py:\d+ failure$")
            self.assertNotIn("canary", as_human(found) + as_json(found))

    def test_a_deep_stack_is_cut(self) -> None:
        """The innermost places are left."""

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

    def test_values_of_other_classes_are_not_shown(self) -> None:
        """An object is its class alone, whatever its repr would tell."""

        class Secretive:
            def __repr__(self) -> str:
                return "canary"

            __str__ = __repr__

        found = entry("{thing} {things}", thing=Secretive(), things=[Secretive(), 1])
        self.assertEqual(found.text, "<Secretive> <Secretive>, 1")

    def test_plain_values(self) -> None:
        """Paths, enums, numbers and nothing."""
        found = entry("{a} {b} {c} {d}", a=Path("/x"), b=LogFormat.JSON, c=1.5, d=None)
        self.assertEqual(found.text, "/x json 1.5 None")

    def test_a_template_that_does_not_fit(self) -> None:
        """It stands for itself; the values are not shown in its place."""
        for template in ("{missing}", "{", "{0}", "{x.y}", "{x!z}", "{x[y]}"):
            self.assertEqual(entry(template, x="canary").text, template)

    def test_long_values_and_sentences_are_cut(self) -> None:
        """No line is without bound."""
        found = entry("{a}{b}{c}", a="x" * 10**6, b="y" * 10**6, c="z" * 10**6)
        self.assertEqual(len(found.text), MOST_TEXT)
        self.assertEqual(len(str(found.values["a"])), MOST_TEXT // 2)


class LineTests(SynchronousTestCase):
    """How a line looks."""

    def test_for_people(self) -> None:
        """Time, level, name, sentence, exception, places."""
        line = as_human(Entry(1767225600.25, "warn", "it-is", "so it is", {}, "ValueError", ("a.py:1 f", "b.py:2 g")))
        self.assertEqual(line, "2026-01-01T00:00:00.250Z warn [it-is] so it is: ValueError at a.py:1 f < b.py:2 g")

    def test_as_json(self) -> None:
        """An object with the same, and the values, which replace none of it."""
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

    def test_json_has_few_values(self) -> None:
        """The first ones."""
        values = {f"v{number}": number for number in range(100)}
        self.assertEqual(len(json.loads(as_json(Entry(0.0, "info", "e", "t", values)))), 4 + MOST_VALUES)

    def test_a_place_has_no_long_path(self) -> None:
        """The file with its folder."""
        self.assertEqual(place("/home/somebody/signald/hub.py", 7, "received"), "signald/core/hub.py:7 received")
        self.assertEqual(place("/home/somebody/signald/core/hub.py", 7, "received"), "signald/core/hub.py:7 received")

    @given(st.text(), st.text(), st.text())
    def test_no_character_acts(self, format: str, value: str, exception: str) -> None:
        """Whatever is in an event: one line, nothing that a terminal obeys, nothing that turns text around."""
        found = entry(format, value=value, event=value, log_failure=None)
        for line in (as_human(found), as_json(found)):
            self.assertLess(len(line), 8 * MOST_TEXT)
            self.assertEqual(line, escaped(line))
            self.assertEqual(line.splitlines(), [line])
            line.encode("utf-8")
        self.assertIsInstance(json.loads(as_json(found)), dict)

    def test_what_is_escaped(self) -> None:
        """Controls, bidi, zero-width, separators, surrogates, tags; not letters of any script."""
        for character in "\n\r\x1b\x7f\x9b\u202e\u2066\u200b\u2028\ufeff\ud800\U000e0041":
            self.assertNotIn(character, escaped(f"a{character}b"))
        self.assertEqual(escaped("\x1b[2J\u202e\U000e0041"), "\\x1b[2J\\u202e\\U000e0041")
        self.assertEqual(escaped("Grüße, שלום, 你好"), "Grüße, שלום, 你好")
