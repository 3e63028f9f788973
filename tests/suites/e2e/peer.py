"""`signald-peer` in a process of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.suites.e2e.call_page import Figures
from tests.suites.e2e.daemon import Daemon
from tests.suites.e2e.program import SCRIPTS, Program

#: Seconds to start and to open a session.
PATIENCE = 30.0

#: A small picture: the two cores of a test machine encode several.
PICTURE = ("--size", "320x240", "--rate", "15")

#: An id as people are shown it.
GROUPED = r"\b([0-9A-Z]{3}-[0-9A-Z]{4}-[0-9A-Z]{3})\b"


class Peer:
    """A running peer.

    Attributes:
        program: its process.

    """

    def __init__(self, daemon: Daemon, *arguments: str) -> None:
        """Start it.

        Arguments:
            daemon: whose server it calls, with trust in its authority alone.
            arguments: `host`, or `join` and an id, and options.

        """
        command: list[str | Path] = [SCRIPTS / "signald-peer", *arguments, *PICTURE]
        command += ["--server", daemon.signaling_url, "--ca", daemon.authority]
        self.program = Program(command)

    def session(self) -> str:
        """Return the id of the session that it has opened, canonical."""
        return self.program.wait_for(GROUPED, PATIENCE)[1].replace("-", "")

    def report(self) -> dict[str, Any]:
        """Return its report, once it has ended by itself.

        Raises:
            AssertionError: it does not end, or media did not flow both ways, by its report or its exit status.

        """
        status = self.program.wait(PATIENCE)
        said = f"{self.program.stdout}{self.program.stderr}"
        assert status == 0, f"status {status}: {said}"
        report: dict[str, Any] = json.loads(self.program.stdout)
        assert report["flowed"] is True, said
        assert "Traceback" not in self.program.stderr, said
        return report

    def figures(self) -> Figures:
        """Return what it counted with its only other member, once it has ended by itself."""
        (member,) = self.report()["members"]
        return Figures(
            frames_in=member["video-frames-received"],
            frames_out=member["video-frames-sent"],
            audio_in=member["audio-packets-received"],
            audio_out=member["audio-packets-sent"],
            first_frame=member["seconds-to-first-frame"],
        )
