"""docs/protocol.md says what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from signald.core.messages import IceServer
from signald.dialects.native import EVENTS, REQUESTS
from tests.support.connections import MemoryConnection, make_switchboard

DOCS = Path(__file__).parents[3] / "docs"


class ProtocolDocumentTests(SynchronousTestCase):
    """Its examples; its tables and diagrams are looked at in `test_codegen`."""

    def setUp(self) -> None:
        """Read the document."""
        self.text = (DOCS / "protocol.md").read_text()

    def test_the_examples_are_what_happens(self) -> None:
        """Each line that a client sends is sent, and each that it gets is got, in this order, ids and secrets apart."""
        examples = self.text.split("## Examples")[1].split("```")[1::2]
        self.assertEqual(len(examples), 5)
        for example in examples:
            Replay(self, example.strip().splitlines()).run()

    def test_every_type_has_an_example(self) -> None:
        """But those whose form is that of another, or that need a long time."""
        lines = re.findall(r"^\w+ ([→←]) (.*)$", self.text, re.MULTILINE)
        said = {json.loads(frame)["type"] for arrow, frame in lines if arrow == "→"}
        heard = {json.loads(frame)["type"] for arrow, frame in lines if arrow == "←"}
        self.assertEqual(set(REQUESTS) - said, set())
        self.assertEqual({*EVENTS.values(), "error"} - heard, {"ack", "going-away", "not-admitted"})


class Replay:
    """One example of the document, in a switchboard of its own."""

    def __init__(self, test: SynchronousTestCase, lines: list[str]) -> None:
        self.test = test
        self.lines = lines
        self.switchboard = make_switchboard(Clock())
        self.switchboard.hub.ice.servers = (IceServer(("stun:stun.example.org",)),)
        self.connections: dict[str, MemoryConnection] = {}
        self.present: set[str] = set()
        self.actual: dict[str, str] = {"signald/0.1.0": "signald/test"}

    def run(self) -> None:
        """Do what each line says."""
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
                self.hear(json.loads(frame), json.loads(self.connections[who].frames.pop(0)))
        self.test.assertEqual([connection.frames for connection in self.connections.values()], [[], []])

    def open(self, who: str) -> None:
        """Open another connection."""
        self.connections[who] = MemoryConnection(self.switchboard)
        self.present.add(who)

    def hear(self, expected: dict[str, Any], got: dict[str, Any]) -> None:
        """Compare what is got with what the document says, which has ids and secrets of its own."""
        for key in ("user", "session", "secret", "host-key"):
            if key in expected and key in got:
                self.actual.setdefault(expected[key], got[key])
        self.test.assertEqual(got, json.loads(self.with_actual(json.dumps(expected, ensure_ascii=False))))

    def with_actual(self, text: str) -> str:
        """A frame of the document as it is here."""
        text = text.replace("7q2-m9rt-6zc", "7Q2M9RT6ZC")
        for written, given in self.actual.items():
            text = text.replace(written, given)
        return text
