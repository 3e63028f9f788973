"""Writes the tables and charts of docs/benchmarks.md from the report of the suite: `python -m benchmarks.document`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.capacity import Fact, Growth
from benchmarks.charts import charts
from benchmarks.figures import REPORT
from benchmarks.rounds import Result
from benchmarks.tables import as_markdown, error_lines, fact_rows, goal_rows, growth_rows, latency_rows, result_rows
from benchmarks.works import SUBJECTS

__all__ = ["main", "render"]

DOCS = Path(__file__).parents[1] / "docs"
DOCUMENT = DOCS / "benchmarks.md"
PICTURES = DOCS / "static"

BEGIN, END = "<!-- figures of `make bench`, written by `make bench-document` -->\n", "<!-- end of the figures -->\n"

LINE = 120


def _picture(name: str, alternative: str) -> str:
    return f"![{alternative}](static/{name})\n"


def _sentences(report: Mapping[str, Any]) -> str:
    """Return when and where the figures were measured, wrapped as the document is."""
    machine = ", ".join(f"{name} {value}" for name, value in report["machine"].items())
    versions = ", ".join(f"{name} {value}" for name, value in report["versions"].items())
    kind = "`make bench-quick`" if report["quick"] else "`make bench`"
    absent = "; ".join(
        f"{SUBJECTS[name].name if name in SUBJECTS else name}: {why}" for name, why in report["absent"].items()
    )
    words = f"Measured on {report['date']} by {kind}. Machine: {machine}. Versions: {versions}.".split()
    words += f"Not measured: {absent}.".split() if absent else []
    lines, line = [], ""
    for word in words:
        if line and len(line) + len(word) + 1 > LINE:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return "\n".join([*lines, line, ""])


def render(report: Mapping[str, Any]) -> tuple[str, Mapping[str, str]]:
    """Return the generated part of the document, and the charts by their file names."""
    results = [Result.from_json(body) for body in report["results"]]
    facts = [Fact(**body) for body in report["facts"]]
    growth = Growth(**report["growth"]) if report["growth"] else None
    pictures = charts(results, growth)
    parts = [_sentences(report), "### Goals\n", as_markdown(goal_rows(results, facts, growth))]
    parts.append(_picture("benchmark-goals.svg", "Bar chart of the ratios to the peers; the table above says the same"))
    parts.append("### Works\n")
    for result in results:
        parts.append(as_markdown(result_rows(result)))
        parts += [f"{line}.\n" for line in error_lines(result)]
    parts += [as_markdown(rows) for result in results if len(rows := latency_rows(result)) > 1]
    parts += [
        _picture(name, "Bar chart of the CPU by server; the tables above say the same")
        for name in pictures
        if name not in ("benchmark-goals.svg", "benchmark-growth.svg")
    ]
    if facts:
        parts += ["### Silence and start\n", as_markdown(fact_rows(facts))]
    if growth is not None:
        parts += ["### Growth\n", as_markdown(growth_rows(growth)), *(f"{line}.\n" for line in error_lines(growth))]
        if "benchmark-growth.svg" in pictures:
            parts.append(
                _picture("benchmark-growth.svg", "Line chart of the CPU of a message; the table says the same")
            )
    if report["storm"]:
        parts += ["### Resume storm\n", f"```\n{report['storm'].strip()}\n```\n"]
    return "\n".join(parts), pictures


def _replaced(document: str, figures: str) -> str:
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{DOCUMENT.name} has no place for the figures")
    return f"{before}{BEGIN}\n{figures}\n{END}{after}"


def main(arguments: Sequence[str]) -> int:
    """Write the document and its charts from a report, by default the one that the suite wrote last."""
    source = Path(arguments[0]) if arguments else REPORT / "suite.json"
    figures, pictures = render(json.loads(source.read_text()))
    DOCUMENT.write_text(_replaced(DOCUMENT.read_text(), figures))
    for old in PICTURES.glob("benchmark-*.svg"):
        old.unlink()
    for name, picture in pictures.items():
        (PICTURES / name).write_text(picture)
    sys.stdout.write(f"{DOCUMENT.name} and {len(pictures)} charts were written from {source.name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
