"""Runs signald in a separate process."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.suites.e2e.program import SCRIPTS, Program

#: The seconds within which the daemon has to start.
PATIENCE = 20.0


class Daemon:
    """A running `signald` on free ports, with a separate data directory.

    Attributes:
        data: the daemon's data directory.
        program: the daemon's process.
        port: the port of the page.
        url: the URL of the page under the name `localhost`.

    """

    def __init__(
        self,
        directory: Path,
        *options: str,
        through: Sequence[str | Path] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start the daemon, and wait until it listens.

        Arguments:
            directory: created if it does not exist; the data directory is created inside.
            options: further options of the command line.
            through: a wrapper command that executes the daemon, such as `prlimit --nofile=64`.
            environment: variables that differ from this process's environment.

        """
        self.data = directory / "data"
        command: list[str | Path] = [*through, SCRIPTS / "signald", "--port", "0", "--data-dir", self.data, *options]
        self.program = Program(command, environment={"HOME": str(directory), **(environment or {})})
        try:
            # The daemon prints this line last, so that all other lines of its start have been written.
            self.program.wait_for(r"Open .* (on this machine|in a browser)", PATIENCE)
            self.port = self._port("https|http")
        except BaseException:
            self.program.stop()
            raise
        self.url = f"https://localhost:{self.port}/"

    def _port(self, scheme: str) -> int:
        """Return the port of a listener, which the daemon's output names."""
        return int(self.program.wait_for(rf"listening: (?:{scheme}) on port (\d+)", PATIENCE)[1])

    @property
    def signaling_url(self) -> str:
        """The URL of the signaling WebSocket."""
        return f"wss://localhost:{self.port}/ws"

    @property
    def original_url(self) -> str:
        """The URL of the port that `--ws-port` opened."""
        return f"ws://localhost:{self._port('ws')}/"

    @property
    def authority(self) -> Path:
        """The certificate of the daemon's local authority, as PEM."""
        return self.data / "ca.pem"

    @property
    def urls(self) -> list[str]:
        """The addresses that the daemon prints on the terminal."""
        return re.findall(r"^ +(https?://\S+/)$", self.program.stdout, re.MULTILINE)

    def stop(self) -> int:
        """Stop the daemon with SIGTERM, and return its exit status."""
        return self.program.stop()

    def kill(self) -> None:
        """Kill the daemon with SIGKILL, to simulate a crash."""
        self.program.process.kill()
        self.program.wait()
