"""The daemon continues to serve clients when nobody reads its log, or when the disk of the log is full."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from tests.suites.e2e.program import SCRIPTS, Program
from tests.suites.e2e.turn import free_port
from tests.suites.faults.case import FaultTestCase
from tests.suites.faults.report import add_fault, in_full
from tests.support.native_client import NativeClient

#: The size of the smallest pipe that Linux creates, in bytes.
PIPE_BYTES = 4096

#: Seconds that a round trip may take while the log cannot be written.
MOST_WAIT = 1.0

#: Shell script that runs a program with its standard error in a file. Opening a FIFO for reading too does not block.
LOG_TO_FILE = 'exec "$@" 2<>"$0"'


@dataclass
class Served:
    """A daemon that writes its log to a file.

    Attributes:
        program: the daemon's process.
        port: the port of the page.

    """

    program: Program
    port: int


class LogTests(FaultTestCase):
    """Standard error is a full pipe, or a file on a full disk."""

    def start_with(self, log: Path) -> Served:
        """Start a daemon that writes its log to a file."""
        port = free_port()
        command: list[str | Path] = [SCRIPTS / "signald", "--port", str(port), "--interface", "127.0.0.1", "--no-tls"]
        command += ["--data-dir", self.directory / "data", "--log-level", "debug"]
        program = Program(["sh", "-c", LOG_TO_FILE, str(log), *command], environment={"HOME": str(self.directory)})
        self.addCleanup(program.stop, signal.SIGKILL)
        program.wait_for("Open", 20)
        return Served(program, port)

    def start_with_pipe(self) -> tuple[Served, int]:
        """Start a daemon that logs into a small pipe; return the daemon and the reading descriptor of the pipe."""
        pipe = self.directory / "log"
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        return self.start_with(pipe), reader

    def serve(self, daemon: Served, seconds: float) -> float:
        """Exchange messages while the daemon writes many log lines; return the longest wait in seconds."""
        host, guest = (NativeClient(daemon.port, tls=False) for _ in range(2))
        for client in (host, guest):
            self.addCleanup(client.close)
            client.greet()
        session: str = host.request("open")["session"]
        guest.request("join", session=session)
        longest, end = 0.0, time.monotonic() + seconds
        while time.monotonic() < end:
            # Each reload writes several lines.
            daemon.program.process.send_signal(signal.SIGHUP)
            begin = time.monotonic()
            self.talk(host, guest, session, "x")
            longest = max(longest, time.monotonic() - begin)
            time.sleep(0.02)
        return longest

    def test_nobody_reads(self) -> None:
        """With a full pipe the daemon continues to serve; once the pipe is read, the rest of the log is written."""
        daemon, ours = self.start_with_pipe()
        longest = self.serve(daemon, 20 if in_full() else 3)
        self.assertLess(longest, MOST_WAIT)
        waiting = os.read(ours, 2 * PIPE_BYTES)
        self.assertGreater(len(waiting), PIPE_BYTES // 2, "the pipe was not full")
        read = bytearray(waiting)
        stop = threading.Event()

        def drain() -> None:
            while not stop.is_set():
                try:
                    read.extend(os.read(ours, 65536))
                except BlockingIOError:
                    time.sleep(0.01)

        reader = threading.Thread(target=drain)
        reader.start()
        begin = time.monotonic()
        status = daemon.program.stop()
        ended = time.monotonic() - begin
        stop.set()
        reader.join()
        self.assertEqual(status, 0)
        self.assertIn(b"stopping", read)
        add_fault(
            "log in a pipe that nobody reads",
            "served on; what waited was written when somebody read",
            f"longest wait {longest * 1000:.0f} ms, ended in {ended:.1f} s, {len(read) >> 10} KiB of log",
        )

    def test_nobody_reads_at_the_end(self) -> None:
        """The daemon ends although its last lines cannot be written."""
        daemon, _ = self.start_with_pipe()
        self.serve(daemon, 2)
        begin = time.monotonic()
        self.assertEqual(daemon.program.stop(), 0)
        add_fault("SIGTERM while nobody reads the log", "exit 0", f"ended in {time.monotonic() - begin:.1f} s")

    def test_no_room(self) -> None:
        """With a full disk under the log the daemon continues to serve, and ends with status 0."""
        daemon = self.start_with(Path("/dev/full"))
        longest = self.serve(daemon, 10 if in_full() else 2)
        self.assertLess(longest, MOST_WAIT)
        self.assertEqual(daemon.program.stop(), 0)
        add_fault("log on a full disk (/dev/full)", "served on, exit 0", f"longest wait {longest * 1000:.0f} ms")
