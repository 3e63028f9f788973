"""Tests that the JSON Schema and the AsyncAPI document are valid and agree with the implementation."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import Enum
from importlib.resources import files
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin

from attrs import fields, resolve_types
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft202012Validator
from twisted.trial.unittest import SynchronousTestCase

from signald.core.errors import ErrorCode
from signald.core.messages import Ack, Count, Error, Event, Request, RequestId, Secret, SessionId, UserId
from signald.dialects.dialect import DecodeError
from signald.dialects.native import EVENTS, REQUESTS, Native
from tests.unit.dialects.test_native import USER, as_a_client, counts, requests, secrets, sessions, texts, users

PROTOCOL = Path(__file__).parents[3] / "docs" / "protocol.md"
OFFICIAL = Path(__file__).parents[2] / "vendor" / "asyncapi-3.0.0.json"


def document(name: str) -> dict[str, Any]:
    """Read an installed document."""
    body: dict[str, Any] = json.loads(files("signald").joinpath("schema", name).read_text())
    return body


SCHEMA = document("signald.1.schema.json")
ASYNCAPI = document("signald.1.asyncapi.json")


def validator(definition: str) -> Draft202012Validator:
    """Return a validator of one definition of the schema."""
    return Draft202012Validator({"$ref": f"#/$defs/{definition}", "$defs": SCHEMA["$defs"]})


WHOLE, REQUEST, EVENT = Draft202012Validator(SCHEMA), validator("request"), validator("event")

VALUES: dict[Any, st.SearchStrategy[Any]] = {
    UserId: users,
    SessionId: sessions,
    RequestId: st.just(RequestId("1")),
    Secret: secrets,
    Count: counts,
    str: texts,
    int: st.integers(0, 2**31 - 1),
    float: st.floats(0, 1e9),
    bool: st.booleans(),
}


def values(type_: Any, bounds: Mapping[str, int] | None = None) -> st.SearchStrategy[Any]:
    """Generate values for a field of this type, or messages of this class."""
    if bounds and type_ is int:
        return st.integers(bounds["least"], bounds["most"])
    if type_ in VALUES:
        return VALUES[type_]
    inner = [argument for argument in get_args(type_) if argument not in (NoneType, Ellipsis)]
    if get_origin(type_) is tuple:
        return st.lists(values(inner[0]), max_size=3).map(tuple)
    if inner:
        return st.none() | values(inner[0], bounds)
    if issubclass(type_, Enum):
        return st.sampled_from(type_)
    resolve_types(type_)
    # An ack that the server sends has no id, since it answers no request.
    attributes = [attribute for attribute in fields(type_) if type_ is not Ack or attribute.name != "id"]
    return st.builds(type_, **{a.name: values(a.type, a.metadata) for a in attributes})


events: st.SearchStrategy[Event] = st.sampled_from(list(EVENTS)).flatmap(values) | st.builds(
    Error, st.sampled_from(ErrorCode), st.none() | st.sampled_from(list(REQUESTS.values())), st.none() | sessions
)
"""Generates every event that the server can send."""


def with_value(body: dict[str, Any], key: str, value: object) -> dict[str, Any]:
    """Return the message with one value replaced or added."""
    return {**body, key: value}


class SchemaTests(SynchronousTestCase):
    """The JSON Schema agrees with the native dialect."""

    def test_is_valid(self) -> None:
        """The document is a valid JSON Schema of draft 2020-12."""
        Draft202012Validator.check_schema(SCHEMA)

    def test_every_example(self) -> None:
        """Every example in docs/protocol.md is valid, both requests and events."""
        examples = re.findall(r"^\w+ ([→←]) (.*)$", PROTOCOL.read_text(), re.MULTILINE)
        self.assertGreater(len(examples), 90)
        for arrow, text in examples:
            body = json.loads(text)
            kind = validator(f"{'request' if arrow == '→' else 'event'}-{body['type']}")
            self.assertEqual([error.message for error in kind.iter_errors(body)], [], text)
            self.assertTrue(WHOLE.is_valid(body), text)

    @given(requests)
    def test_every_request(self, request: Request) -> None:
        """Every request that a client can send is valid."""
        self.assertTrue(REQUEST.is_valid(as_a_client(request)), request)
        self.assertTrue(WHOLE.is_valid(as_a_client(request)), request)

    @given(events)
    def test_every_event(self, event: Event) -> None:
        """Every event that the server can send is valid, also with a surplus key, but not without a required one."""
        [frame] = Native().encode(event)
        assert isinstance(frame, bytes)
        body = json.loads(frame)
        self.assertTrue(WHOLE.is_valid(body), body)
        definition = f"event-{body['type']}"
        kind = validator(definition)
        self.assertTrue(kind.is_valid(with_value(body, "surplus", 1)), body)
        for key in SCHEMA["$defs"][definition]["required"]:
            self.assertFalse(kind.is_valid({name: value for name, value in body.items() if name != key}), key)
            self.assertFalse(kind.is_valid(with_value(body, key, None)), key)

    def test_id_with_line_break(self) -> None:
        """An id that ends in a line break is invalid, although `$` of a regular expression matches before it."""
        admit = {"type": "admit", "session": "7Q2M9RT6ZC", "user": USER}
        self.assertTrue(REQUEST.is_valid(admit))
        self.assertFalse(REQUEST.is_valid(with_value(admit, "user", USER + "\n")))

    def test_descriptions_and_defaults(self) -> None:
        """The schema contains an attribute's description from the docstring, and its default."""
        member = SCHEMA["$defs"]["MemberView"]["properties"]
        self.assertEqual(
            member["away"],
            {
                "type": "boolean",
                "description": "whether its connection is lost and the reconnect grace runs.",
                "default": False,
            },
        )
        opening = SCHEMA["$defs"]["request-open"]["properties"]
        self.assertEqual(opening["capacity"]["default"], 2)
        self.assertEqual(opening["session"]["description"], opening["host-key"]["description"])
        self.assertNotIn("default", opening["label"])

    @given(requests, st.data())
    def test_schema_and_decoder_agree(self, request: Request, data: st.DataObject) -> None:
        """A request with another value or key is rejected by both the schema and the decoder, or by neither."""
        body = as_a_client(request)
        key = data.draw(st.sampled_from([*sorted(set(body) - {"type"}), "surplus"]))
        body = with_value(body, key, data.draw(st.sampled_from([None, "", "x" * 5000, -1, 1.5, 2**60, [], {}, True])))
        try:
            Native().decode(json.dumps(body).encode())
        except DecodeError:
            is_decoded = False
        else:
            is_decoded = True
        self.assertEqual(REQUEST.is_valid(body), is_decoded, body)

    @given(requests)
    def test_surplus_keys(self, request: Request) -> None:
        """A request is valid with a surplus key; a stricter schema of one's own finds the key (docs/protocol.md)."""
        body = as_a_client(request)
        surplus = with_value(body, "pasword", "secret")
        self.assertTrue(REQUEST.is_valid(surplus))
        own = {"$ref": f"#/$defs/request-{body['type']}", "unevaluatedProperties": False, "$defs": SCHEMA["$defs"]}
        self.assertTrue(Draft202012Validator(own).is_valid(body))
        self.assertFalse(Draft202012Validator(own).is_valid(surplus))

    def test_every_type(self) -> None:
        """The schema has a definition for every request and event."""
        names = {name for name in SCHEMA["$defs"] if name.startswith(("request-", "event-"))}
        events = {f"event-{type_}" for type_ in (*EVENTS.values(), "error")}
        self.assertEqual(names, {f"request-{type_}" for type_ in REQUESTS} | events)

    def test_errors(self) -> None:
        """Every error that the server can send is valid."""
        for code in ErrorCode:
            [frame] = Native().encode(Error(code))
            assert isinstance(frame, bytes)
            self.assertTrue(EVENT.is_valid(json.loads(frame)))


