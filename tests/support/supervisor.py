"""A service manager for tests: it passes listening sockets to the daemon and receives its sd_notify messages.

It does what systemd does with `Type=notify`, `NotifyAccess=main`, `Sockets=` and `WatchdogSec=`, for one service. No
test runs the unit under a real systemd.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import sys
import tempfile
import threading
import time
from array import array
from collections.abc import Sequence
from pathlib import Path

from tests.suites.e2e.program import SCRIPTS, Program
from tests.suites.e2e.waiting import until

#: Seconds that a daemon has to be ready, and to stop.
PATIENCE = 30.0

#: Seconds that a successor has to load and to take over, on a machine that does other work.
LOADED_WITHIN = 120.0

BACKLOG = 1024


class Supervisor:
    """Runs one `signald` after the other on the same sockets and the same data directory.

    Attributes:
        data: the data directory.
        sockets: those that it holds, by name.
        programs: the daemons, the one that runs last.
        notifications: every notification of the main process, in order.
        senders: the process IDs that these came from.
        ignored: the notifications of other processes, as `NotifyAccess=main` ignores them.
        main: the ID of the main process: the latest one that was started, or that the main process named in `MAINPID=`.
        script: the command to start; may be changed before a start.
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
        self.senders: list[int] = []
        self.ignored: list[str] = []
        self.main = 0
        self.script: str | Path = SCRIPTS / "signald"
        self._receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._receiver.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
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
        command += [*given, "--", self.script, "--data-dir", self.data, *self._options]
        environment = {"HOME": str(self._home), "NOTIFY_SOCKET": self.notify_path}
        if self._watchdog is not None:
            environment["WATCHDOG_USEC"] = str(int(self._watchdog * 1_000_000))
        descriptors = [*self._descriptors, *(bound.fileno() for bound in self.sockets.values())]
        self.main = 0
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

    def upgrade(self) -> float:
        """Send SIGUSR2, and wait until the successor is ready; return the seconds that this took.

        Raises:
            AssertionError: there is no successor in time; the message has the end of the log.

        """
        begun, before, ready = time.monotonic(), self.main, self.count("READY=1")
        os.kill(before, signal.SIGUSR2)
        try:
            until(
                lambda: self.main != before and self.count("READY=1") > ready,
                LOADED_WITHIN,
                "a successor to be ready",
            )
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.program.stderr[-2000:]}") from None
        until(lambda: not is_running(before), PATIENCE, "the process to end that was succeeded")
        return time.monotonic() - begun

    def stop_main(self) -> None:
        """Stop the main process with SIGTERM, and wait for its end; it need not be a child of this process."""
        os.kill(self.main, signal.SIGTERM)
        until(lambda: not is_running(self.main), PATIENCE, "the main process to end")

    def count(self, line: str) -> int:
        """Return how many notifications contain a line."""
        return sum(line in notification.splitlines() for notification in list(self.notifications))

    def logged(self, event: str) -> int:
        """How often the daemons logged an event, all together."""
        return sum(program.stderr.count(f"[{event}]") for program in self.programs)

    def close(self) -> None:
        """End the daemon that runs, and close everything."""
        if self.programs:
            if self.main not in (0, self.program.process.pid) and is_running(self.main):
                os.kill(self.main, signal.SIGKILL)
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
        while True:
            told, rights, _, _ = self._receiver.recvmsg(4096, 256)
            descriptors, sender = array("i"), 0
            for _, kind, data in rights:
                if kind == socket.SCM_RIGHTS:
                    descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
                else:
                    sender = struct.unpack("3i", data)[0]
            if not told:
                return
            self._take(told.decode(), sender)
            for descriptor in descriptors:
                os.close(descriptor)

    def _take(self, told: str, sender: int) -> None:
        """Record a notification; the first one after a start names the main process by its sender.

        A barrier is taken from any process, as systemd takes it.
        """
        self.main = self.main or sender
        if sender != self.main and told != "BARRIER=1":
            self.ignored.append(told)
            return
        self.senders.append(sender)
        self.notifications.append(told)
        for line in told.splitlines():
            if line.startswith("MAINPID="):
                self.main = int(line.removeprefix("MAINPID="))


def is_running(process: int) -> bool:
    """Return whether a process runs; one that has ended and that nobody has waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
