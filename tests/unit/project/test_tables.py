"""Tests of formatting tables of measurements."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.tables import Table


class TableTests(SynchronousTestCase):
    """`Table` formats its rows as text."""

    def test_columns(self) -> None:
        """A column is as wide as its widest cell, and lines have no trailing spaces."""
        table = Table("fish", "What was caught.", ("fish", "kg"))
        table.add("pike", "12")
        table.add("stickleback", "0")
        self.assertEqual(
            table.text(), "What was caught.\n\nfish         kg\n-----------  --\npike         12\nstickleback  0\n"
        )

    def test_file(self) -> None:
        """If a directory is given, the table is rewritten to a file with each new row."""
        directory = Path(self.mktemp()).absolute()
        self.patch(os, "environ", {**os.environ, "TEST_REPORT": str(directory)})
        table = Table("fish", "What was caught.", ("fish",))
        table.add("pike")
        table.add("perch")
        self.assertEqual((directory / "fish.txt").read_text(), table.text())
