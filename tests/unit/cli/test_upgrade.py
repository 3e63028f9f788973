"""Tests of `signald upgrade`, which asks the running daemon to hand over to the installed version."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from signald.cli.upgrade import POLL_SECONDS, WAIT_SECONDS, check_process, main, wait_for_successor
from signald.lifecycle.process_file import ProcessFile, ProcessRecord, start_time
from tests.support.commands import CommandCase

BEFORE = ProcessRecord(4711, "0.1.0", failures=1, problem="an earlier one")


class UpgradeTests(CommandCase):
    """Tests of the command's output and exit status."""

    def run_upgrade(self, *options: str) -> tuple[int, str, str]:
        """Run the command for the test's data directory."""
        return self.run_command(main, "--data-dir", str(self.directory), *options)

    def test_no_daemon(self) -> None:
        """Without a file that names a process, or when that process is gone, there is a sentence and status 1."""
        self.assertEqual(
            self.run_upgrade(), (1, "", "The running daemon cannot be found: No such file or directory.\n")
        )
        ProcessFile(self.directory, ProcessRecord(2**22 + 1, "0.1.0")).write()
        self.assertEqual(self.run_upgrade(), (1, "", f"Process {2**22 + 1} is not running; start signald.\n"))

    def test_a_process_that_the_signal_would_end(self) -> None:
        """A process that does not handle the signal gets none: an old version, or another program under its ID."""
        other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        self.addCleanup(other.wait)
        self.addCleanup(other.kill)
        refused = (1, "", f"Process {other.pid} does not know upgrades; restart it instead.\n")
        ProcessFile(self.directory, ProcessRecord(other.pid, "0.1.0")).write()
        self.assertEqual(self.run_upgrade(), refused)
        self.assertEqual(self.run_upgrade("--pid", str(other.pid)), refused)
        self.assertIsNone(other.poll())

    def test_a_later_process_of_the_same_id(self) -> None:
        """A process that was started at another time than the one in the file is not sent the signal."""
        received: list[int] = []
        before = signal.signal(signal.SIGUSR2, lambda number, _: received.append(number))
        self.addCleanup(signal.signal, signal.SIGUSR2, before)
        own = start_time(os.getpid())
        ProcessFile(self.directory, ProcessRecord(os.getpid(), "0.1.0", started=own - 1)).write()
        sentence = f"Process {os.getpid()} is another program by now, and signald is not running; start it.\n"
        self.assertEqual((self.run_upgrade(), received), ((1, "", sentence), []))
        check_process(os.getpid(), started=own)

    def test_a_process_of_the_command_line(self) -> None:
        """`--pid` names the process, and the command does not wait."""
        received: list[int] = []
        before = signal.signal(signal.SIGUSR2, lambda number, _: received.append(number))
        self.addCleanup(signal.signal, signal.SIGUSR2, before)
        status, out, _ = self.run_upgrade("--pid", str(os.getpid()))
        self.assertEqual((status, received), (0, [signal.SIGUSR2]))
        self.assertIn(f"Process {os.getpid()} was asked", out)
        for wrong in ("1", "0", "-5", "x", "٣"):
            self.assertEqual(self.run_upgrade(f"--pid={wrong}")[0], 1)

    def test_another_process_takes_over(self) -> None:
        """The command prints both processes with their versions."""

        def hand_over(*_: object) -> None:
            ProcessFile(self.directory, ProcessRecord(4712, "0.2.0")).write()

        before = signal.signal(signal.SIGUSR2, hand_over)
        self.addCleanup(signal.signal, signal.SIGUSR2, before)
        ProcessFile(self.directory, ProcessRecord(os.getpid(), "0.1.0")).write()
        self.assertEqual(
            self.run_upgrade(),
            (0, f"Process 4712 (signald 0.2.0) has taken over from process {os.getpid()} (signald 0.1.0).\n", ""),
        )


class WaitTests(CommandCase):
    """Tests of the wait for the result."""

    def wait(self, records: Iterator[ProcessRecord]) -> ProcessRecord:
        """Wait while the file says one thing after the other."""
        self.now = 0.0

        def sleep(seconds: float) -> None:
            self.now += seconds

        return wait_for_successor(lambda: next(records), BEFORE, lambda: self.now, sleep)

    def test_it_takes_over(self) -> None:
        """The record of the successor is returned as soon as it is there."""
        after = ProcessRecord(4712, "0.2.0")
        self.assertEqual(self.wait(iter([BEFORE, BEFORE, after])), after)
        self.assertAlmostEqual(self.now, 2 * POLL_SECONDS)

    def test_it_fails(self) -> None:
        """A failure that was counted since the signal is raised with its reason; an earlier one is none."""
        failed = ProcessRecord(4711, "0.1.0", failures=2, problem="port: expected a port number")
        with self.assertRaisesRegex(ValueError, "process 4711 goes on: port: expected a port number"):
            self.wait(iter([BEFORE, failed]))

    def test_nothing_happens(self) -> None:
        """The wait is bounded."""
        with self.assertRaisesRegex(ValueError, f"within {WAIT_SECONDS:g} s"):
            self.wait(iter(lambda: BEFORE, None))

    def test_signals_of_a_process(self) -> None:
        """The mask of handled signals decides (proc(5)): bit 11 is SIGUSR2."""
        proc = Path(self.directory)
        (proc / "5").mkdir()
        for mask, is_known in (("0000000000000800", True), ("0000000180004002", False), ("0", False)):
            (proc / "5" / "status").write_text(f"Name:\tsignald\nSigCgt:\t{mask}\n")
            if is_known:
                check_process(5, proc)
            else:
                self.assertRaises(ValueError, check_process, 5, proc)
