"""docs/first-app.md shows the example that its tests run."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "examples" / "first-app"

#: The most lines of the app, blank lines not counted.
MAX_LINES = 20


class FirstAppDocumentTests(SynchronousTestCase):
    """The blocks of the page; tests.suites.e2e.test_first_app starts the command and compares the transcript."""

    def setUp(self) -> None:
        """Read the page."""
        self.blocks = re.findall(r"(?s)```(\w*)\n(.*?)```", (ROOT / "docs" / "first-app.md").read_text("utf-8"))

    def test_files(self) -> None:
        """The page and the app are the files of the example."""
        shown = {language: text for language, text in self.blocks if language in ("html", "js")}
        self.assertEqual(shown["html"], (EXAMPLE / "index.html").read_text("utf-8"))
        self.assertEqual(shown["js"], (EXAMPLE / "app.js").read_text("utf-8"))
        self.assertLessEqual(len([line for line in shown["js"].splitlines() if line]), MAX_LINES)

    def test_command(self) -> None:
        """The command is that of the example."""
        self.assertIn(
            "$ .venv/bin/python examples/first-app/run.py\n", dict(self.blocks)["console"] + self.blocks[0][1]
        )
        self.assertTrue((EXAMPLE / "run.py").is_file())
