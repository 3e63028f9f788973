"""Tests that the section "Remote control" of docs/protocol.md is what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from twisted.trial.unittest import SynchronousTestCase

from signald_client.control import consent
from signald_client.control.consent import Consent
from signald_client.control.control_effects import Send
from signald_client.control.control_rules import ASK, Rules
from tests.unit.clients.control.test_control_messages import KINDS, SCHEMA

ROOT = Path(__file__).resolve().parents[4]

SECTION = (ROOT / "docs" / "protocol.md").read_text().split("## Remote control\n")[1].split("\n## ")[0]


def table(heading: str) -> str:
    """Return the rows of the table whose first column has this heading."""
    return SECTION.split(f"| {heading} |")[1].split("\n\n")[0]


class ProtocolSectionTests(SynchronousTestCase):
    """The example and the tables."""

    def test_example(self) -> None:
        """The example's messages have the forms of the schema, and a computer answers as it says."""
        example = re.findall(r"^(viewer|computer) +(.*)$", SECTION, re.MULTILINE)
        self.assertGreater(len(example), 10)
        machine = Consent(Rules(ASK, allow_unverified=True))
        machine.connection_opened(1, "ann", "Ann", 0.0)
        sent = [*machine.viewer_ready(1)]
        for number, (side, text) in enumerate(example):
            message = json.loads(text)
            definition = "to-computer" if side == "viewer" else "to-viewer"
            Draft202012Validator({"$ref": f"#/$defs/{definition}", "$defs": SCHEMA["$defs"]}).validate(message)
            if side == "viewer":
                sent += machine.received(1, message, 10.0 + number)
            else:
                if message["type"] == "control-granted":
                    sent += machine.answered(1, True, 10.0 + number)
                answers = [effect for effect in sent if isinstance(effect, Send)]
                self.assertEqual(answers.pop(0).message, message)
                sent = [*answers]
        self.assertEqual(machine.accepted, 6)

    def test_every_message_has_a_row(self) -> None:
        """The tables have the messages of the schema, with their keys."""
        rows = re.findall(r"^\| `(control-[a-z-]+)` \|([^|]*)\|", SECTION, re.MULTILINE)
        self.assertEqual({name for name, _ in rows}, set(KINDS))
        keys: dict[str, Any] = {
            definition["properties"]["type"]["const"]: set(definition["properties"]) - {"type"}
            for definition in SCHEMA["$defs"].values()
            if "type" in definition.get("properties", {})
        }
        self.assertEqual({name: set(re.findall(r"`([a-z]+)`", cell)) for name, cell in rows}, keys)

    def test_reasons(self) -> None:
        """The tables of reasons are those of the schema."""
        for name in ("refused", "ended"):
            listed = re.findall(r"^\| (`[^|]*) \|", table(f"`reason` of `control-{name}` | meaning"), re.MULTILINE)
            found = {reason for cell in listed for reason in re.findall(r"`([a-z-]+)`", cell)}
            self.assertEqual(found, set(SCHEMA["$defs"][name]["properties"]["reason"]["enum"]))

    def test_limits(self) -> None:
        """The figures of the section are those of the code."""
        words = " ".join(SECTION.split())
        for sentence in (
            f"accepts {consent.EVENT_RATE:.0f} events a second, with a burst of {consent.EVENT_BURST:.0f},",
            f"after {consent.FLOOD_REFUSALS} dropped messages, "
            f"of which it forgets {consent.FLOOD_FORGIVEN:.0f} a second",
            f"within the last {consent.QUIET_SECONDS:.0f} s",
            f"with a burst of {consent.REQUEST_BURST:.0f}.",
            f"did not answer for {consent.QUESTION_SECONDS:.0f} s",
        ):
            self.assertIn(sentence, words)
