"""Tests that the lines of failed calls in docs/monitoring.md are what the server logs."""

from __future__ import annotations

import re
from pathlib import Path

from attrs import evolve

from signald.config.settings import LogFormat
from signald.core.limits import Limits
from tests.support.access import minted
from tests.support.call_log import Caller, CallLogCase, token_settings
from tests.support.endpoints import CLIENT, Endpoint, upgrade_request

DOCUMENT = Path(__file__).parents[3] / "docs" / "monitoring.md"

HEADING = "## Why did a call fail?"


def blurred(line: str) -> str:
    """Replace times, references and numbers, which differ from run to run."""
    line = re.sub(r"^\d{4}-\S+Z ", "TIME ", line)
    line = re.sub(r"\b[0-9A-HJKMNP-TV-Z]{8}\b", "REFERENCE", line)
    return re.sub(r"(connection|after) [\d.]+", r"\1 N", line)


class FailedCallsTests(CallLogCase):
    """The scenarios of the section are run, and their lines compared."""

    def blocks(self) -> list[list[str]]:
        """Return the lines of the section's examples."""
        section = DOCUMENT.read_text(encoding="utf-8").partition(HEADING)[2].partition("\n## ")[0]
        return [block.strip().splitlines() for block in re.findall(r"```\w*\n(.*?)```", section, re.DOTALL)]

    def test_five_lines(self) -> None:
        """A guest whose network is cut for longer than the grace has these five lines, in this order."""
        self.log.settings = evolve(self.log.settings, format=LogFormat.HUMAN)
        host, guest = Caller(self), Caller(self)
        guest.say("join", session=host.open())
        for second in range(70):
            if not second % 10:
                host.say("ping")
            self.advance(1)
        self.log.flush(20.0)
        reference = self.reference(guest)
        found = [line for line in self.path.read_text().splitlines() if reference in line]
        command, *expected = self.blocks()[0]
        shown = re.findall("user (.{8})", expected[0])[0]
        self.assertEqual(command, f"$ journalctl -u signald -o cat | grep {shown}")
        self.assertEqual([blurred(line) for line in expected], [blurred(line) for line in found])
        self.assertEqual(len(found), 5)

    def test_other_lines(self) -> None:
        """Each of the other lines is written when such a call fails."""
        self.serve(Limits(message_burst=5, message_rate=1.0), token_settings(self))
        Caller(self, token=minted(signald={"role": "moderator"}))
        host, guest, third = Caller(self), Caller(self), Caller(self)
        session = host.open(capacity=2)
        guest.say("join", session=session)
        third.say("join", session=session)
        guest.say("ice-error", session=session, to=host.welcome["user"], text="failed")
        other = Caller(self)
        lobby = other.open(lobby=True)
        third.say("join", session=lobby)
        other.say("refuse", session=lobby, user=third.welcome["user"])
        other.close(1000)
        for _ in range(6):
            third.say("ping")
        third.endpoint.disconnect()
        host.endpoint.disconnect()
        for _ in range(4):
            self.advance(8)
            guest.say("ping")
        endpoint = Endpoint(self.site, CLIENT, self.clock)
        endpoint.send(upgrade_request(sec_websocket_protocol="signald.1", origin="https://other.example"))
        found = {blurred(text) for text in self.texts()}
        for line in self.blocks()[1]:
            self.assertIn(blurred(line), found)
