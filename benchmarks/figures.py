"""Figures that a benchmark prints: each the median of several, beside its bound."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from attrs import field, frozen

from benchmarks.plots import Bar, bars

__all__ = ["REPORT", "Figure", "save", "table"]

REPORT = Path(__file__).parents[1] / "bench-report"
"""Where reports go."""

HEADINGS = ("", "median", "least", "most", "bound", "")


def _numbers(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(values)


@frozen
class Figure:
    """What was measured.

    Attributes:
        name: what it is.
        unit: of the values, such as `ms`.
        values: as they were measured.
        bound: the most that the median may be; None where the figure is there to compare with.
        digits: behind the point.

    """

    name: str
    unit: str
    values: tuple[float, ...] = field(converter=_numbers)
    bound: float | None = None
    digits: int = 0

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    @property
    def met(self) -> bool:
        """Whether the bound holds; always where there is none."""
        return self.bound is None or self.median <= self.bound

    @property
    def verdict(self) -> str:
        """That in a word."""
        if self.bound is None:
            return ""
        return "met" if self.met else "MISSED"

    def row(self) -> tuple[str, ...]:
        """Its cells under the headings."""
        shown = [f"{value:.{self.digits}f} {self.unit}" for value in (self.median, min(self.values), max(self.values))]
        bound = "" if self.bound is None else f"{self.bound:g} {self.unit}"
        return (self.name, *shown, bound, self.verdict)

    def bar(self, bound: float) -> Bar:
        """What stands for it in a picture."""
        median, least, most = (value / bound for value in (self.median, min(self.values), max(self.values)))
        return Bar(self.name, self.row()[1], median, least, most, self.met)


def table(figures: Sequence[Figure]) -> str:
    """All of them as text, in columns."""
    rows = [HEADINGS, *(figure.row() for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = [
        "  ".join(cell.rjust(width) if column else cell.ljust(width) for column, (cell, width) in enumerate(cells))
        for cells in (list(zip(row, widths, strict=True)) for row in rows)
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "".join(line.rstrip() + "\n" for line in lines)


def save(name: str, title: str, figures: Sequence[Figure], notes: str = "") -> None:
    """Keep the figures as text, as JSON, and those that have a bound as a picture."""
    REPORT.mkdir(exist_ok=True)
    (REPORT / f"{name}.txt").write_text(f"{title}\n\n{table(figures)}{notes}")
    values = {figure.name: {"unit": figure.unit, "values": figure.values, "bound": figure.bound} for figure in figures}
    (REPORT / f"{name}.json").write_text(json.dumps(values, indent=1) + "\n")
    shown = [figure.bar(figure.bound) for figure in figures if figure.bound is not None]
    (REPORT / f"{name}.svg").write_text(bars(title, shown))