class AsyncApiTests(SynchronousTestCase):
    """The AsyncAPI document is valid and describes the same messages."""

    def test_is_valid(self) -> None:
        """The document conforms to the official schema of AsyncAPI 3.0, and two damaged copies do not."""
        official = Draft7Validator(json.loads(OFFICIAL.read_text()))
        self.assertEqual([error.message for error in official.iter_errors(ASYNCAPI)], [])
        self.assertFalse(official.is_valid(with_value(ASYNCAPI, "asyncapi", "2.0.0")))
        self.assertFalse(official.is_valid(with_value(ASYNCAPI, "operations", {"ask": {"action": "listen"}})))

    def test_references(self) -> None:
        """Every reference resolves."""
        references = set(re.findall(r'"\$ref": ?"#/([^"]+)"', json.dumps(ASYNCAPI)))
        self.assertNotEqual(references, set())
        for reference in references:
            found: Any = ASYNCAPI
            for part in reference.split("/"):
                self.assertIn(part, found, reference)
                found = found[part]

    def test_the_same_messages(self) -> None:
        """The document has the same messages as the JSON Schema."""
        messages = set(ASYNCAPI["components"]["messages"])
        self.assertEqual(messages, {name for name in SCHEMA["$defs"] if name.startswith(("request-", "event-"))})
