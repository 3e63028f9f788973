"""The module that puts the call page into another page, in Node.js with a document that the tests script."""

from __future__ import annotations

import os
import subprocess
from importlib.resources import as_file, files
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from codegen.node_tools import NODE

HERE = Path(__file__).parent / "javascript"


class EmbedTests(SynchronousTestCase):
    """The module as it is served, and its source."""

    def check(self, module: Path) -> None:
        """Run the tests of `embed.test.mjs` with a module."""
        done = subprocess.run(
            [NODE, "--test", "embed.test.mjs"],
            cwd=HERE,
            env={**os.environ, "EMBED": module.as_uri()},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_served_module(self) -> None:
        """The one module."""
        with as_file(files("signald_client") / "js" / "embed.mjs") as module:
            self.check(module)

    def test_source(self) -> None:
        """The source, whose failures have readable traces."""
        self.check(Path(__file__).parents[3] / "clients" / "js" / "src" / "embed.mjs")
