"""The reactor stands still: seen, counted, its stack logged, and everything goes on afterwards."""

from __future__ import annotations

import re
import signal
import time
import urllib.request

from tests.suites.e2e.daemon import Daemon
from tests.suites.e2e.waiting import until
from tests.suites.faults.case import FaultTestCase
from tests.suites.faults.report import add_fault

#: Seconds for which the reactor is held up.
HELD = 3.0

#: Lets a process sleep within its main thread when it gets SIGUSR2; for the tests' daemon alone.
HOOK = f"""
import signal, time

def hold_up(number, frame):
    time.sleep({HELD})

signal.signal(signal.SIGUSR2, hold_up)
"""


class StallTests(FaultTestCase):
    """Something in the reactor's thread takes long."""

    def start_with_hook(self) -> Daemon:
        """Start a daemon that can be held up."""
        hooks = self.directory / "hooks"
        hooks.mkdir()
        (hooks / "sitecustomize.py").write_text(HOOK)
        return self.start("--operations-port", "0", environment={"PYTHONPATH": str(hooks)})

    def stalls(self, daemon: Daemon) -> float:
        """How many stalls the metrics have."""
        port = daemon.program.wait_for(r"operations: http on port (\d+)", 10)[1]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        found = re.search(r"^signald_reactor_stalls_total (\S+)$", text, re.MULTILINE)
        assert found is not None, text
        return float(found[1])

    def test_blocking_call(self) -> None:
        """A call that blocks is counted, its place is in the log while it lasts, and clients are served afterwards."""
        daemon = self.start_with_hook()
        pair = self.pair(daemon)
        before = self.stalls(daemon)
        begin = time.monotonic()
        daemon.program.process.send_signal(signal.SIGUSR2)
        daemon.program.wait_for("hold_up", HELD)
        seen = time.monotonic() - begin
        self.assertLess(seen, HELD)
        self.talk(*pair, "still there?")
        back = time.monotonic() - begin
        until(lambda: self.stalls(daemon) > before, 5, "the stall to be counted")
        add_fault(
            f"reactor held up for {HELD:g} s",
            "stack logged meanwhile, counted, all members still there",
            f"logged after {seen:.1f} s, served again after {back:.1f} s",
        )

    def test_stopped_process(self) -> None:
        """A process that was stopped as a whole goes on with all its connections."""
        daemon = self.start_with_hook()
        pair = self.pair(daemon)
        before = self.stalls(daemon)
        daemon.program.process.send_signal(signal.SIGSTOP)
        time.sleep(HELD)
        daemon.program.process.send_signal(signal.SIGCONT)
        begin = time.monotonic()
        self.talk(*pair, "still there?")
        back = time.monotonic() - begin
        until(lambda: self.stalls(daemon) > before, 5, "the stall to be counted")
        add_fault(
            f"daemon stopped for {HELD:g} s (SIGSTOP, SIGCONT)",
            "counted, all members still there",
            f"served again after {back * 1000:.0f} ms",
        )
