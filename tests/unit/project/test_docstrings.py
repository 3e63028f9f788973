"""Tests that docstrings name their sections in one way; the linter accepts several names for the same section."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.runner.checks import linted

ROOT = Path(__file__).resolve().parents[3]

#: The name that we use for a section, by the other names that pydocstyle knows for it.
OTHER_NAMES = {
    "Args": "Arguments",
    "Keyword Args": "Arguments",
    "Keyword Arguments": "Arguments",
    "Other Parameters": "Arguments",
    "Parameters": "Arguments",
    "Params": "Arguments",
    "Members": "Attributes",
    "Exceptions": "Raises",
    "Return": "Returns",
    "Yield": "Yields",
}

HEADING = re.compile(rf" +({'|'.join(OTHER_NAMES)}):? *")


def wrong_headings(text: str) -> list[str]:
    """Return the headings of this source text that are named otherwise than ours, each with its line and our name."""
    return [
        f"line {number}: {found[1]} instead of {OTHER_NAMES[found[1]]}"
        for number, line in enumerate(text.splitlines(), 1)
        if (found := HEADING.fullmatch(line))
    ]


class DocstringSectionTests(SynchronousTestCase):
    """The headings in docstrings."""

    def test_one_name_for_each_section(self) -> None:
        """No docstring heads its arguments with "Args:" or in another way than "Arguments:"."""
        wrong = {
            str(path.relative_to(ROOT)): headings
            for directory in linted(ROOT)
            for path in (ROOT / directory).rglob("*.py")
            if (headings := wrong_headings(path.read_text()))
        }
        self.assertEqual({}, wrong)

    def test_wrong_heading_is_found(self) -> None:
        """A heading with another name is found with its line; a word in a sentence is not."""
        text = '"""Adds.\n\n    Args:\n        one: it takes Args:\n    """\n'
        self.assertEqual(["line 3: Args instead of Arguments"], wrong_headings(text))
