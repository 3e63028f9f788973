"""docs/protocol.md says what the code does."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from signald.dialects.native import Native
from signald.messages import IceServer
from tests.test_switchboard import FakeConnection, make_switchboard
from tests.world import HOME

DOCS = Path(__file__).parent.parent / "docs"


class ProtocolDocumentTests(SynchronousTestCase):
    """Its tables and its example."""

    def setUp(self) -> None:
        """Read the document."""
        self.text = (DOCS / "protocol.md").read_text()

    def test_the_tables_are_up_to_date(self) -> None:
        """`make docs` writes them."""
        tables = runpy.run_path(str(DOCS / "tables.py"))
        self.assertEqual(tables["filled"](self.text), self.text)

    def test_the_example_is_what_happens(self) -> None:
        """Each line that a client sends is sent, and each that it gets is got, in this order, ids apart."""
        example = self.text.split("## Example")[1].split("```")[1]
        switchboard = make_switchboard(Clock())
        switchboard.hub.ice_servers = (IceServer(("stun:stun.example.org",)),)
        connections: dict[str, FakeConnection] = {}
        peers = {}
        actual: dict[str, str] = {}
        for line in example.strip().splitlines():
            who, direction, frame = line.split(" ", 2)
            if who not in peers:
                connections[who] = FakeConnection()
                peers[who] = switchboard.opened(connections[who], Native(), HOME)
                if len(peers) == 2:
                    switchboard.hub.ice_servers = ()
            if direction == "→":
                for written, given in actual.items():
                    frame = frame.replace(written, given)
                switchboard.received(peers[who], frame.encode())
            else:
                got = json.loads(connections[who].frames.pop(0))
                expected = json.loads(frame)
                for key in ("user", "session"):
                    if key in expected and key in got:
                        actual.setdefault(expected[key], got[key])
                if "7Q2M9RT6ZC" in actual:
                    actual["7q2-m9rt-6zc"] = actual["7Q2M9RT6ZC"]
                self.assertEqual(got, _with(expected, actual))
        self.assertEqual([connection.frames for connection in connections.values()], [[], []])


def _with(body: Any, actual: dict[str, str]) -> Any:
    """The body with the document's ids replaced by those of this run, and the server's name by the tests'."""
    text = json.dumps(body, ensure_ascii=False).replace("signald/0.1.0", "signald/test")
    for written, given in actual.items():
        text = text.replace(written, given)
    return json.loads(text)
