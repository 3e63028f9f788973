"""Runs `signald-peer screen` in a separate process, and a call page that controls its computer."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

from tests.suites.e2e.call_page import PATIENCE, CallPage
from tests.suites.e2e.daemon import Daemon
from tests.suites.e2e.peer import GROUPED
from tests.suites.e2e.program import SCRIPTS, Program
from tests.suites.e2e.waiting import until

#: Seconds to wait before an answer: the program ignores one within the first second.
READING_SECONDS = 1.3

#: The button of the bar on the picture of the screen.
ASK = ".control-bar button[type=submit], .control-bar button:not([type])"
STATUS = "document.querySelector('.control-bar span').textContent"


class ScreenPeer:
    """A running `signald-peer screen`, whose user is the test.

    Attributes:
        program: the process.

    """

    def __init__(self, daemon: Daemon, display: str, *options: str) -> None:
        """Start to share an X display."""
        command: list[str | Path] = [SCRIPTS / "signald-peer", "screen", "--display", display, *options]
        command += ["--server", daemon.signaling_url, "--ca", daemon.authority]
        self.program = Program(command, interactive=True)

    def session(self) -> str:
        """Return the id of the session, in canonical form."""
        return self.program.wait_for(GROUPED, PATIENCE)[1].replace("-", "")

    def answer(self, word: str) -> None:
        """Answer the question that the program asks, when the second has passed in which answers are ignored."""
        self.program.wait_for("asks to control", PATIENCE)
        time.sleep(READING_SECONDS)
        self.program.type_line(word)

    def code(self) -> str:
        """Return the words of the verification code of the newest connection, once it is there."""
        self.program.wait_for(r"has this code:\n.*\n", PATIENCE)
        codes: list[str] = re.findall(r"has this code:\n(.*)\n", self.program.stderr)
        return codes[-1]

    def compare(self, word: str) -> None:
        """Say whether the newest code is the same, when the second has passed in which answers are ignored."""
        self.code()
        number = re.findall(r"Connection (\d+) has this code", self.program.stderr)[-1]
        time.sleep(READING_SECONDS)
        self.program.type_line(f"{word} {number}")

    def report(self) -> dict[str, Any]:
        """End the program with the terminal's signal, and return its report."""
        self.program.stop(2)
        report: dict[str, Any] = json.loads(self.program.stdout)
        return report


class ViewerPage(CallPage):
    """A call page that sees the screen."""

    @property
    def control_status(self) -> str:
        """The sentence about control on the picture of the screen."""
        status: str = self.tab.evaluate(STATUS)
        return status

    def wait_for_offer(self) -> None:
        """Wait until the screen is there, and control of it can be asked for."""
        self.wait_for("connected")
        until(
            lambda: self.tab.evaluate(
                "document.querySelector('.control-bar')?.checkVisibility() && "
                "document.querySelector('[data-screen=true] video').videoWidth > 0"
            ),
            PATIENCE,
            "control on offer",
        )

    def ask(self) -> None:
        """Ask for control."""
        self.tab.click(ASK)

    def wait_for_status(self, words: str) -> None:
        """Wait for a sentence about control."""
        until(lambda: words in self.control_status, PATIENCE, f"“{words}”")

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Return the pixel of the page for a place in the picture of the screen."""
        left, top, width, height = self.tab.evaluate(
            "(() => { const video = document.querySelector('[data-screen=true] video');"
            "const box = video.getBoundingClientRect();"
            "const scale = Math.min(box.width / video.videoWidth, box.height / video.videoHeight);"
            "const width = video.videoWidth * scale, height = video.videoHeight * scale;"
            "return [box.left + (box.width - width) / 2, box.top + (box.height - height) / 2, width, height]; })()"
        )
        return left + x * width, top + y * height
