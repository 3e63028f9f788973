"""Tests that `docs/architecture.md` names files that exist."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = ROOT / "docs" / "architecture.md"

QUESTION = re.compile(r"^\| ([A-Z].*\?) \| `(.+)` \|$", re.MULTILINE)
FILE = re.compile(r"`([a-z_]+(?:/[a-z_]+)*/[a-z_]+\.py)`")
"""Matches a path in backquotes, relative to the root of the checkout or to `signald/`."""


class ArchitectureDocumentTests(SynchronousTestCase):
    """The table of questions and the other paths of the page."""

    def test_each_question_is_answered_by_a_file(self) -> None:
        """The table has at least twenty questions, each with a file of its own that exists."""
        answers = QUESTION.findall(DOCUMENT.read_text(encoding="utf-8"))
        self.assertGreaterEqual(len({question for question, _ in answers}), 20)
        self.assertEqual(len({file for _, file in answers}), len(answers))
        self.assertEqual([file for _, file in answers if not (ROOT / file).is_file()], [])

    def test_each_named_file_exists(self) -> None:
        """Every Python file that the page names by its path exists."""
        named = set(FILE.findall(DOCUMENT.read_text(encoding="utf-8")))
        self.assertGreater(len(named), 20)
        missing = {file for file in named if not any((ROOT / place / file).is_file() for place in ("", "signald"))}
        self.assertEqual(missing, set())
