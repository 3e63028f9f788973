"""Tests that the messages of remote control are decoded strictly, and as their JSON Schema says."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from twisted.trial.unittest import SynchronousTestCase

from signald_client.control import control_messages as messages
from signald_client.control.control_messages import MAX_TEXT, InvalidMessageError, decode_message, fitting_text
from signald_client.control.key_codes import KNOWN_CODES
from signald_page.client.model.control_viewer import fitting_text as page_text
from signald_page.client.model.peer_messaging import MAX_CHARACTERS

SCHEMA = json.loads(files("signald").joinpath("schema", "signald.control.1.schema.json").read_text())

TO_COMPUTER = Draft202012Validator({"$ref": "#/$defs/to-computer", "$defs": SCHEMA["$defs"]})
"""Validates what a viewer sends."""

KINDS = [
    definition["properties"]["type"]["const"]
    for definition in SCHEMA["$defs"].values()
    if "properties" in definition and "type" in definition["properties"]
]

ODD_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=70),
    st.sampled_from((*sorted(KNOWN_CODES), "", "KeyÄ", "Power", 0, 1, 4, 5, 1.0, 10**400, -1, "\0")),
    st.just([]),
    st.just({}),
)
"""Values that a program may put where another one belongs."""

KEYS = ("version", "embedded", "code", "x", "y", "button", "down", "right", "text", "extra")

ODD_MESSAGES = st.builds(
    lambda kind, fields: {**fields, "type": kind},
    st.one_of(st.sampled_from(KINDS), ODD_VALUES),
    st.dictionaries(st.sampled_from(KEYS), ODD_VALUES),
)
"""Objects that look like messages, and may be some."""

GOOD: list[tuple[dict[str, Any], messages.ControlMessage]] = [
    ({"type": "control-request", "version": 1, "embedded": False}, messages.Request(1, False, "")),
    ({"type": "control-request", "version": 2, "embedded": True, "code": "ab"}, messages.Request(2, True, "ab")),
    ({"type": "control-give-up"}, messages.GiveUp()),
    ({"type": "control-pointer", "x": 0, "y": 0.5}, messages.Pointer(0.0, 0.5)),
    ({"type": "control-pointer", "x": -3, "y": 10**400}, messages.Pointer(0.0, 1.0)),
    ({"type": "control-button", "x": 1, "y": 1, "button": 2, "down": True}, messages.Button(1.0, 1.0, 2, True)),
    ({"type": "control-wheel", "x": 0, "y": 0, "right": -99, "down": 3.0}, messages.Wheel(0.0, 0.0, -10, 3)),
    ({"type": "control-key", "code": "KeyA", "down": False, "extra": 1}, messages.Key("KeyA", False)),
    ({"type": "control-hold"}, messages.Hold()),
    ({"type": "control-clipboard", "text": "é" * 8000}, messages.ClipboardText("é" * 8000)),
    ({"type": "control-clipboard-read"}, messages.ClipboardRead()),
]

BAD: list[tuple[dict[str, Any], str]] = [
    ({}, "malformed"),
    ({"type": []}, "malformed"),
    ({"type": "control-granted", "clipboard": True}, "malformed"),
    ({"type": "control-pointer", "x": 0}, "malformed"),
    ({"type": "control-pointer", "x": True, "y": 0}, "malformed"),
    ({"type": "control-pointer", "x": float("nan"), "y": 0}, "malformed"),
    ({"type": "control-pointer", "x": float("inf"), "y": 0}, "malformed"),
    ({"type": "control-pointer", "x": "0", "y": 0}, "malformed"),
    ({"type": "control-button", "x": 0, "y": 0, "button": 5, "down": True}, "unknown-code"),
    ({"type": "control-button", "x": 0, "y": 0, "button": 0.5, "down": True}, "malformed"),
    ({"type": "control-button", "x": 0, "y": 0, "button": 0, "down": 1}, "malformed"),
    ({"type": "control-wheel", "x": 0, "y": 0, "right": None, "down": 1}, "malformed"),
    ({"type": "control-key", "code": "Power", "down": True}, "unknown-code"),
    ({"type": "control-key", "code": "K" * 65, "down": True}, "malformed"),
    ({"type": "control-clipboard", "text": "x" * 8001}, "malformed"),
    ({"type": "control-clipboard", "text": "a\0b"}, "malformed"),
    ({"type": "control-request", "version": 1}, "malformed"),
]


class DecodeTests(SynchronousTestCase):
    """`decode_message`."""

    def test_messages(self) -> None:
        """Each message is decoded; coordinates and steps are clamped, and unknown keys are ignored."""
        for plain, message in GOOD:
            self.assertEqual(decode_message(plain), message)
            self.assertTrue(TO_COMPUTER.is_valid(plain), plain)

    def test_other_forms(self) -> None:
        """A message of another form is refused with a code."""
        for plain, code in BAD:
            error = self.assertRaises(InvalidMessageError, decode_message, plain)
            self.assertEqual(error.code, code, plain)

    @given(ODD_MESSAGES)
    @example({"type": "control-pointer", "x": 1, "y": 1})
    def test_the_schema_says_the_same(self, plain: dict[str, Any]) -> None:
        """What the schema allows is decoded, what it forbids is not, and nothing else is raised."""
        if any(isinstance(value, float) and (value != value or abs(value) == float("inf")) for value in plain.values()):
            # JSON has no such numbers.
            return
        try:
            decode_message(plain)
        except InvalidMessageError:
            self.assertFalse(TO_COMPUTER.is_valid(plain), plain)
        else:
            self.assertTrue(TO_COMPUTER.is_valid(plain), plain)

    def test_the_schema_lists_the_keys(self) -> None:
        """The schema is valid, and its list of keys is that of the program."""
        Draft202012Validator.check_schema(SCHEMA)
        self.assertEqual(set(SCHEMA["$defs"]["key"]["properties"]["code"]["enum"]), set(KNOWN_CODES))


class FittingTextTests(SynchronousTestCase):
    """`fitting_text`."""

    def test_long_texts(self) -> None:
        """A text of the clipboard is cut so that its message is within the bound of a page, in any writing."""
        for letter in ("x", "\u0436", "\U0001f419", "\n", '"', "\x01"):
            text = fitting_text(letter * 20_000)
            message = json.dumps({"type": "control-clipboard", "text": text}, ensure_ascii=False)
            units = len(message.encode("utf-16-le")) // 2
            self.assertLessEqual(units, MAX_CHARACTERS, letter)
            self.assertTrue(len(text) == MAX_TEXT or units > MAX_CHARACTERS - 200, letter)
            self.assertEqual(text, page_text(letter * 20_000))
