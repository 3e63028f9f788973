"""The machine-readable descriptions of the native protocol: valid, and true."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft202012Validator
from twisted.trial.unittest import SynchronousTestCase

from signald.dialects.dialect import DecodeError
from signald.dialects.native import EVENTS, REQUESTS, Native
from signald.errors import ErrorCode
from signald.messages import Error, Request
from tests.test_native import as_a_client, requests

PROTOCOL = Path(__file__).parent.parent / "docs" / "protocol.md"
OFFICIAL = Path(__file__).parent / "vendor" / "asyncapi-3.0.0.json"


def document(name: str) -> dict[str, Any]:
    """One of the two, as it is installed."""
    body: dict[str, Any] = json.loads(files("signald").joinpath("schema", name).read_text())
    return body


SCHEMA = document("signald.1.schema.json")
ASYNCAPI = document("signald.1.asyncapi.json")


def validator(definition: str) -> Draft202012Validator:
    """What says whether a value is what this definition describes."""
    return Draft202012Validator({"$ref": f"#/$defs/{definition}", "$defs": SCHEMA["$defs"]})


REQUEST, EVENT = validator("request"), validator("event")


def wrong(body: dict[str, Any], key: str, value: object) -> dict[str, Any]:
    """A message with one other value."""
    return {**body, key: value}


class SchemaTests(SynchronousTestCase):
    """The JSON Schema."""

    def test_it_is_one(self) -> None:
        """The library that checks schemas says so."""
        Draft202012Validator.check_schema(SCHEMA)

    def test_every_example(self) -> None:
        """Each message of the protocol's document is what the schema says, from the client's side and the server's."""
        examples = re.findall(r"^\w+ ([→←]) (.*)$", PROTOCOL.read_text(), re.MULTILINE)
        self.assertGreater(len(examples), 90)
        for arrow, text in examples:
            body = json.loads(text)
            kind = validator(f"{'request' if arrow == '→' else 'event'}-{body['type']}")
            self.assertEqual([error.message for error in kind.iter_errors(body)], [], text)

    @given(requests)
    def test_every_request(self, request: Request) -> None:
        """What a client may say is valid."""
        self.assertTrue(REQUEST.is_valid(as_a_client(request)), request)

    @given(requests, st.data())
    def test_what_is_valid_is_understood(self, request: Request, data: st.DataObject) -> None:
        """A message with a wrong value or key is refused by both or by neither."""
        body = as_a_client(request)
        key = data.draw(st.sampled_from([*sorted(set(body) - {"type"}), "surplus"]))
        body = wrong(body, key, data.draw(st.sampled_from([None, "", "x" * 5000, -1, 1.5, 2**60, [], {}, True])))
        try:
            Native().received(json.dumps(body).encode())
        except DecodeError:
            understood = False
        else:
            understood = True
        self.assertEqual(REQUEST.is_valid(body), understood, body)

    def test_every_type(self) -> None:
        """No message is left out."""
        names = {name for name in SCHEMA["$defs"] if name.startswith(("request-", "event-"))}
        events = {f"event-{type_}" for type_ in (*EVENTS.values(), "error")}
        self.assertEqual(names, {f"request-{type_}" for type_ in REQUESTS} | events)

    def test_errors(self) -> None:
        """Every error as the server writes it."""
        for code in ErrorCode:
            [frame] = Native().encode(Error(code))
            assert isinstance(frame, bytes)
            self.assertTrue(EVENT.is_valid(json.loads(frame)))


class AsyncApiTests(SynchronousTestCase):
    """The AsyncAPI document."""

    def test_it_is_one(self) -> None:
        """The official schema of AsyncAPI 3.0 says so, and does not say so of anything."""
        official = Draft7Validator(json.loads(OFFICIAL.read_text()))
        self.assertEqual([error.message for error in official.iter_errors(ASYNCAPI)], [])
        self.assertFalse(official.is_valid(wrong(ASYNCAPI, "asyncapi", "2.0.0")))
        self.assertFalse(official.is_valid(wrong(ASYNCAPI, "operations", {"ask": {"action": "listen"}})))

    def test_references(self) -> None:
        """Each leads somewhere."""
        for reference in set(re.findall(r'"\$ref": ?"#/([^"]+)"', json.dumps(ASYNCAPI))):
            found: Any = ASYNCAPI
            for part in reference.split("/"):
                self.assertIn(part, found, reference)
                found = found[part]

    def test_the_same_messages(self) -> None:
        """Both documents describe the same."""
        messages = set(ASYNCAPI["components"]["messages"])
        self.assertEqual(messages, {name for name in SCHEMA["$defs"] if name.startswith(("request-", "event-"))})
