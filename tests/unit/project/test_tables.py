"""Tables of measured figures."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.tables import Table


class TableTests(SynchronousTestCase):
    """A table as text."""

    def test_columns(self) -> None:
        """Each column is as wide as its widest cell, and no line has spaces at its end."""
        table = Table("fish", "What was caught.", ("fish", "kg"))
        table.add("pike", "12")
        table.add("stickleback", "0")
        self.assertEqual(
            table.text(), "What was caught.\n\nfish         kg\n-----------  --\npike         12\nstickleback  0\n"
        )

    def test_file(self) -> None:
        """It is written anew with each row, where a directory for it is named."""
        directory = Path(self.mktemp()).absolute()
        self.patch(os, "environ", {**os.environ, "TEST_REPORT": str(directory)})
        table = Table("fish", "What was caught.", ("fish",))
        table.add("pike")
        table.add("perch")
        self.assertEqual((directory / "fish.txt").read_text(), table.text())
