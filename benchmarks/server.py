"""Runs signald in a process of its own, and measures its resources."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from benchmarks.processes import cpu_seconds, end, memory
from signald.lifecycle.process_file import read_process_record, start_time

START_SECONDS = 60.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.01


@frozen
class Cost:
    """The resources that a process has used: CPU seconds (user and system) and its peak resident memory in MiB."""

    cpu: float
    peak: float


class Server:
    """A running signald on a free port of the loopback interface.

    Attributes:
        port: the port of the page and of the signaling WebSocket.
        pid: the process, which is replaced by an upgrade.
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
        self.pid = self._process.pid
        try:
            self.port = int(self._wait_for_log(r"listening: https? on port (\d+)")[1])
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
        return Cost(cpu_seconds(self.pid), memory(self.pid, "VmHWM"))

    def upgrade(self) -> None:
        """Ask the process to upgrade itself, and return when it holds requests back for its successor.

        From the end of the upgrade on, `cost` cannot be asked for, and `stop` ends the successor.
        """
        self._process.send_signal(signal.SIGUSR2)
        self._wait_for_log("handing over: ")

    def stop(self) -> None:
        """Stop the process, or its successor."""
        serving = self._serving_process()
        if serving != self._process.pid:
            os.kill(serving, signal.SIGTERM)
            until = time.monotonic() + STOP_SECONDS
            # It is no child of this process, and writes into the data directory until its end.
            while start_time(serving) and time.monotonic() < until:
                time.sleep(POLL_SECONDS)
        end(self._process, STOP_SECONDS)

    def _serving_process(self) -> int:
        try:
            return read_process_record(self.authority.parent).pid
        except (OSError, ValueError):
            return self._process.pid

    def _wait_for_log(self, pattern: str) -> re.Match[str]:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            if found := re.search(pattern, self._log.read_text()):
                return found
            time.sleep(POLL_SECONDS)
        raise RuntimeError(f"signald did not log {pattern!r}:\n{self._log.read_text()}")
