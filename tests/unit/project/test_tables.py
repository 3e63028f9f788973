"""Tests of formatting tables of measurements."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.tables import Table


class TableTests(SynchronousTestCase):
    """`Table` writes its rows as text."""

    def setUp(self) -> None:
        """Name a directory for the report."""
        self.directory = Path(self.mktemp()).absolute()
        self.patch(os, "environ", {**os.environ, "TEST_REPORT": str(self.directory)})

    def test_columns(self) -> None:
        """A column is as wide as its widest cell, and lines have no trailing spaces."""
        table = Table("fish", "What was caught.", ("fish", "kg"))
        table.add("pike", "12")
        table.add("stickleback", "0")
        self.assertEqual(
            (self.directory / "fish.txt").read_text(),
            "What was caught.\n\nfish         kg\n-----------  --\npike         12\nstickleback  0\n",
        )

    def test_several_processes(self) -> None:
        """Rows that another process has added to the table are kept."""
        for fish in ("pike", "perch"):
            Table("fish", "What was caught.", ("fish",)).add(fish)
        self.assertEqual((self.directory / "fish.txt").read_text(), "What was caught.\n\nfish\n-----\npike\nperch\n")

    def test_no_report(self) -> None:
        """Without a directory nothing is written."""
        del os.environ["TEST_REPORT"]
        Table("fish", "What was caught.", ("fish",)).add("pike")
        self.assertFalse(self.directory.exists())
