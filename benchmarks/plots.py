"""SVG charts for a browser: bars against a bound, and lines over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from attrs import frozen

__all__ = ["Bar", "bars", "lines", "points"]

WIDTH = 900
LABELS = 430
"""The size of a chart and the width of the labels at its left, in pixels."""

ROW = 30
TOP = 56

HEIGHT = 260
BOTTOM = TOP + HEIGHT
"""The height of the area of a chart of series and its lower side, in pixels."""

STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1b2123}.title{font-weight:600;font-size:15px}.faint{fill:#5b6366}"
    "rect{fill:#0b6a58}.missed{fill:#b3261e}line,polyline{stroke:#1b2123;fill:none}.bound{stroke-dasharray:4 3}"
    ".series0{stroke:#0b6a58}.series1{stroke:#b3261e}.series2{stroke:#2455a4}.series3{stroke:#8a5a00}"
)


@frozen
class Bar:
    """One bar of a chart.

    Attributes:
        name: the label at the left.
        value: the value as text.
        median, least, most: the values relative to the bound.
        met: whether the bound is met.

    """

    name: str
    value: str
    median: float
    least: float
    most: float
    met: bool


def bars(title: str, rows: Sequence[Bar], bound_name: str = "bound", longest: float = 3.0) -> str:
    """Draw a bar from zero to each median and a line from the least to the greatest value, relative to the bounds.

    Arguments:
        title: the title of the chart.
        rows: the bars.
        bound_name: what is written above the line of the bounds.
        longest: the value, in bounds, at which longer bars are cut off.

    """
    scale = (WIDTH - LABELS - 150) / max((1.2, *(min(row.most, longest) for row in rows)))
    bottom = TOP + ROW * len(rows)
    bound = LABELS + scale
    parts = [
        f'<line class="bound" x1="{bound:.1f}" y1="{TOP - 14}" x2="{bound:.1f}" y2="{bottom}"/>',
        f'<text class="faint" x="{bound:.1f}" y="{TOP - 18}" text-anchor="middle">{bound_name}</text>',
    ]
    for index, row in enumerate(rows):
        top = TOP + ROW * index
        middle = top + ROW / 2
        end, least, most = (LABELS + scale * min(part, longest) for part in (row.median, row.least, row.most))
        kind = "" if row.met else ' class="missed"'
        parts += [
            f'<text x="{LABELS - 8}" y="{middle + 4}" text-anchor="end">{escape(row.name)}</text>',
            f'<rect{kind} x="{LABELS}" y="{top + 6}" width="{end - LABELS:.1f}" height="{ROW - 14}"/>',
            f'<line x1="{least:.1f}" y1="{middle - 1}" x2="{most:.1f}" y2="{middle - 1}"/>',
            f'<text class="faint" x="{max(end, most, bound) + 8:.1f}" y="{middle + 4}">{escape(row.value)}</text>',
        ]
    return _drawing(title, bottom + 16, parts)


@frozen
class _Area:
    """The area of a chart of series, each relative to its own first value.

    Attributes:
        left, right: its sides, in pixels.
        most: the value at its top.

    """

    left: float
    right: float
    most: float

    def y(self, value: float) -> float:
        """Return the height of a value, in pixels from the top of the chart."""
        return BOTTOM - HEIGHT * value / self.most

    def grid(self, values: Sequence[float]) -> list[str]:
        """Draw a line across the area at each of these values, with the value at its left."""
        return [
            part
            for value in values
            for part in (
                f'<line class="bound" x1="{self.left}" y1="{self.y(value):.1f}" x2="{self.right}" '
                f'y2="{self.y(value):.1f}"/>',
                f'<text class="faint" x="{self.left - 8}" y="{self.y(value) + 4:.1f}" text-anchor="end">'
                f"{value:.0%}</text>",
            )
        ]

    def series(self, index: int, places: Sequence[float], values: Sequence[float], label: str) -> list[str]:
        """Draw a series through these places, in pixels from the left, and its entry in the legend."""
        line = " ".join(f"{x:.1f},{self.y(value / values[0]):.1f}" for x, value in zip(places, values, strict=False))
        y = BOTTOM + 44 + 20 * index
        return [
            f'<polyline class="series{index % 4}" points="{line}"/>',
            f'<line class="series{index % 4}" x1="{self.left}" y1="{y - 4}" x2="{self.left + 24}" y2="{y - 4}"/>',
            f'<text x="{self.left + 32}" y="{y}">{escape(label)}</text>',
        ]


def _most(least: float, series: Mapping[str, Sequence[float]]) -> float:
    """Return the greatest value of all series relative to the first one of each, or `least` if that is more."""
    return max(least, *(value / values[0] for values in series.values() for value in values))


def lines(title: str, times: Sequence[float], series: Mapping[str, Sequence[float]]) -> str:
    """Return an SVG line chart of values over time (seconds), each series relative to its own first value."""
    area = _Area(left=60, right=WIDTH - 20, most=_most(1.1, series))
    places = [area.left + (area.right - area.left) * time / times[-1] for time in times]
    parts = area.grid((0.0, 0.5, 1.0))
    for index, (name, values) in enumerate(series.items()):
        parts += area.series(index, places, values, name)
    parts.append(f'<text class="faint" x="{area.right}" y="{BOTTOM + 18}" text-anchor="end">{times[-1]:.0f} s</text>')
    return _drawing(title, BOTTOM + 44 + 20 * len(series), parts)


def points(title: str, names: Sequence[str], series: Mapping[str, Sequence[float]]) -> str:
    """Draw values at named points, each series relative to its own first value."""
    area = _Area(left=60, right=WIDTH - 40, most=_most(1.3, series))
    places = [area.left + (area.right - area.left) * index / (len(names) - 1) for index in range(len(names))]
    parts = area.grid((0.5, 1.0, 1.2))
    parts += [
        f'<text class="faint" x="{x:.1f}" y="{BOTTOM + 18}" text-anchor="middle">{escape(name)}</text>'
        for x, name in zip(places, names, strict=True)
    ]
    for index, (name, values) in enumerate(series.items()):
        parts += area.series(index, places, values, f"{name}: {values[0]:.3g} µs at first")
    return _drawing(title, BOTTOM + 44 + 20 * len(series), parts)


def _drawing(title: str, height: float, parts: Sequence[str]) -> str:
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img">',
            f"<title>{escape(title)}</title><style>{STYLE}</style>",
            f'<rect x="0" y="0" width="{WIDTH}" height="{height:.0f}" style="fill:#fff"/>',
            f'<text class="title" x="16" y="24">{escape(title)}</text>',
            *parts,
            "</svg>\n",
        )
    )
