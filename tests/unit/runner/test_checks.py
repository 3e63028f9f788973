"""Tests of the list of checks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.runner.checks import commands, run_check

ROOT = Path(__file__).resolve().parents[3]


class CheckTests(SynchronousTestCase):
    """`make check` runs what the documentation says."""

    def test_documented_checks(self) -> None:
        """Each check that docs/contributing.md names for `make check` has a command."""
        [row] = [
            line for line in (ROOT / "docs/contributing.md").read_text().splitlines() if "| `make check` |" in line
        ]
        words = {
            "ruff check": "ruff",
            "ruff format": "formatting",
            "mypy": "mypy --strict",
            "import-linter": "import contracts",
            "MicroPython": "MicroPython's syntax",
            "coverage floors": "coverage floors",
        }
        self.assertEqual(commands(ROOT).keys(), words.keys())
        self.assertEqual([word for word in words.values() if word not in row], [])

    def test_script(self) -> None:
        """The checks run as a script of their own, for which no package of the checkout can be imported."""
        script = ROOT / "tests/runner/checks.py"
        command = [sys.executable, "-I", str(script), "--help"]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_status(self) -> None:
        """A check that ends with another status than 0 has failed, and one whose program is missing is skipped."""
        root = Path(self.mktemp())
        root.mkdir()
        outcomes = {
            text: run_check(text, ["python", "-c", f"raise SystemExit({text})"], root)["outcome"] for text in ("0", "3")
        }
        self.assertEqual(outcomes, {"0": "passed", "3": "failed"})
        self.assertEqual(run_check("other", ["no-such-program"], root)["outcome"], "skipped")
