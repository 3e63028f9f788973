"""Runs signald in a process of its own, and measures its resources."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

START_SECONDS = 60.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.05

_TICKS = os.sysconf("SC_CLK_TCK")


@frozen
class Cost:
    """The resources that a process has used: CPU seconds (user and system) and its peak resident memory in MiB."""

    cpu: float
    peak: float


class Server:
    """A running signald on a free port of the loopback interface.

    Attributes:
        port: the port of the page and of the signaling WebSocket.
        authority: the certificate of its local authority; None without TLS.

    """

    def __init__(self, directory: Path, *options: str, environment: Mapping[str, str] | None = None) -> None:
        """Start the process, and wait until it listens.

        Arguments:
            directory: the directory of its log and its data.
            options: command-line options.
            environment: environment variables that replace or extend those of this process.

        """
        self._log = directory / "signald.log"
        self.authority = directory / "data" / "ca.pem"
        program = str(Path(sys.executable).with_name("signald"))
        data = str(directory / "data")
        command = [program, "--port", "0", "--interface", "127.0.0.1", "--data-dir", data, *options]
        own = {**os.environ, **(environment or {})}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=own)  # noqa: S603 # ours
        try:
            self.port = self._wait_for_port()
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        """The page's URL without TLS. Its host name is one that browsers treat as a secure context."""
        return f"http://localhost:{self.port}/"

    @property
    def signaling_url(self) -> str:
        """The URL of the signaling WebSocket without TLS."""
        return f"ws://localhost:{self.port}/ws"

    def cost(self) -> Cost:
        """Read the process's CPU time and memory from the kernel."""
        process = Path(f"/proc/{self._process.pid}")
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        peak = re.search(r"VmHWM:\s+(\d+) kB", (process / "status").read_text())
        return Cost((int(fields[11]) + int(fields[12])) / _TICKS, int(peak[1]) / 1024 if peak else 0.0)

    def stop(self) -> None:
        """Stop the process."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait_for_port(self) -> int:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            found = re.search(r"listening: https? on port (\d+)", self._log.read_text())
            if found:
                return int(found[1])
            time.sleep(POLL_SECONDS)
        raise RuntimeError(f"signald did not start:\n{self._log.read_text()}")
