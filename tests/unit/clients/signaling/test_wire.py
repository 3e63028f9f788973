"""The codec of the client's messages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

from attrs import fields, resolve_types
from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from codegen.message_fields import name
from signald.core.messages import UNCOUNTED, Error, Event, Secret
from signald.dialects.native import EVENTS, NESTED, REQUESTS, Native
from signald_client.signaling import messages
from signald_client.signaling.wire import BadMessageError, decode, encode, read_value, to_plain
from tests.unit.dialects.test_native import json_values
from tests.unit.page.test_schemas import events

PROTOCOL = Path(__file__).parents[4] / "docs" / "protocol.md"


def example(type_: str) -> str:
    """Return the example of a server's message in docs/protocol.md."""
    for line in PROTOCOL.read_text(encoding="utf-8").splitlines():
        _, arrow, text = line.partition(" ← ")
        if arrow and json.loads(text)["type"] == type_:
            return text
    raise LookupError(type_)


def with_surplus(plain: Any, value: Any) -> Any:
    """Return a plain value with a key that no message has in each of its objects."""
    if isinstance(plain, list):
        return [with_surplus(one, value) for one in plain]
    if not isinstance(plain, dict):
        return plain
    return {"x-surplus": value, **{key: with_surplus(inner, value) for key, inner in plain.items()}}


def without_defaults(plain: Any, written: Any) -> Any:
    """Return a plain value without the keys that the written one lacks."""
    if isinstance(plain, list):
        return [without_defaults(one, other) for one, other in zip(plain, written, strict=True)]
    if not isinstance(plain, dict):
        return plain
    return {key: without_defaults(value, written[key]) for key, value in plain.items() if key in written}


class DecodeTests(SynchronousTestCase):
    """`decode`."""

    def test_examples_of_the_specification(self) -> None:
        """Every server's message in docs/protocol.md is decoded completely."""
        count = 0
        for line in PROTOCOL.read_text(encoding="utf-8").splitlines():
            _, arrow, text = line.partition(" ← ")
            if arrow:
                message = decode(text, json)
                self.assertEqual(without_defaults(to_plain(message), json.loads(text)), json.loads(text))
                count += 1
        self.assertGreater(count, 10)

    @given(events)
    def test_every_event(self, event: Event) -> None:
        """Every event that the server can encode is decoded completely."""
        [frame] = Native().encode(event)
        assert isinstance(frame, bytes)
        message = decode(frame.decode(), json)
        self.assertIs(type(message), getattr(messages, name(type(event))))
        self.assertEqual(without_defaults(to_plain(message), json.loads(frame)), json.loads(frame))

    def test_nested_values(self) -> None:
        """Objects and lists inside a message are decoded into `Value` classes."""
        welcome = decode(example("welcome"), json)
        assert isinstance(welcome, messages.Welcome)
        self.assertEqual(welcome.limits, messages.ServerLimits(65536, 100, 500, 8))
        self.assertEqual(welcome.ice_servers, [messages.IceServer(["stun:stun.example.org"])])

    def test_unknown_type_and_keys(self) -> None:
        """An unknown type is decoded as None; an unknown key is ignored, and null counts as absent."""
        self.assertIsNone(decode('{"type":"weather","sky":"blue"}', json))
        self.assertEqual(decode('{"type":"pong","sky":"blue","id":null}', json), messages.Pong())

    @given(events, json_values)
    def test_unknown_keys_at_each_level(self, event: Event, value: Any) -> None:
        """Every event is decoded as without the keys that the client does not know, whatever they hold."""
        [frame] = Native().encode(event)
        assert isinstance(frame, bytes)
        surplus = json.dumps(with_surplus(json.loads(frame), value))
        self.assertEqual(decode(surplus, json), decode(frame.decode(), json))

    def test_not_an_object(self) -> None:
        """A frame that is not a JSON object with a type raises `BadMessageError`."""
        for frame in ("", "{", "[" * 100_000, "[]", "1", '"x"', "{}", '{"type":5}'):
            self.assertRaises(BadMessageError, decode, frame, json)

    def test_wrong_shapes(self) -> None:
        """A missing key or a value of another shape raises `BadMessageError`, whose sentence names the key."""
        cases = {
            '{"type":"left"}': "Left lacks session.",
            '{"type":"left","session":5}': "session is not of type string.",
            '{"type":"opened","session":"A","capacity":true}': "capacity is not of type integer.",
            '{"type":"opened","session":"A","capacity":2.5}': "capacity is not of type integer.",
            '{"type":"candidates","session":"A","from":"B","candidates":{}}': "candidates is not a list.",
            '{"type":"member-joined","session":"A","member":["B"]}': "Member is not an object.",
            '{"type":"candidates","session":"A","from":"B","candidates":[],"end":1}': "end is not of type boolean.",
        }
        for frame, sentence in cases.items():
            self.assertEqual(str(self.assertRaises(BadMessageError, decode, frame, json)), sentence)

    def test_numbers(self) -> None:
        """A number may be an integer or a float, but not a boolean."""
        urls = {"urls": ["turn:example.org"]}
        self.assertEqual(read_value(messages.IceServer, urls | {"expires": 3}).expires, 3)
        self.assertEqual(read_value(messages.IceServer, urls | {"expires": 2.5}).expires, 2.5)
        self.assertRaises(BadMessageError, read_value, messages.IceServer, urls | {"expires": True})


