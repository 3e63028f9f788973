"""A service manager for tests: it passes listening sockets to the daemon and receives its sd_notify messages.

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

#: Seconds that a daemon has to be ready, and to stop.
PATIENCE = 30.0

BACKLOG = 1024


class Supervisor:
    """Runs one `signald` after the other on the same sockets and the same data directory.

    Attributes:
        data: the data directory.
        sockets: those that it holds, by name.
        programs: the daemons, the one that runs last.
        notifications: every notification, in order.
        around: a command that runs another one in its own place; may be changed before a start.

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
        """Open the sockets on free ports of the loopback interface; nothing runs yet.

        Arguments:
            directory: for the data directory.
            options: of the daemon's command line.
            names: what the sockets are for.
            watchdog: seconds within which the daemon has to show that it is alive.
            around: a command that runs another one in its own place.
            descriptors: that this command inherits.

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
        # Not in the test's directory, whose path may be too long for an address.
        self._folder = tempfile.TemporaryDirectory(prefix="signald-notify-")
        self._receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._receiver.bind(self.notify_path)
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()

    @property
    def notify_path(self) -> str:
        """Where the daemon tells how it is."""
        return str(Path(self._folder.name) / "notify")

    @property
    def port(self) -> int:
        """The port of the page."""
        return self.port_of("page")

    def port_of(self, name: str) -> int:
        """The port of a socket."""
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
        """The daemon's process: where another command is around it that does not become it, that command's child."""
        outer = self.program.process.pid
        inner = Path(f"/proc/{outer}/task/{outer}/children").read_text().split() if self.around else []
        return int(inner[0]) if inner else outer

    def start(self) -> None:
        """Start a daemon, and wait until it says that it is ready."""
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
        """Stop the daemon with SIGTERM and start the next; how long either took, in seconds.

        Raises:
            AssertionError: the one ended with another status than 0, or the other did not start.

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
        """Return how many notifications contain a line."""
        return sum(line in notification.splitlines() for notification in list(self.notifications))

    def close(self) -> None:
        """End the daemon that runs, and close everything."""
        if self.programs:
            self.program.stop()
        for bound in self.sockets.values():
            bound.close()
        # The listener's end.
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b"", self.notify_path)
        self._listening.join(5)
        self._receiver.close()
        self._folder.cleanup()

    def _listen(self) -> None:
        while notification := self._receiver.recv(4096):
            self.notifications.append(notification.decode())
