"""Calls of the JavaScript client in Node.js, with peer connections and a server that the tests script."""

from __future__ import annotations

import os
import subprocess
from importlib.resources import as_file, files
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from codegen.node_tools import NODE

HERE = Path(__file__).parent / "javascript"


class CallTests(SynchronousTestCase):
    """The module as it is served, and its sources."""

    def check(self, module: Path) -> None:
        """Run the tests of `call.test.mjs` with a module."""
        done = subprocess.run(
            [NODE, "--test", "call.test.mjs"],
            cwd=HERE,
            env={**os.environ, "CLIENT": module.as_uri()},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_served_module(self) -> None:
        """The one module."""
        with as_file(files("signald_client") / "js" / "client.mjs") as module:
            self.check(module)

    def test_sources(self) -> None:
        """The sources, whose failures have readable traces."""
        self.check(Path(__file__).parents[3] / "clients" / "js" / "src" / "client.mjs")
