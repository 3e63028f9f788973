"""Runs a command of `signald` in the process of a test."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald.cli.commands import Main


class CommandCase(SynchronousTestCase):
    """A test case with a directory, in which commands run with captured output."""

    def setUp(self) -> None:
        """Create the directory."""
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()

    def write_private(self, name: str, text: str) -> Path:
        """Write a file that only its owner can read, and return its path."""
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        return path

    def run_command(
        self, main: Main, *arguments: object, environment: Mapping[str, str] | None = None
    ) -> tuple[int, str, str]:
        """Run a command, and return its exit status, standard output and standard error."""
        out, err = StringIO(), StringIO()
        self.patch(sys, "stdout", out)
        self.patch(sys, "stderr", err)
        status = main([*map(str, arguments)], {"HOME": str(self.directory), **(environment or {})})
        return status, out.getvalue(), err.getvalue()
