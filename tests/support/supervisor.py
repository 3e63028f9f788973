"""A service manager for tests: it passes listening sockets to the daemon and receives the daemon's sd_notify messages.

It does what systemd does with `Type=notify`, `Sockets=` and `WatchdogSec=`, for one service. No test runs the
unit under a real systemd.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from tests.suites.e2e.program import SCRIPTS, Program
from tests.suites.e2e.waiting import until

#: The seconds within which a daemon has to become ready, and to stop.
PATIENCE = 30.0

BACKLOG = 1024


class Supervisor:
    """Runs one `signald` process after another on the same sockets and the same data directory.

    Attributes:
        data: the data directory.
        sockets: the listening sockets, by name.
        programs: the daemons in the order of their start; the last one is running.
        notifications: every sd_notify message, in order.
        around: a wrapper command that executes the daemon; it may be changed before a start.

    """

    def __init__(
        self,
        directory: Path,
        *options: str,
        names: Sequence[str] = ("page",),
        watchdog: float | None = None,
        around: Sequence[str | Path] = (),
        descriptors: Sequence[int] = (),
    ) -> None:
        """Open the sockets on free ports of the loopback interface, without starting a daemon.

        Arguments:
            directory: the directory in which the data directory is created.
            options: options of the daemon's command line.
            names: the purposes of the sockets.
            watchdog: seconds within which the daemon has to send a watchdog message.
            around: a wrapper command that executes the daemon.
            descriptors: the descriptors that the wrapper command inherits.

        """
        self.data = directory / "data"
        self._home = directory
        self._options = options
        self._watchdog = watchdog
        self.around = around
        self._descriptors = descriptors
        self.sockets = {name: socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) for name in names}
        self.programs: list[Program] = []
        self.notifications: list[str] = []
        # The test's own directory is not used, since its path may be too long for the address of a Unix socket.
        self._folder = tempfile.TemporaryDirectory(prefix="signald-notify-")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.notify_path)
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()

    @property
    def notify_path(self) -> str:
        """The path of the Unix socket that receives the daemon's sd_notify messages."""
        return str(Path(self._folder.name) / "notify")

    @property
    def port(self) -> int:
        """The port of the page's socket."""
        return self.port_of("page")

    def port_of(self, name: str) -> int:
        """Return the port of a socket."""
        port: int = self.sockets[name].getsockname()[1]
        return port

    @property
    def authority(self) -> Path:
        """The certificate of the daemon's local authority, as PEM."""
        return self.data / "ca.pem"

    @property
    def program(self) -> Program:
        """The daemon that was started last."""
        return self.programs[-1]

    @property
    def process(self) -> int:
        """The process of the daemon: the child of the wrapper command, unless that command calls exec."""
        outer = self.program.process.pid
        inner = Path(f"/proc/{outer}/task/{outer}/children").read_text().split() if self.around else []
        return int(inner[0]) if inner else outer

    def start(self) -> None:
        """Start a daemon, and wait for its sd_notify message `READY=1`."""
        ready = self.count("READY=1")
        given = [f"{name}={bound.fileno()}" for name, bound in self.sockets.items()]
        command: list[str | Path] = [*self.around, sys.executable, "-ISE", Path(__file__).with_name("activate.py")]
        command += [*given, "--", SCRIPTS / "signald", "--data-dir", self.data, *self._options]
        environment = {"HOME": str(self._home), "NOTIFY_SOCKET": self.notify_path}
        if self._watchdog is not None:
            environment["WATCHDOG_USEC"] = str(int(self._watchdog * 1_000_000))
        descriptors = [*self._descriptors, *(bound.fileno() for bound in self.sockets.values())]
        self.programs.append(Program(command, environment=environment, descriptors=descriptors))

        def is_ready() -> bool:
            if self.program.process.poll() is not None:
                raise AssertionError(f"ended with status {self.program.wait()}: {self.program.stderr}")
            return self.count("READY=1") > ready

        until(is_ready, PATIENCE, "the daemon to be ready")

    def restart(self) -> tuple[float, float]:
        """Stop the daemon with SIGTERM, start the next one, and return the seconds that either took.

        Raises:
            AssertionError: the old daemon ended with a status other than 0, or the new daemon did not start.

        """
        begun = time.monotonic()
        os.kill(self.process, signal.SIGTERM)
        status = self.program.wait(PATIENCE)
        if status:
            raise AssertionError(f"ended with status {status}: {self.program.stderr}")
        stopped = time.monotonic()
        self.start()
        return stopped - begun, time.monotonic() - stopped

    def count(self, line: str) -> int:
        """Return how often a certain sd_notify message was received."""
        return sum(line in message.splitlines() for message in list(self.notifications))

    def close(self) -> None:
        """End the running daemon, and close all sockets."""
        if self.programs:
            self.program.stop()
        for bound in self.sockets.values():
            bound.close()
        # A datagram from this process to the listener's socket wakes the thread that reads from it.
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b"", self.notify_path)
        self._listening.join(5)
        self._socket.close()
        self._folder.cleanup()

    def _listen(self) -> None:
        while message := self._socket.recv(4096):
            self.notifications.append(message.decode())
