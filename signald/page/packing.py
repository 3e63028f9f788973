"""A setuptools command that adds the build cache to the wheel, so that no start compiles or compresses the page."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from setuptools.command.build_py import build_py

CACHE_FILE = "build_cache.bin"
"""This is `signald.page.build_cache.FILE_NAME`; that module cannot be imported before it is built."""


class BuildPage(build_py):
    """Copies the packages, then runs `signald.page.build` on the copies."""

    def run(self) -> None:
        """Build; an editable installation gets no build cache, since it has no copies to add it to."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib).resolve()
        subprocess.run(  # noqa: S603 # the interpreter that builds, on what it has just built
            [sys.executable, "-m", "signald.page.build", str(target / "signald" / "page" / CACHE_FILE)],
            env={**os.environ, "PYTHONPATH": str(target)},
            cwd=target,
            check=True,
        )
