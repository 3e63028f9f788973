"""Tests that the messages of a call are as their JSON Schema and the documentation say."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from twisted.trial.unittest import SynchronousTestCase

from signald_client.signaling import verification
from signald_page.client.model import chat_log, page_state, peer_messaging, quality, shown_pictures
from signald_page.client.model.chat_log import ChatLog
from signald_page.client.model.media_status import MediaStatus
from signald_page.client.model.peer_messaging import PeerMessaging
from signald_page.client.model.quality import Quality
from signald_page.client.model.remote_peer import RemotePeer
from signald_page.client.model.shown_pictures import ShownPicture, ShownPictures

ROOT = Path(__file__).resolve().parents[4]


def read_schema(name: str) -> dict[str, Any]:
    """Return the schema of some messages."""
    schema: dict[str, Any] = json.loads(files("signald").joinpath("schema", f"{name}.schema.json").read_text())
    return schema


def types(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the schema of each message by its type."""
    bodies = [body for body in schema["$defs"].values() if "type" in body.get("properties", {})]
    return {body["properties"]["type"]["const"]: body for body in bodies}


SCHEMA = read_schema("signald.channel.1")

SECTION = (ROOT / "docs" / "protocol.md").read_text().split("## Messages in a call\n")[1].split("\n## ")[0]
"""The section of the specification."""

VALIDATOR = Draft202012Validator(SCHEMA)

TYPES = types(SCHEMA)

CHECK = {"echo", "echoed"}
"""The messages of a page with itself, by which the check before a call tries the devices."""

FINGERPRINT = "v=0\r\na=fingerprint:sha-256 00:11\r\n"


class SpecificationTests(SynchronousTestCase):
    """The section, the schema and the page agree."""

    def test_is_valid(self) -> None:
        """The document is a valid JSON Schema of draft 2020-12."""
        Draft202012Validator.check_schema(SCHEMA)

    def test_examples(self) -> None:
        """Each message in the example is valid."""
        examples = re.findall(r"^(?:Ann|Bob) (\{.*\})$", SECTION, re.MULTILINE)
        self.assertEqual(len(examples), 10)
        for text in examples:
            self.assertTrue(VALIDATOR.is_valid(json.loads(text)), text)

    def test_tables(self) -> None:
        """The table has each message of the schema with its keys, and no other."""
        rows = re.findall(r"^\| `([a-z-]+)` \| (.*?) \|", SECTION, re.MULTILINE)
        keys = {type_: set(re.findall(r"`([a-z]+)`", cell)) for type_, cell in rows}
        self.assertEqual(keys, {type_: set(body["required"]) - {"type"} for type_, body in TYPES.items()})

    def test_handlers(self) -> None:
        """The page handles the messages of the three schemas, and no others of other programs."""
        sources = "".join(path.read_text("utf-8") for path in sorted((ROOT / "web" / "client").rglob("*.py")))
        handled = set(re.findall(r"on_message\(\"([a-z-]+)\"", sources))
        others = {*types(read_schema("signald.control.1")), *types(read_schema("signald.pointing.1"))}
        named_by_constants = {"hello", verification.COMMIT, verification.REVEAL}
        self.assertEqual(handled - others - CHECK, set(TYPES) - named_by_constants)

    def test_numbers(self) -> None:
        """The limits that the section names are those of the page."""
        for number, words in (
            (peer_messaging.MAX_CHARACTERS, "at most {:,} characters"),
            (peer_messaging.RATE, "at most {:.0f} messages a second"),
            (peer_messaging.BURST, "a burst of {:.0f}"),
            (chat_log.MAX_CHARACTERS, "up to {:,} characters"),
            (chat_log.MAX_ID, "1 to {} characters"),
            (chat_log.BATCH, "at most {} texts at once"),
            (chat_log.NO_CHAT_AFTER, "without `hello` for {:.0f} s"),
            (verification.DEADLINE, "after {:.0f} s that the connection is not verified"),
            (shown_pictures.MOST_HEIGHT, "of 180 to {}"),
        ):
            self.assertIn(words.format(number), SECTION)
        self.assertEqual(TYPES["chat"]["properties"]["text"]["maxLength"], chat_log.MAX_CHARACTERS)
        self.assertEqual(TYPES["chat"]["properties"]["id"]["maxLength"], chat_log.MAX_ID)
        self.assertEqual(TYPES["quality"]["properties"]["bars"]["maximum"], quality.GOOD)
        self.assertEqual(TYPES["quality"]["properties"]["fault"]["enum"], ["", quality.CPU, quality.NETWORK])


class SentTests(SynchronousTestCase):
    """What the page sends is valid."""

    def test_each_type(self) -> None:
        """A page that does everything sends each type of message, and all that it sends is valid."""
        sent: list[dict[str, Any]] = []

        def send(user: str, text: str) -> bool:
            sent.append(json.loads(text))
            return True

        messaging = PeerMessaging(json, send)
        state = page_state.PageState()
        state.show_start("")
        state.start_call(page_state.HOST)
        media_status = MediaStatus(state, messaging, lambda: None, lambda: None)
        pictures = ShownPictures(messaging)
        chat = ChatLog(state, messaging, lambda: 0.0, lambda: "12:00", lambda: "1", lambda: None)
        state.session_joined("S", page_state.HOST, [RemotePeer("bob")])
        chat.update()
        messaging.channel_opened("bob", 0.0)
        for message in ({"type": "hello", "version": 1}, {"type": "chat", "id": "1", "text": "Hello!"}):
            self.assertTrue(VALIDATOR.is_valid(message))
            messaging.receive("bob", json.dumps(message), 0.0)
        chat.send("Hello!")
        media_status.ask_to_mute()
        pictures.update([ShownPicture("bob", 300)])
        messaging.send("bob", Quality().report(quality.NETWORK))
        exchanges = verification.Verification("a" * 64), verification.Verification("b" * 64)
        commits = [exchange.start(FINGERPRINT, FINGERPRINT, "S") for exchange in exchanges]
        for exchange, [commit] in zip(exchanges, reversed(commits), strict=True):
            for message in [commit, *exchange.receive(commit)]:
                messaging.send("bob", message)
        for message in sent:
            self.assertTrue(VALIDATOR.is_valid(message), message)
        self.assertEqual({message["type"] for message in sent}, set(TYPES))
