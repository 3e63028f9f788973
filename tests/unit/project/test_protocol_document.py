"""Tests that the examples in docs/protocol.md are what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from signald.core.ice_server import IceServer
from signald.dialects.native import EVENTS, REQUESTS
from tests.support.connections import MemoryConnection, make_switchboard

DOCS = Path(__file__).parents[3] / "docs"


class ProtocolDocumentTests(SynchronousTestCase):
    """The examples of docs/protocol.md; `test_codegen` checks its tables and diagrams."""

    def setUp(self) -> None:
        """Read the document."""
        self.text = (DOCS / "protocol.md").read_text()

    def test_examples(self) -> None:
        """Replaying each example sends and receives its lines in order, apart from ids and secrets."""
        examples = self.text.split("## Examples")[1].split("```")[1::2]
        self.assertEqual(len(examples), 5)
        for example in examples:
            Replay(self, example.strip().splitlines()).run()

    def test_types_with_examples(self) -> None:
        """Every message type has an example, except those with the form of another and those that take long."""
        lines = re.findall(r"^\w+ ([→←]) (.*)$", self.text, re.MULTILINE)
        said = {json.loads(frame)["type"] for arrow, frame in lines if arrow == "→"}
        heard = {json.loads(frame)["type"] for arrow, frame in lines if arrow == "←"}
        self.assertEqual(set(REQUESTS) - said, set())
        self.assertEqual({*EVENTS.values(), "error"} - heard, {"ack", "going-away", "not-admitted"})


class Replay:
    """Replays one example in a switchboard of its own."""

    def __init__(self, test: SynchronousTestCase, lines: list[str]) -> None:
        self.test = test
        self.lines = lines
        self.switchboard = make_switchboard(Clock())
        self.switchboard.hub.handshake.hold = 300.0
        self.switchboard.hub.ice.servers = (IceServer(("stun:stun.example.org",)),)
        self.connections: dict[str, MemoryConnection] = {}
        self.present: set[str] = set()
        self.actual: dict[str, str] = {"signald/0.1.0": "signald/test"}

    def run(self) -> None:
        """Replay each line."""
        for line in self.lines:
            who, sign, frame = (*line.split(" ", 2), "")[:3]
            if sign == "✕":
                self.present.remove(who)
                self.connections[who].disconnect()
            elif sign == "⟳":
                self.open(who)
            elif sign == "→":
                if who not in self.present:
                    self.open(who)
                self.connections[who].receive(self.with_actual(frame).encode())
            else:
                self.compare(json.loads(frame), json.loads(self.connections[who].frames.pop(0)))
        self.test.assertEqual([connection.frames for connection in self.connections.values()], [[], []])

    def open(self, who: str) -> None:
        """Open another connection."""
        self.connections[who] = MemoryConnection(self.switchboard)
        self.present.add(who)

    def compare(self, expected: dict[str, Any], got: dict[str, Any]) -> None:
        """Compare an event with the document's, and map the document's ids and secrets to the real ones."""
        for key in ("user", "session", "secret", "host-key", "ticket", "reference"):
            if key in expected and key in got:
                self.actual.setdefault(expected[key], got[key])
        self.test.assertEqual(got, json.loads(self.with_actual(json.dumps(expected, ensure_ascii=False))))

    def with_actual(self, text: str) -> str:
        """Replace the ids and secrets of the document in a frame."""
        text = text.replace("7q2-m9rt-6zc", "7Q2M9RT6ZC")
        # The longest first, since a ticket contains a user id.
        for written, given in sorted(self.actual.items(), key=lambda pair: -len(pair[0])):
            text = text.replace(written, given)
        return text
