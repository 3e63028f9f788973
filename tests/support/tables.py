"""Tables of a suite's measurements, which `make attack` and `make faults` print at the end.

The tables are written as text files into the directory that TEST_REPORT names; without TEST_REPORT nothing is written.
A suite runs in several processes, which add their rows to the same table.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

Rows = Sequence[Sequence[str]]


def add_row(directory: Path, name: str, row: Sequence[str], text: Callable[[Rows], str]) -> None:
    """Add a row to a table, and write the table to its file at once, so that a suite that crashes leaves its results.

    Arguments:
        directory: the directory of the report, which is made if it is not there.
        name: the name of the table's file, without the extension.
        row: the cells of the row.
        text: returns the content of the file for the rows that all processes have added.

    """
    directory.mkdir(parents=True, exist_ok=True)
    with Path(directory, f"{name}.rows").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(json.dumps(row) + "\n")
        file.seek(0)
        rows = [json.loads(line) for line in file]
        Path(directory, f"{name}.txt").write_text(text(rows))


def align(headings: Sequence[str], rows: Rows) -> str:
    """Return headings and rows as lines of columns, each as wide as its widest cell."""
    lines = [headings, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    shown = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    shown.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(shown) + "\n"


class Table:
    """A table to which tests add rows."""

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

    def add(self, *cells: str) -> None:
        """Add a row; it has a cell for each heading."""
        assert len(cells) == len(self._headings), cells
        name = os.environ.get("TEST_REPORT")
        if name:
            add_row(Path(name), self._name, cells, self._text)

    def _text(self, rows: Rows) -> str:
        return f"{self._title}\n\n{align(self._headings, rows)}"
