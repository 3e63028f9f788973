"""A reactor that stalls: the stall is counted, its stack is logged, and clients are served afterwards."""

from __future__ import annotations

import re
import signal
import time
import urllib.request

from tests.suites.e2e.daemon import Daemon
from tests.suites.e2e.waiting import until
from tests.suites.faults.case import FaultTestCase
from tests.suites.faults.report import add_fault
from tests.support.native_client import NativeClient

#: Seconds for which the reactor's thread is blocked.
HELD = 3.0

#: Python that makes a process sleep in its main thread on SIGUSR1. Only the daemon of these tests loads it.
HOOK = f"""
import signal, time

def hold_up(number, frame):
    time.sleep({HELD})

signal.signal(signal.SIGUSR1, hold_up)
"""


class StallTests(FaultTestCase):
    """Tests in which the reactor's thread is blocked, or the whole process is stopped."""

    def start_with_hook(self) -> Daemon:
        """Start a daemon whose reactor is blocked by SIGUSR1."""
        hooks = self.directory / "hooks"
        hooks.mkdir()
        (hooks / "sitecustomize.py").write_text(HOOK)
        return self.start("--operations-port", "0", environment={"PYTHONPATH": str(hooks)})

    def stalls(self, daemon: Daemon) -> float:
        """Return the number of stalls that the metrics report."""
        port = daemon.program.wait_for(r"operations: http on port (\d+)", 10)[1]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        found = re.search(r"^signald_reactor_stalls_total (\S+)$", text, re.MULTILINE)
        assert found is not None, text
        return float(found[1])

    def resume(
        self, daemon: Daemon, pair: tuple[NativeClient, NativeClient, str], before: float, begin: float
    ) -> float:
        """Assert that members are served again and that the stall was counted.

        Arguments:
            daemon: the daemon, which stalled.
            pair: the members of a session: the host, the guest, and the session's id.
            before: the number of stalls that were counted before.
            begin: when the measurement began (monotonic seconds).

        Returns:
            Seconds from `begin` until a message arrived.

        """
        self.talk(*pair, "still there?")
        back = time.monotonic() - begin
        until(lambda: self.stalls(daemon) > before, 5, "the stall to be counted")
        return back

    def test_blocking_call(self) -> None:
        """A blocking call is counted, its stack is logged while it lasts, and clients are served afterwards."""
        daemon = self.start_with_hook()
        pair = self.pair(daemon)
        before = self.stalls(daemon)
        begin = time.monotonic()
        daemon.program.process.send_signal(signal.SIGUSR1)
        daemon.program.wait_for("hold_up", HELD)
        seen = time.monotonic() - begin
        self.assertLess(seen, HELD)
        back = self.resume(daemon, pair, before, begin)
        add_fault(
            f"reactor held up for {HELD:g} s",
            "stack logged meanwhile, counted, all members still there",
            f"logged after {seen:.1f} s, served again after {back:.1f} s",
        )

    def test_stopped_process(self) -> None:
        """A process that was stopped and continued keeps all its WebSockets, and counts a stall."""
        daemon = self.start_with_hook()
        pair = self.pair(daemon)
        before = self.stalls(daemon)
        daemon.program.process.send_signal(signal.SIGSTOP)
        time.sleep(HELD)
        daemon.program.process.send_signal(signal.SIGCONT)
        begin = time.monotonic()
        back = self.resume(daemon, pair, before, begin)
        add_fault(
            f"daemon stopped for {HELD:g} s (SIGSTOP, SIGCONT)",
            "counted, all members still there",
            f"served again after {back * 1000:.0f} ms",
        )