class EncodeTests(SynchronousTestCase):
    """`encode`."""

    def test_absent_attributes_are_left_out(self) -> None:
        """An attribute that is None is left out."""
        self.assertEqual(json.loads(encode(messages.Hello(1), json)), {"type": "hello", "version": 1})

    def test_nested_values(self) -> None:
        """Values and lists of them become objects with W3C's names."""
        batch = messages.Candidates(
            "7Q2M9RT6ZC", "B", messages.Negotiation("A", 2), [messages.Candidate("candidate:1", "0", 0, "Yq8r")], True
        )
        self.assertEqual(
            json.loads(encode(batch, json)),
            {
                "type": "candidates",
                "session": "7Q2M9RT6ZC",
                "to": "B",
                "negotiation": {"offerer": "A", "n": 2},
                "candidates": [
                    {"candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "Yq8r"}
                ],
                "end": True,
            },
        )


class ValueTests(SynchronousTestCase):
    """The base class of messages."""

    def test_equality(self) -> None:
        """Messages are equal when their classes and attributes are."""
        self.assertEqual(messages.Left("A"), messages.Left("A"))
        self.assertNotEqual(messages.Left("A"), messages.Left("B"))
        self.assertNotEqual(messages.Left("A"), messages.Leave("A"))

    def test_representation(self) -> None:
        """`repr` shows the attributes of a message, but not the credential of an ICE server."""
        self.assertEqual(repr(messages.Left("A")), "Left(session='A', id=None)")
        self.assertEqual(
            repr(messages.IceServer(["turn:x"], "user", "secret")),
            "IceServer(urls=['turn:x'], username='user', expires=None)",
        )

    def test_secrets_are_hidden(self) -> None:
        """`repr` of a message shows no secret, neither in the server nor in the client."""
        hidden = set()
        for class_ in (*NESTED, *REQUESTS.values(), *EVENTS):
            resolve_types(class_)
            for attribute in fields(class_):
                if Secret in (attribute.type, *get_args(attribute.type)) or attribute.name in (
                    "password",
                    "credential",
                ):
                    self.assertFalse(attribute.repr, attribute)
                    self.assertIn(attribute.name, getattr(messages, name(class_)).hidden)
                    hidden.add(attribute.name)
        self.assertEqual(hidden, {"secret", "host_key", "password", "credential"})
        self.assertNotIn("hush", repr(messages.Resume(1, "A", "hush", "i", 0)))
        self.assertNotIn("hush", repr(messages.Hello(1, token="hush")))
        self.assertNotIn("hush", repr(messages.Open(password="hush", host_key="hush")))

    def test_counted_messages(self) -> None:
        """Server and client count the same messages (docs/protocol.md, "Resume")."""
        for class_ in (*REQUESTS.values(), *EVENTS, Error):
            self.assertEqual(getattr(messages, name(class_)).counted, class_ not in UNCOUNTED, class_)
