"""Tests the injecting process from its command line to its exit status, with pipes in place of the parent."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from signald_client.control.injector import SIGNALS, main
from tests.support.x_display import XDisplay

START = {"do": "start", "name": "Ada"}


def key(code: str, down: bool) -> dict[str, Any]:
    """Return the command of a key."""
    return {"do": "key", "code": code, "down": down}


class MainTests(SynchronousTestCase):
    """`main`."""

    def setUp(self) -> None:
        """Start the X server, and make the pipes."""
        self.server = XDisplay()
        self.addCleanup(self.server.close)
        for number in SIGNALS:
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        self.open: set[int] = set()
        self.input, self.commands = self.pipe()
        self.reports, self.output = self.pipe()

    def pipe(self) -> tuple[int, int]:
        """Return the ends of a pipe, which are closed with the test."""
        ends = os.pipe()
        self.open.update(ends)
        for end in ends:
            self.addCleanup(self.close, end)
        return ends

    def close(self, end: int) -> None:
        """Close an end of a pipe, unless it is closed already, in which case its number may be another file's."""
        if end in self.open:
            self.open.remove(end)
            os.close(end)

    def run_main(self, *commands: dict[str, Any], arguments: tuple[str, ...] = (), display: str = "") -> int:
        """Run the process with the commands of a parent that ends after the last one; return the exit status."""
        os.write(self.commands, b"".join(json.dumps(command).encode() + b"\n" for command in commands))
        self.close(self.commands)
        return main(["--display", display or self.server.name, *arguments], self.input, self.output)

    def reported(self) -> list[dict[str, Any]]:
        """Return the reports."""
        self.close(self.output)
        with os.fdopen(os.dup(self.reports)) as reports:
            return [json.loads(line) for line in reports]

    def test_commands(self) -> None:
        """The commands are carried out, and the end of the input releases what is held: status 0."""
        recorder = self.server.recorder()
        self.addCleanup(recorder.close)
        self.assertEqual(self.run_main(START, key("KeyA", True)), 0)
        self.assertEqual([event["name"] for event in recorder.events(2)], ["+a", "-a"])
        self.assertEqual(self.reported(), [{"is": "ready"}])

    def test_reports(self) -> None:
        """What happens at the computer itself is reported: the emergency key that is held ends the control."""
        self.server.press("F12", True)
        self.assertEqual(self.run_main(START, arguments=("--emergency-key", "F12")), 0)
        self.assertEqual(self.reported(), [{"is": "ready"}, {"is": "ended", "reason": "emergency-key"}])

    def test_no_display(self) -> None:
        """Without an X server, or without the emergency key, a report says why, and the status is 1."""
        self.assertEqual(self.run_main(display=":9999"), 1)
        (report,) = self.reported()
        self.assertEqual(report["is"], "failed")
        self.assertIn(":9999", report["sentence"])

    def test_no_emergency_key(self) -> None:
        """An emergency key that the keyboard does not have is named in the report of the failure."""
        self.assertEqual(self.run_main(arguments=("--emergency-key", "Hyper_Q")), 1)
        (report,) = self.reported()
        self.assertIn("Hyper_Q", report["sentence"])

    def test_a_parent_that_does_not_read(self) -> None:
        """A report that nobody reads for a second counts as the end of the parent: status 1, and nothing is held."""
        os.set_blocking(self.output, False)
        try:
            while os.write(self.output, b" " * 4096):
                pass
        except BlockingIOError:
            self.assertEqual(self.run_main(START, key("KeyA", True)), 1)
        self.assertEqual(self.server.pressed(), [])

    def test_release(self) -> None:
        """With --release the process releases what is held by injection, and exits without a word: status 0."""
        self.server.hold_injected("a")
        self.assertEqual(self.server.pressed(), ["a"])
        self.assertEqual(self.run_main(arguments=("--release",)), 0)
        self.assertEqual((self.server.pressed(), self.reported()), ([], []))
