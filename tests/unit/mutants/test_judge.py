"""Tests that a mutant is killed by a failing test, a crash or the time limit, and otherwise survives."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.mutants.judge import Fork

ROOT = Path(__file__).resolve().parents[3]

#: The program tests the module `subject`, whose source is the first argument, in a fork, and prints what killed it.
PROGRAM = """
import sys, time
from pathlib import Path

sys.path.insert(0, sys.argv[3])
from tests.mutants.judge import MutantFinder, start

finder = MutantFinder("subject", sys.argv[1], Path("subject.py"))
sys.path.insert(0, sys.argv[2])
fork = start(finder, ["test_first", "test_second"], Path(sys.argv[2], "fork").resolve(), 2)
while (killer := fork.ended()) is None:
    time.sleep(0.01)
print(killer)
"""

TEST = """
from twisted.trial.unittest import SynchronousTestCase
import subject

class Case(SynchronousTestCase):
    def test_width(self):
        self.assertEqual(subject.width(), 3)
"""


class JudgeTests(SynchronousTestCase):
    """Mutated sources of a module with two test modules are judged."""

    def setUp(self) -> None:
        """Write the module and its tests."""
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir()
        (self.directory / "subject.py").write_text("def width(): return 3")
        (self.directory / "test_first.py").write_text(TEST)
        (self.directory / "test_second.py").write_text(TEST.replace("width(), 3", "width() * 2, 6"))

    def killer(self, source: str) -> str:
        """Return the name of the test or the event that killed the module with this source."""
        arguments = [textwrap.dedent(source), str(self.directory), str(ROOT)]
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=True, cwd=self.directory
        )
        return done.stdout.strip()

    def test_survivor(self) -> None:
        """If every test passes, the source survives."""
        self.assertEqual(self.killer("def width(): return 1 + 2"), "")

    def test_killed(self) -> None:
        """The result names the first test that fails."""
        self.assertEqual(self.killer("def width(): return 4"), "test_first.Case.test_width")

    def test_second_module(self) -> None:
        """The test modules are run in order until a test fails."""
        source = "calls = []\ndef width():\n    calls.append(1)\n    return 3 if len(calls) == 1 else 4"
        self.assertEqual(self.killer(source), "test_second.Case.test_width")

    def test_import_error(self) -> None:
        """A source that cannot be imported is killed."""
        self.assertIn("test_first", self.killer("def width(): return 3\nraise ValueError"))

    def test_crash(self) -> None:
        """A source that exits the process is killed."""
        self.assertEqual(self.killer("import os\ndef width(): os._exit(3)"), "a crash")

    def test_endless(self) -> None:
        """A source with an endless loop is killed by the limit of processor time."""
        self.assertIn("signal", self.killer("def width():\n    while True: pass"))

    def test_deadline(self) -> None:
        """A fork that waits is killed at its deadline."""
        waiting = subprocess.Popen(["sleep", "3600"], start_new_session=True)
        fork = Fork(waiting.pid, self.directory, time.monotonic())
        while (killer := fork.ended()) is None:
            time.sleep(0.01)
        self.assertEqual(killer, "the time limit")

    def test_computing_after_the_deadline(self) -> None:
        """A fork that computes is not killed at its deadline, but by its limit of processor time."""
        computing = subprocess.Popen(
            [sys.executable, "-c", "while True: pass"],
            start_new_session=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (1, 2)),
        )
        state = Path(f"/proc/{computing.pid}/stat")
        # The interpreter waits for files while it starts.
        while int(state.read_text().rpartition(")")[2].split()[11]) < 20:
            time.sleep(0.01)
        fork = Fork(computing.pid, self.directory, time.monotonic())
        while (killer := fork.ended()) is None:
            time.sleep(0.01)
        self.assertEqual(killer, f"signal {signal.SIGXCPU}")
