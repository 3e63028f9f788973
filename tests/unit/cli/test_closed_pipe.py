"""Tests of `signald.cli.closed_pipe`: commands whose output nobody reads end in silence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

RUN = "from signald.main import main; main()"


class ClosedPipeTests(SynchronousTestCase):
    """Tests of commands whose standard output or standard error is a pipe that is closed at its other end."""

    def setUp(self) -> None:
        """Write a secret that signs tokens, and a configuration with an error."""
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.secret = self.folder / "secret"
        self.secret.write_text("s" * 64)
        self.secret.chmod(0o600)
        # Where Python does not buffer the output, argparse ignores errors while it writes its help.
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        self.environment = {**variables, "SIGNALD_TOKENS_SECRET_FILE": str(self.secret), "HOME": str(self.folder)}

    def run_unread(self, *arguments: str, errors: bool = False) -> tuple[int, bytes]:
        """Run a command whose output has no reader; return its status and what it wrote to the other stream."""
        unread, output = os.pipe()
        os.close(unread)
        try:
            ended = subprocess.run(
                [sys.executable, "-c", RUN, *arguments],
                stdout=subprocess.PIPE if errors else output,
                stderr=output if errors else subprocess.PIPE,
                timeout=60,
                env=self.environment,
            )
        finally:
            os.close(output)
        return ended.returncode, ended.stdout if errors else ended.stderr

    def test_every_command(self) -> None:
        """The command dies of SIGPIPE, as other tools do, and says nothing."""
        for arguments in (
            ["--help"],
            ["--version"],
            ["config"],
            ["check-config"],
            ["token", "--user", "ann"],
            ["token", "--help"],
            ["doctor", "--help"],
            ["bench", "--help"],
            ["upgrade", "--help"],
        ):
            self.assertEqual(self.run_unread(*arguments), (-signal.SIGPIPE, b""), arguments)

    def test_errors(self) -> None:
        """A command that cannot write its errors ends in the same way."""
        self.environment["SIGNALD_PORT"] = "x"
        self.assertEqual(self.run_unread("check-config", errors=True), (-signal.SIGPIPE, b""))

    def test_closed_streams(self) -> None:
        """A command whose streams were closed before its start ends with its own status."""
        script = ["/bin/sh", "-c", 'exec "$0" -c "$1" config >&- 2>&-', sys.executable, RUN]
        self.assertEqual(subprocess.run(script, timeout=60, env=self.environment).returncode, 0)
