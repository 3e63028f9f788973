"""Measurements that a benchmark prints: the median of several values, beside its bound."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from attrs import field, frozen

from benchmarks.plots import Bar, bars

__all__ = ["REPORT", "Figure", "save", "table"]

REPORT = Path(__file__).parents[1] / "bench-report"
"""The directory into which reports are written."""

HEADINGS = ("", "median", "least", "most", "bound", "")


def _numbers(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(values)


@frozen
class Figure:
    """A measured quantity.

    Attributes:
        name: the name of the quantity.
        unit: the unit of the values, such as `ms`.
        values: the values in the order in which they were measured.
        bound: the greatest median that is accepted; None for a reference value.
        digits: the number of printed decimal places.

    """

    name: str
    unit: str
    values: tuple[float, ...] = field(converter=_numbers)
    bound: float | None = None
    digits: int = 0

    @property
    def median(self) -> float:
        """The median of the values."""
        return statistics.median(self.values)

    @property
    def met(self) -> bool:
        """Whether the median is within the bound; True if there is no bound."""
        return self.bound is None or self.median <= self.bound

    @property
    def verdict(self) -> str:
        """The result of the comparison with the bound, in one word."""
        if self.bound is None:
            return ""
        return "met" if self.met else "MISSED"

    def row(self) -> tuple[str, ...]:
        """The cells of the figure's table row."""
        shown = [f"{value:.{self.digits}f} {self.unit}" for value in (self.median, min(self.values), max(self.values))]
        bound = "" if self.bound is None else f"{self.bound:g} {self.unit}"
        return (self.name, *shown, bound, self.verdict)

    def bar(self, bound: float) -> Bar:
        """Return the figure's bar in a chart, relative to the bound."""
        median, least, most = (value / bound for value in (self.median, min(self.values), max(self.values)))
        return Bar(self.name, self.row()[1], median, least, most, self.met)


def table(figures: Sequence[Figure]) -> str:
    """Return all figures as a text table."""
    rows = [HEADINGS, *(figure.row() for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = [
        "  ".join(cell.rjust(width) if column else cell.ljust(width) for column, (cell, width) in enumerate(cells))
        for cells in (list(zip(row, widths, strict=True)) for row in rows)
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "".join(line.rstrip() + "\n" for line in lines)


def save(name: str, title: str, figures: Sequence[Figure], notes: str = "") -> None:
    """Write the figures as text and as JSON, and those that have a bound as a chart."""
    REPORT.mkdir(exist_ok=True)
    (REPORT / f"{name}.txt").write_text(f"{title}\n\n{table(figures)}{notes}")
    values = {figure.name: {"unit": figure.unit, "values": figure.values, "bound": figure.bound} for figure in figures}
    (REPORT / f"{name}.json").write_text(json.dumps(values, indent=1) + "\n")
    shown = [figure.bar(figure.bound) for figure in figures if figure.bound is not None]
    (REPORT / f"{name}.svg").write_text(bars(title, shown))
