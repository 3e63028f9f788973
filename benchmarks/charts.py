"""The charts of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.capacity import Growth
from benchmarks.plots import Bar, bars, points
from benchmarks.rounds import Result, goal_name, median, ratios
from benchmarks.works import SUBJECTS

__all__ = ["charts"]

LONGEST = 16.0
"""The longest bar: so many times the goal, or the CPU of Node."""


def charts(results: Sequence[Result], growth: Growth | None) -> Mapping[str, str]:
    """Return the SVG charts by the names of their files."""
    found = {
        "benchmark-goals.svg": bars(
            "Server CPU beside the peer's in the same rounds", _goal_bars(results), "goal", LONGEST
        )
    }
    for result in results:
        if result.name.startswith(
            ("forward ws, depth 1", "forward wss, depth 1", "whole call wss, candidates batched")
        ):
            words = result.name.replace(",", "").replace(" ", "-")
            found[f"benchmark-{words}.svg"] = bars(f"Server CPU: {result.name}", _cost_bars(result), "Node ws", LONGEST)
    if growth is not None and growth.costs:
        series = {SUBJECTS[name].name: costs for name, costs in growth.costs.items()}
        title = "Server CPU of a forwarded message by the number of connections, relative to the first"
        found["benchmark-growth.svg"] = points(title, [f"{size:,}" for size in growth.sizes], series)
    return found


def _bar(name: str, label: str, values: Sequence[float], bound: float, *, met: bool) -> Bar:
    """Return the bar of a median, with the least and the greatest value, relative to a bound."""
    return Bar(name, label, median(values) / bound, min(values) / bound, max(values) / bound, met)


def _goal_bars(results: Sequence[Result]) -> list[Bar]:
    rows = []
    for result in results:
        for goal in result.goals:
            if (values := ratios(result, goal)) and goal.goal is not None:
                value = median(values)
                label = f"{value:.2f} (goal {goal.goal:g})"
                rows.append(_bar(goal_name(result, goal), label, values, goal.goal, met=value <= goal.goal))
    return rows


def _cost_bars(result: Result) -> list[Bar]:
    """Return the bars of all subjects, relative to Node's."""
    reference = median(result.values.get("node", {}).get("cost", ()) or (1.0,))
    rows = []
    for name, values in result.values.items():
        costs = values["cost"]
        label = f"{median(costs):.3g} {result.unit}"
        rows.append(_bar(SUBJECTS[name].name, label, costs, reference, met=True))
    return rows
