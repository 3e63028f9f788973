"""Tables of a suite's measurements, which `make attack` and `make faults` print at the end.

The tables are written as text files into the directory that TEST_REPORT names; without TEST_REPORT nothing is written.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


class Table:
    """A table to which tests add rows.

    Attributes:
        rows: the added rows; each row has a cell for each heading.

    """

    def __init__(self, name: str, title: str, headings: Sequence[str]) -> None:
        """Create an empty table.

        Arguments:
            name: the name of the table's file, without the extension.
            title: sentences above the table.
            headings: the headings of the columns.

        """
        self._name = name
        self._title = title
        self._headings = headings
        self.rows: list[Sequence[str]] = []

    def add(self, *cells: str) -> None:
        """Add a row, and write the table to its file at once, so that a suite that crashes leaves its results."""
        assert len(cells) == len(self._headings), cells
        self.rows.append(cells)
        name = os.environ.get("TEST_REPORT")
        if name:
            Path(name).mkdir(parents=True, exist_ok=True)
            Path(name, f"{self._name}.txt").write_text(self.text())

    def text(self) -> str:
        """The table as text."""
        lines = [self._headings, *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self._headings))]
        shown = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
        ]
        shown.insert(1, "  ".join("-" * width for width in widths))
        return f"{self._title}\n\n" + "\n".join(shown) + "\n"
