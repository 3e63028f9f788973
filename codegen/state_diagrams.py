"""Draws a table of state transitions as an SVG picture, without a layout program and without network access.

The states are drawn in one column. Each transition leaves its state at a side, follows a lane of its own and enters the
next state. Downward transitions and those back to the same state are on the right, upward ones on the left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from attrs import frozen

__all__ = ["Transitions", "svg"]

Transitions = Mapping[tuple[str, str], str]
"""A transition table: (state, event) to next state; the first key names the initial state."""

BOX_WIDTH = 120
#: Pixels between two lines that meet the same side of a box, and between two lanes.
PORT_STEP = 22
LANE_STEP = 14
GAP = 26
MARGIN = 16
#: An estimated width of a character in the label font, since the renderer's font metrics are unknown.
CHARACTER = 6.6

STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1f2328}.state{font-weight:600;text-anchor:middle}"
    ".box{fill:#eef3f9;stroke:#57606a}.line{fill:none;stroke:#57606a}.start{fill:#57606a}"
)


@frozen
class Edge:
    """All transitions from one state to another.

    Attributes:
        source: the index of the source state.
        target: the index of the target state.
        label: the events, joined by commas.

    """

    source: int
    target: int
    label: str

    @property
    def right(self) -> bool:
        """Whether the line runs on the right of the column."""
        return self.target >= self.source

    @property
    def span(self) -> int:
        """The number of boxes that the line passes."""
        return abs(self.target - self.source)


def svg(title: str, transitions: Transitions) -> str:
    """Return the picture as the text of an SVG file, with the transitions as its description."""
    states = list(dict.fromkeys([*(state for state, _ in transitions), *transitions.values()]))
    edges = _edges(states, transitions)
    ports = {edge: _ports(edge, edges) for edge in edges}
    heights = [max(34, PORT_STEP * (1 + _most_ports(index, edges))) for index in range(len(states))]
    tops = [MARGIN + GAP + sum(heights[:index]) + GAP * index for index in range(len(states))]
    room = {side: _room([edge for edge in edges if edge.right is side]) for side in (False, True)}
    left = MARGIN + room[False]
    width = left + BOX_WIDTH + room[True] + MARGIN
    height = tops[-1] + heights[-1] + MARGIN
    middle = left + BOX_WIDTH / 2
    sentences = "; ".join(f"{state}, {event}: {after}" for (state, event), after in transitions.items())
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}"'
        f' viewBox="0 0 {width:g} {height:g}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<desc>{escape(sentences)}</desc>",
        f"<style>{STYLE}</style>",
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path class="start" d="M0 0 8 4 0 8z"/></marker></defs>',
        f'<rect width="{width:g}" height="{height:g}" rx="6" fill="#fff"/>',
        f'<circle class="start" cx="{middle:g}" cy="{MARGIN + 4}" r="5"/>',
        f'<path class="line" d="M{middle:g} {MARGIN + 9}V{tops[0]:g}" marker-end="url(#arrow)"/>',
    ]
    for index, state in enumerate(states):
        size = f'width="{BOX_WIDTH}" height="{heights[index]}"'
        parts.append(f'<rect class="box" x="{left:g}" y="{tops[index]:g}" {size} rx="6"/>')
        baseline = tops[index] + heights[index] / 2 + 4.5
        parts.append(f'<text class="state" x="{middle:g}" y="{baseline:g}">{escape(state)}</text>')
    for side in (False, True):
        edge_x, sign = (left + BOX_WIDTH, 1) if side else (left, -1)
        on_side = sorted((edge for edge in edges if edge.right is side), key=lambda edge: edge.span)
        first = _label_room(on_side)
        for lane, edge in enumerate(on_side):
            out, back = ports[edge]
            start, end = tops[edge.source] + out * PORT_STEP, tops[edge.target] + back * PORT_STEP
            lane_x = edge_x + sign * (first + lane * LANE_STEP)
            path = f"M{edge_x:g} {start:g}H{lane_x:g}V{end:g}H{edge_x:g}"
            parts.append(f'<path class="line" d="{path}" marker-end="url(#arrow)"/>')
            anchor = "start" if side else "end"
            place = f'x="{edge_x + sign * 8:g}" y="{start - 5:g}" text-anchor="{anchor}"'
            parts.append(f"<text {place}>{escape(edge.label)}</text>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def _edges(states: Sequence[str], transitions: Transitions) -> list[Edge]:
    """Return the lines to draw: one for each pair of states, whatever the number of its events."""
    events: dict[tuple[int, int], list[str]] = {}
    for (state, event), after in transitions.items():
        events.setdefault((states.index(state), states.index(after)), []).append(event)
    return [Edge(source, target, ", ".join(names)) for (source, target), names in events.items()]


def _ends(index: int, right: bool, edges: Sequence[Edge]) -> list[tuple[Edge, bool]]:
    """Return the edges that meet one side of a box, from top to bottom, and whether each edge leaves the box there."""
    mine = [edge for edge in edges if edge.right is right]
    found = [(edge, True) for edge in mine if edge.source == index]
    found += [(edge, False) for edge in mine if edge.target == index]
    # Lines from above enter at the top, lines to below leave at the bottom, so that few cross.
    return sorted(found, key=lambda end: (end[0].right is end[1], end[0].span if end[1] else -end[0].span))


def _ports(edge: Edge, edges: Sequence[Edge]) -> tuple[int, int]:
    """Return the positions, from 1, at which an edge leaves its source and enters its target."""
    leaves = _ends(edge.source, edge.right, edges).index((edge, True))
    enters = _ends(edge.target, edge.right, edges).index((edge, False))
    return leaves + 1, enters + 1


def _most_ports(index: int, edges: Sequence[Edge]) -> int:
    return max(len(_ends(index, right, edges)) for right in (False, True))


def _label_room(edges: Sequence[Edge]) -> float:
    return 24 + CHARACTER * max((len(edge.label) for edge in edges), default=0)


def _room(edges: Sequence[Edge]) -> float:
    return _label_room(edges) + LANE_STEP * max(len(edges) - 1, 0) if edges else 0
