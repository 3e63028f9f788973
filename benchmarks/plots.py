"""SVG charts for a browser: bars against a bound, and lines over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from attrs import frozen

__all__ = ["Bar", "bars", "lines"]

WIDTH = 900
LABELS = 430
"""The size of a chart and the width of the labels at its left, in pixels."""

ROW = 30
TOP = 56

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


def bars(title: str, rows: Sequence[Bar]) -> str:
    """Draw a bar from zero to each median and a line from the least to the greatest value, relative to the bounds."""
    scale = (WIDTH - LABELS - 100) / max(1.2, *(min(row.most, 3.0) for row in rows))
    bottom = TOP + ROW * len(rows)
    bound = LABELS + scale
    parts = [
        f'<line class="bound" x1="{bound:.1f}" y1="{TOP - 14}" x2="{bound:.1f}" y2="{bottom}"/>',
        f'<text class="faint" x="{bound:.1f}" y="{TOP - 18}" text-anchor="middle">bound</text>',
    ]
    for index, row in enumerate(rows):
        top = TOP + ROW * index
        middle = top + ROW / 2
        end, least, most = (LABELS + scale * min(part, 3.0) for part in (row.median, row.least, row.most))
        kind = "" if row.met else ' class="missed"'
        parts += [
            f'<text x="{LABELS - 8}" y="{middle + 4}" text-anchor="end">{escape(row.name)}</text>',
            f'<rect{kind} x="{LABELS}" y="{top + 6}" width="{end - LABELS:.1f}" height="{ROW - 14}"/>',
            f'<line x1="{least:.1f}" y1="{middle - 1}" x2="{most:.1f}" y2="{middle - 1}"/>',
            f'<text class="faint" x="{max(end, most, bound) + 8:.1f}" y="{middle + 4}">{escape(row.value)}</text>',
        ]
    return _drawing(title, bottom + 16, parts)


def lines(title: str, times: Sequence[float], series: Mapping[str, Sequence[float]]) -> str:
    """Draw values over time (seconds), each series relative to its own first value."""
    height = 260
    left, right, bottom = 60, WIDTH - 20, TOP + height
    most = max(1.1, *(value / values[0] for values in series.values() for value in values))
    parts = []
    for part in (0.0, 0.5, 1.0):
        y = bottom - height * part / most
        parts += [
            f'<line class="bound" x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>',
            f'<text class="faint" x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{part:.0%}</text>',
        ]
    for index, (name, values) in enumerate(series.items()):
        points = " ".join(
            f"{left + (right - left) * time / times[-1]:.1f},{bottom - height * value / values[0] / most:.1f}"
            for time, value in zip(times, values, strict=True)
        )
        label = bottom + 44 + 20 * index
        parts += [
            f'<polyline class="series{index % 4}" points="{points}"/>',
            f'<line class="series{index % 4}" x1="{left}" y1="{label - 4}" x2="{left + 24}" y2="{label - 4}"/>',
            f'<text x="{left + 32}" y="{label}">{escape(name)}</text>',
        ]
    parts.append(f'<text class="faint" x="{right}" y="{bottom + 18}" text-anchor="end">{times[-1]:.0f} s</text>')
    return _drawing(title, bottom + 44 + 20 * len(series), parts)


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
