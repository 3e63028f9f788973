"""Tests the example of docs/first-app.md: its command, a call, and the transcript that the page shows."""

from __future__ import annotations

import json
import re
import signal
import sys
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.suites.e2e.browsers import chromium
from tests.suites.e2e.chromium import ChromiumTab
from tests.suites.e2e.program import Program
from tests.suites.e2e.waiting import until

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "examples" / "first-app"
DOCUMENT = ROOT / "docs" / "first-app.md"

PATIENCE = 30.0

#: Makes the page record every message, as the lines of the document.
RECORD = """
globalThis.transcript = [];
globalThis.WebSocket = class extends WebSocket {
  constructor(...facts) {
    super(...facts);
    this.addEventListener("message", ({ data }) => transcript.push(["←", data]));
  }
  send(text) {
    transcript.push(["→", text]);
    super.send(text);
  }
};
"""

#: Whether the page plays the own picture and the other person's.
SEES = "[...document.querySelectorAll('video')].filter((one) => one.videoWidth && one.currentTime).length === 2"


class FirstAppTests(SynchronousTestCase):
    """The example, started by its command."""

    def setUp(self) -> None:
        """Start it."""
        command: list[str | Path] = [sys.executable, EXAMPLE / "run.py", "--port", "0", "--server-port", "0"]
        home = Path(self.mktemp()).resolve()
        home.mkdir()
        self.program = Program(command, environment={"HOME": str(home)}, directory=home)
        self.addCleanup(self.program.stop, signal.SIGINT)
        self.url = self.program.wait_for(r"Open (\S+)", PATIENCE)[1]

    def open(self, fragment: str = "") -> ChromiumTab:
        """Open the app in a tab that records its messages."""
        tab = chromium().tab()
        self.addCleanup(tab.close)
        tab.page.add_init_script(RECORD)
        tab.open(self.url + fragment)
        return tab

    def test_call(self) -> None:
        """A second person opens the link of the first: both see each other, by the messages of the document."""
        ann = self.open()
        until(lambda: ann.evaluate("location.hash.length > 1"), PATIENCE, "a session")
        bob = self.open(ann.evaluate("location.hash"))
        until(lambda: ann.evaluate(SEES) and bob.evaluate(SEES), PATIENCE, "two pictures on both sides")
        for name, tab in (("Ann", ann), ("Bob", bob)):
            recorded = [(way, json.loads(text)) for way, text in tab.evaluate("transcript")]
            self.assertEqual(outline(recorded), outline(stated(name)), name)
        bob.close()
        until(lambda: ann.evaluate("document.querySelectorAll('video').length === 1"), PATIENCE, "Ann to be alone")

    def test_reload(self) -> None:
        """Who reloads the page is back in the call."""
        ann = self.open()
        until(lambda: ann.evaluate("location.hash.length > 1"), PATIENCE, "a session")
        bob = self.open(ann.evaluate("location.hash"))
        until(lambda: bob.evaluate(SEES), PATIENCE, "two pictures")
        bob.reload()
        until(lambda: bob.evaluate(SEES), PATIENCE, "two pictures after the reload")


def stated(name: str) -> list[tuple[str, Any]]:
    """Return a person's messages in the document."""
    lines = re.findall(rf"(?m)^{name} ([→←]) (\{{.*\}})$", DOCUMENT.read_text("utf-8"))
    return [(way, json.loads(text)) for way, text in lines]


def outline(messages: list[tuple[str, Any]]) -> list[Any]:
    """Return direction, type and keys of each message in their order; candidates and acks come when they come."""
    timely = [(way, each["type"], sorted(each)) for way, each in messages if each["type"] not in ("candidates", "ack")]
    candidates = {(way, tuple(sorted(each.keys() - {"end"}))) for way, each in messages if each["type"] == "candidates"}
    return [*timely, sorted(candidates)]
