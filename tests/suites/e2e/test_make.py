"""`make run` on a terminal, as somebody who tries signald runs it."""

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

#: Seconds for the banner to come, and for the end.
PATIENCE = 30.0

#: The byte that a terminal sends for Ctrl-C.
CTRL_C = b"\x03"


class MakeRunTests(SynchronousTestCase):
    """The recipe, with everything installed before."""

    def setUp(self) -> None:
        """Start it as the leader of a terminal's session."""
        if shutil.which("make") is None or not (ROOT / ".venv" / "bin" / "signald").exists():
            raise SkipTest("this is no checkout with `make install` done")
        home = Path(self.mktemp()).resolve()
        # -o: no file is made anew here, since the tests use what is installed.
        command = ["make", "-C", str(ROOT), "-o", "install", "run", f"ARGS=--port 0 --data-dir {home}"]
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.execvp("make", command)  # noqa: S606 # the child of a fork has no use for a shell
        self.addCleanup(self.end)
        self.shown = ""

    def end(self) -> None:
        """Hang up, and collect what a failed test left."""
        os.close(self.terminal)
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.process, signal.SIGTERM)
            os.waitpid(self.process, 0)

    def read(self) -> bool:
        """Read what is shown within a moment; False at the end."""
        if select.select([self.terminal], [], [], 0.1)[0]:
            try:
                self.shown += os.read(self.terminal, 65536).decode(errors="replace")
            except OSError:  # Nobody has the terminal open any more.
                return False
        return True

    def test_interrupt(self) -> None:
        """Ctrl-C ends signald, and make with status 0."""
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
