"""Runs `signald-peer` in a separate process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.suites.e2e.call_page import Figures
from tests.suites.e2e.daemon import Daemon
from tests.suites.e2e.program import SCRIPTS, Program

#: The seconds within which a peer has to start and to open a session.
PATIENCE = 30.0

#: The options for a small picture, so that the two cores of a test machine can encode several of them.
PICTURE = ("--size", "320x240", "--rate", "15")

#: The pattern of a session id as the page displays it to people.
GROUPED = r"\b([0-9A-Z]{3}-[0-9A-Z]{4}-[0-9A-Z]{3})\b"


class Peer:
    """A running peer.

    Attributes:
        program: the peer's process.

    """

    def __init__(self, daemon: Daemon, *arguments: str) -> None:
        """Start the peer.

        Arguments:
            daemon: the daemon to which the peer connects; the peer trusts only this daemon's authority.
            arguments: `host`, or `join` and an id, and options.

        """
        command: list[str | Path] = [SCRIPTS / "signald-peer", *arguments, *PICTURE]
        command += ["--server", daemon.signaling_url, "--ca", daemon.authority]
        self.program = Program(command)

    def session(self) -> str:
        """Return the id of the session that the peer has opened, in canonical form."""
        return self.program.wait_for(GROUPED, PATIENCE)[1].replace("-", "")

    def report(self) -> dict[str, Any]:
        """Wait until the peer ends by itself, and return its report.

        Raises:
            AssertionError: the peer does not end, or its report or exit status says that media did not flow.

        """
        status = self.program.wait(PATIENCE)
        said = f"{self.program.stdout}{self.program.stderr}"
        assert status == 0, f"status {status}: {said}"
        report: dict[str, Any] = json.loads(self.program.stdout)
        assert report["flowed"] is True, said
        assert "Traceback" not in self.program.stderr, said
        return report

    def figures(self) -> Figures:
        """Wait until the peer ends by itself, and return its statistics about the only other member."""
        (member,) = self.report()["members"]
        return Figures(
            frames_in=member["video-frames-received"],
            frames_out=member["video-frames-sent"],
            audio_in=member["audio-packets-received"],
            audio_out=member["audio-packets-sent"],
            first_frame=member["seconds-to-first-frame"],
        )
