"""A step in building the wheel: what takes long to make of the page's files is made once, and not at every start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from setuptools.command.build_py import build_py

FILE = "made.bin"
"""As in `signald.page.build_cache`, which cannot be imported before it is built."""


class BuildPage(build_py):
    """Copies the packages, and then runs `signald.page.build_cache` among them."""

    def run(self) -> None:
        """Build; where the packages stay where they are, there is nothing to add to."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib).resolve()
        subprocess.run(  # noqa: S603 # the interpreter that builds, on what it has just built
            [sys.executable, "-m", "signald.page.build_cache", str(target / "signald" / "page" / FILE)],
            env={**os.environ, "PYTHONPATH": str(target)},
            cwd=target,
            check=True,
        )
