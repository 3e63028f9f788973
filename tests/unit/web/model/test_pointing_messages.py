"""Tests that the messages of pointing are decoded strictly, and as their JSON Schema and the documentation say."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model import pointing_input, screen_marks
from signald_page.client.model.pointing_messages import (
    AT,
    AWAY,
    MAX_LINE,
    MAX_POINTS,
    InvalidPointsError,
    Points,
    at_message,
    decode_points,
)

ROOT = Path(__file__).resolve().parents[4]

SCHEMA = json.loads(files("signald").joinpath("schema", "signald.pointing.1.schema.json").read_text())

SECTION = (ROOT / "docs" / "protocol.md").read_text().split("## Pointing\n")[1].split("\n## ")[0]
"""The section of the specification."""

VALIDATOR = Draft202012Validator(SCHEMA)
AT_VALIDATOR = Draft202012Validator({"$ref": "#/$defs/at", "$defs": SCHEMA["$defs"]})

GOOD: dict[str, Any] = {"type": AT, "screen": "ann", "points": [[0.5, 0.25]]}

NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from((0, 1, 10**400, -0.0, 1.0, 2**31, MAX_LINE, True)))

ODD_VALUES = st.one_of(
    st.none(),
    NUMBERS,
    st.text(max_size=70),
    st.lists(NUMBERS, max_size=3),
    st.lists(st.one_of(NUMBERS, st.lists(NUMBERS, max_size=3)), max_size=40),
    st.just({}),
)
"""Values that a program may put where another one belongs."""

ODD_MESSAGES = st.builds(
    lambda fields: {**GOOD, **fields},
    st.dictionaries(st.sampled_from(("screen", "points", "line", "extra")), ODD_VALUES),
)
"""Objects that look like messages, and may be some."""


def is_finite(message: dict[str, Any]) -> bool:
    """Return whether a message has neither infinity nor NaN, which are no JSON."""
    try:
        json.dumps(message, allow_nan=False)
    except ValueError:
        return False
    return True


class DecodeTests(SynchronousTestCase):
    """`decode_points`."""

    def test_good(self) -> None:
        """Points with and without a line are decoded, and coordinates beside the picture are clamped to it."""
        points = decode_points(GOOD)
        self.assertEqual((points.screen, points.places, points.line), ("ann", [(0.5, 0.25)], None))
        points = decode_points({**GOOD, "points": [[-3, 10**400], [1, 0]], "line": 7.0, "extra": "ignored"})
        self.assertEqual((points.places, points.line), ([(0.0, 1.0), (1.0, 0.0)], 7))

    def test_bad(self) -> None:
        """Whatever has another form is refused."""
        changes: tuple[dict[str, Any], ...] = (
            {"screen": ""},
            {"screen": "a" * 65},
            {"screen": 5},
            {"points": []},
            {"points": [[0.5, 0.5]] * (MAX_POINTS + 1)},
            {"points": [0.5, 0.5]},
            {"points": [[0.5]]},
            {"points": [[0.5, 0.5, 0.5]]},
            {"points": [[0.5, "0.5"]]},
            {"points": [[0.5, True]]},
            {"points": [[0.5, None]]},
            {"points": [[float("nan"), 0.5]]},
            {"points": [[0.5, float("inf")]]},
            {"points": {"0": [0, 0]}},
            {"line": -1},
            {"line": MAX_LINE + 1},
            {"line": 0.5},
            {"line": float("inf")},
            {"line": True},
            {"line": None},
            {"line": "1"},
        )
        for change in changes:
            self.assertRaises(InvalidPointsError, decode_points, {**GOOD, **change})
        for key in ("screen", "points"):
            message = dict(GOOD)
            del message[key]
            self.assertRaises(InvalidPointsError, decode_points, message)

    @given(ODD_MESSAGES)
    @example({**GOOD, "points": [[float("-inf"), 0.0]]})
    def test_as_the_schema(self, message: dict[str, Any]) -> None:
        """A message is decoded exactly if the schema allows it, and its points are then within the picture."""
        valid = is_finite(message) and AT_VALIDATOR.is_valid(message)
        try:
            points = decode_points(message)
        except InvalidPointsError:
            self.assertFalse(valid, message)
            return
        self.assertTrue(valid, message)
        for x, y in points.places:
            self.assertTrue(0.0 <= x <= 1.0 and 0.0 <= y <= 1.0)

    @given(
        st.text(min_size=1, max_size=64),
        st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=MAX_POINTS),
        st.none() | st.integers(0, MAX_LINE),
    )
    def test_encode(self, screen: str, places: list[tuple[float, float]], line: int | None) -> None:
        """What is sent is what the schema allows, within the size of a message, and arrives with four decimals."""
        message = at_message(Points(screen, places, line))
        AT_VALIDATOR.validate(message)
        self.assertLess(len(json.dumps(message["points"])), 1000)
        points = decode_points(json.loads(json.dumps(message)))
        self.assertEqual((points.screen, points.line), (screen, line))
        self.assertEqual(points.places, [(round(x, 4), round(y, 4)) for x, y in places])


class SectionTests(SynchronousTestCase):
    """The section "Pointing" of docs/protocol.md."""

    def test_example(self) -> None:
        """The messages of the example have the forms of the schema."""
        example = [json.loads(text) for text in re.findall(r"^(\{.*\})$", SECTION, re.MULTILINE)]
        self.assertGreater(len(example), 3)
        for message in example:
            VALIDATOR.validate(message)
        self.assertEqual({message["type"] for message in example}, {AT, AWAY})

    def test_every_message_has_a_row(self) -> None:
        """The table has the messages of the schema, with their keys."""
        rows = re.findall(r"^\| `(point-[a-z-]+)` \|([^|]*)\|", SECTION, re.MULTILINE)
        keys = {
            definition["properties"]["type"]["const"]: set(definition["properties"]) - {"type"}
            for definition in (SCHEMA["$defs"]["at"], SCHEMA["$defs"]["away"])
        }
        self.assertEqual({name: set(re.findall(r"`([a-z]+)`", cell)) for name, cell in rows}, keys)

    def test_limits(self) -> None:
        """The figures of the section are those of the code."""
        words = " ".join(SECTION.split())
        for sentence in (
            f"at most {1 / pointing_input.INTERVAL:.0f} messages a second",
            f"accepts {screen_marks.RATE:.0f} messages a second from each member, with a burst of "
            f"{screen_marks.BURST:.0f}",
            f"{screen_marks.POINTER_SECONDS:.0f} s without a movement",
            f"{screen_marks.LINE_SECONDS:.0f} s after its last point",
            f"up to {MAX_POINTS} points",
            f"{screen_marks.MAX_PARTS} parts of {screen_marks.PART_POINTS} points",
        ):
            self.assertIn(sentence, words)
        self.assertEqual(SCHEMA["$defs"]["at"]["properties"]["points"]["maxItems"], MAX_POINTS)
