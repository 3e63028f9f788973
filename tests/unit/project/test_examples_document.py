"""docs/examples.md shows parts of the examples that tests.suites.e2e.test_examples runs, and names their commands."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "examples"

#: How a file ends that a block of this language is a part of.
SUFFIXES = {"python": ".py", "js": ".js"}


class ExamplesDocumentTests(SynchronousTestCase):
    """The page, and the folders of the examples."""

    def setUp(self) -> None:
        """Read the page."""
        self.text = (ROOT / "docs" / "examples.md").read_text("utf-8")

    def test_blocks(self) -> None:
        """Each block of code is a part of a file of an example, at whatever depth."""
        blocks = re.findall(r"(?s)```(python|js)\n(.*?)```", self.text)
        self.assertGreater(len(blocks), 4)
        for language, block in blocks:
            files = [path.read_text("utf-8") for path in EXAMPLES.rglob(f"*{SUFFIXES[language]}")]
            indented = [textwrap.indent(block, " " * depth) for depth in range(0, 24, 4)]
            self.assertTrue(any(part in text for text in files for part in indented), block)

    def test_folders(self) -> None:
        """The table has each folder of examples, which has a command of its own."""
        folders = sorted(path.parent.name for path in EXAMPLES.glob("*/run.py"))
        named = sorted(re.findall(r"\]\(\.\./examples/([a-z-]+)/", self.text))
        self.assertEqual(named, folders)
        self.assertEqual(
            folders, sorted({path.parent.name for path in EXAMPLES.glob("*/*.*") if path.suffix != ".pyc"})
        )

    def test_commands(self) -> None:
        """Each command of the page starts a file that exists."""
        commands = re.findall(r"python3? (examples/\S+\.py)", self.text)
        self.assertGreater(len(commands), 3)
        for path in commands:
            self.assertTrue((ROOT / path).is_file(), path)
