"""signald in a process of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.suites.e2e.program import SCRIPTS, Program

#: Seconds that it has to start.
PATIENCE = 20.0


class Daemon:
    """A running `signald` on free ports, with a data directory of its own.

    Attributes:
        data: its data directory.
        program: its process.
        port: the port of the page.
        url: the page under the name `localhost`.

    """

    def __init__(
        self,
        directory: Path,
        *options: str,
        through: Sequence[str | Path] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start it, and wait until it listens.

        Arguments:
            directory: made when it is not there; the data directory is in it.
            options: further options of the command line.
            through: a command that runs another one in its own place, such as `prlimit --nofile=64`.
            environment: what is different from this process's own.

        """
        self.data = directory / "data"
        command: list[str | Path] = [*through, SCRIPTS / "signald", "--port", "0", "--data-dir", self.data, *options]
        self.program = Program(command, environment={"HOME": str(directory), **(environment or {})})
        try:
            # Its last line before it waits for clients, so that all the rest has been written.
            self.program.wait_for(r"Open .* (on this machine|in a browser)", PATIENCE)
            self.port = self._port("https|http")
        except BaseException:
            self.program.stop()
            raise
        self.url = f"https://localhost:{self.port}/"

    def _port(self, scheme: str) -> int:
        """Return the port that it says it listens on."""
        return int(self.program.wait_for(rf"listening: (?:{scheme}) on port (\d+)", PATIENCE)[1])

    @property
    def signaling_url(self) -> str:
        """The signaling socket."""
        return f"wss://localhost:{self.port}/ws"

    @property
    def original_url(self) -> str:
        """The port that `--ws-port` opened."""
        return f"ws://localhost:{self._port('ws')}/"

    @property
    def authority(self) -> Path:
        """The certificate of its local authority, as PEM."""
        return self.data / "ca.pem"

    @property
    def urls(self) -> list[str]:
        """The addresses that it shows in the terminal."""
        return re.findall(r"^ +(https?://\S+/)$", self.program.stdout, re.MULTILINE)

    def stop(self) -> int:
        """End it with SIGTERM, and return its exit status."""
        return self.program.stop()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.program.process.kill()
        self.program.wait()
