"""Tests `make run` on a terminal, as a person who tries signald runs it."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import shutil
import signal
import time
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

ROOT = Path(__file__).resolve().parents[3]

#: The seconds within which the banner has to appear, and within which the program has to end.
PATIENCE = 30.0

#: The byte that a terminal sends for Ctrl-C.
CTRL_C = b"\x03"


class MakeRunTests(SynchronousTestCase):
    """Tests of the make recipe, with everything installed before."""

    def setUp(self) -> None:
        """Start `make run` as the session leader of a pseudo-terminal."""
        if shutil.which("make") is None or not (ROOT / ".venv" / "bin" / "signald").exists():
            raise SkipTest("this is no checkout with `make install` done")
        home = Path(self.mktemp()).resolve()
        # With -o install make builds nothing, since the tests use the installed files.
        command = ["make", "-C", str(ROOT), "-o", "install", "run", f"ARGS=--port 0 --data-dir {home}"]
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.execvp("make", command)  # noqa: S606 # the child of a fork has no use for a shell
        self.addCleanup(self.end)
        self.shown = ""

    def end(self) -> None:
        """Close the terminal, and wait for a process that a failed test left."""
        os.close(self.terminal)
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.process, signal.SIGTERM)
            os.waitpid(self.process, 0)

    def read(self) -> bool:
        """Read the terminal's output of a short time; return False at its end."""
        if select.select([self.terminal], [], [], 0.1)[0]:
            try:
                self.shown += os.read(self.terminal, 65536).decode(errors="replace")
            except OSError:  # The last process has closed the terminal.
                return False
        return True

    def test_interrupt(self) -> None:
        """Ctrl-C ends signald, and make ends with status 0."""
        deadline = time.monotonic() + PATIENCE
        while not re.search(r"(?s)Open .*https://", self.shown):
            self.assertTrue(self.read(), self.shown)
            self.assertLess(time.monotonic(), deadline, self.shown)
        os.write(self.terminal, CTRL_C)
        while self.read():
            self.assertLess(time.monotonic(), deadline, self.shown)
        _, status = os.waitpid(self.process, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), 0, self.shown)
        self.assertNotIn("***", self.shown)
