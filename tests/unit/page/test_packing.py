"""Tests of the setuptools command that adds the build cache to the wheel."""

from __future__ import annotations

import sys
from pathlib import Path

from setuptools import Distribution
from twisted.trial.unittest import SynchronousTestCase

from signald.page.build_cache import FILE_NAME
from signald.page.packing import CACHE_FILE, BuildPage


class BuildPageTests(SynchronousTestCase):
    """`BuildPage`, with a script in place of the Python interpreter; the packaging suite builds a real wheel."""

    def setUp(self) -> None:
        """Create a target directory, and a `build_py` command whose list of packages is empty."""
        self.target = Path(self.mktemp()).absolute()
        self.target.mkdir()
        interpreter = self.target / "python"
        interpreter.write_text('#!/bin/sh\nprintf "%s\\n" "$PWD" "$PYTHONPATH" "$@" > calls\n')
        interpreter.chmod(0o700)
        self.patch(sys, "executable", str(interpreter))
        self.command = BuildPage(Distribution({"packages": []}))
        self.command.ensure_finalized()
        self.command.build_lib = str(self.target)

    def test_build(self) -> None:
        """The command runs `signald.page.build` on the copied packages."""
        self.command.run()
        target = str(self.target)
        arguments = ["-m", "signald.page.build", f"{target}/signald/page/{FILE_NAME}"]
        self.assertEqual((self.target / "calls").read_text().splitlines(), [target, target, *arguments])

    def test_editable(self) -> None:
        """An editable installation gets no build cache."""
        self.command.editable_mode = True
        self.command.run()
        self.assertFalse((self.target / "calls").exists())

    def test_file_name(self) -> None:
        """The command and the loader use the same file name."""
        self.assertEqual(CACHE_FILE, FILE_NAME)
