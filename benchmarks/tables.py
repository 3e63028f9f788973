"""Tables of the benchmark suite, for a terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.capacity import Fact, Growth
from benchmarks.rounds import Result, goal_name, median, ratios
from benchmarks.works import SUBJECTS

__all__ = [
    "as_markdown",
    "as_text",
    "error_lines",
    "fact_rows",
    "goal_rows",
    "growth_rows",
    "latency_rows",
    "result_rows",
]

Rows = list[list[str]]
"""The cells of a table; the first row is its head."""

GROWTH_GOAL = 1.2
"""The greatest ratio of a message's cost at the most connections to that at the least."""


def as_text(rows: Rows) -> str:
    """Return a table for a terminal; the first column is aligned to the left."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell.rjust(width) if column else cell.ljust(width) for column, (cell, width) in enumerate(cells))
        for cells in (list(zip(row, widths, strict=True)) for row in rows)
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "".join(line.rstrip() + "\n" for line in lines)


def as_markdown(rows: Rows) -> str:
    """Return a table in Markdown."""
    head, *body = rows
    lines = [head, ["---"] + ["--:"] * (len(head) - 1), *body]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _number(value: float) -> str:
    """Return three significant digits at the most."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _verdict(value: float, goal: float | None, stretch: float | None = None) -> str:
    if goal is None:
        return "stretch met" if stretch is not None and value <= stretch else "stretch not met"
    if stretch is not None and value <= stretch:
        return "met, stretch too"
    return "met" if value <= goal else "not met"


def _aim(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def result_rows(result: Result) -> Rows:
    """Return the CPU for an operation and the throughput of each subject, which is that of the clients' waiting too."""
    rows = [[result.name, f"CPU {result.unit}", "least to most", "a second", "of Node ws"]]
    reference = result.values.get("node", {}).get("cost", ())
    for name, values in result.values.items():
        if name in result.errors:
            continue
        costs = values["cost"]
        both = [one / other for one, other in zip(costs, reference, strict=False)]
        rows.append(
            [
                SUBJECTS[name].name,
                _number(median(costs)),
                f"{_number(min(costs))} to {_number(max(costs))}",
                f"{median(values['rate']):.0f}",
                f"{median(both):.2f}" if both else "",
            ]
        )
    rows += [[SUBJECTS[name].name, "failed", "", "", ""] for name in result.errors]
    return rows


def error_lines(result: Result | Growth) -> list[str]:
    """Return why subjects could not do the work."""
    return [f"{SUBJECTS[name].name} failed: {error}" for name, error in result.errors.items()]


def latency_rows(result: Result) -> Rows:
    """Return the percentiles of the latency: medians of the rounds, and the greatest p99."""
    rows = [["latency, ms", "p50", "p99", "greatest p99", "p99.9"]]
    for name, values in result.values.items():
        if "p99" in values:
            cells = [median(values["p50"]), median(values["p99"]), max(values["p99"]), median(values["p99.9"])]
            rows.append([SUBJECTS[name].name, *(f"{cell:.2f}" for cell in cells)])
    return rows


def goal_rows(results: Sequence[Result], facts: Sequence[Fact], growth: Growth | None) -> Rows:
    """Return what is to be reached beside what was measured."""
    rows = [["goal", "measured", "least to most", "goal", "stretch", "before", ""]]
    for result in results:
        for goal in result.goals:
            name = goal_name(result, goal)
            values = ratios(result, goal)
            aims = [_aim(goal.goal), _aim(goal.stretch), goal.before]
            if not values:
                rows.append([name, "not measured", "", *aims, ""])
                continue
            value = median(values)
            spread = f"{min(values):.2f} to {max(values):.2f}"
            rows.append([name, f"{value:.2f}", spread, *aims, _verdict(value, goal.goal, goal.stretch)])
    for fact in facts:
        if fact.goal is not None and fact.values.get("signald"):
            value = median(fact.values["signald"])
            shown = f"{value:.{fact.digits}f} {fact.unit}"
            rows.append([fact.name, shown, "", f"{fact.goal:g}", "", "", _verdict(value, fact.goal)])
    if growth is not None and growth.costs.get("signald"):
        costs = growth.costs["signald"]
        value = costs[-1] / costs[0] if len(costs) == len(growth.sizes) else float("inf")
        name = f"cost of a message, {growth.sizes[-1]:,} to {growth.sizes[0]} connections"
        rows.append([name, f"{value:.2f}", "", f"{GROWTH_GOAL:g}", "1", "1.55", _verdict(value, GROWTH_GOAL)])
    return rows


def fact_rows(facts: Sequence[Fact]) -> Rows:
    """Return the medians of each figure for each server."""
    names = list(dict.fromkeys(name for fact in facts for name in fact.values))
    rows = [["", *(SUBJECTS[name].name for name in names)]]
    for fact in facts:
        cells = [f"{median(fact.values[name]):.{fact.digits}f}" if fact.values.get(name) else "-" for name in names]
        rows.append([f"{fact.name}, {fact.unit}", *cells])
    return rows


def growth_rows(growth: Growth) -> Rows:
    """Return the CPU of a message and of silence by the number of connections."""
    rows = [["connections", *(f"{size:,}" for size in growth.sizes)]]
    series: Mapping[str, Mapping[str, Sequence[float]]] = {
        "CPU of a message, µs": growth.costs,
        "CPU of silence, %": growth.idle,
    }
    for what, servers in series.items():
        for name, values in servers.items():
            missing = ["-"] * (len(growth.sizes) - len(values))
            rows.append([f"{SUBJECTS[name].name}: {what}", *(_number(value) for value in values), *missing])
    return rows
