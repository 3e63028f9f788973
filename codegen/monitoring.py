"""Generates the tables of all metrics and all logged events in docs/monitoring.md."""

from __future__ import annotations

from pathlib import Path

from codegen.events import logged_events
from codegen.tables import between
from signald.operations.prometheus import OWN_METRICS

__all__ = ["PATH", "events_table", "filled", "metrics_table", "write"]

PATH = Path(__file__).parents[1] / "docs" / "monitoring.md"


def metrics_table() -> str:
    """Return the table of signald's own metrics: name, kind, labels and help."""
    rows = ["| metric | kind | labels | |", "| --- | --- | --- | --- |"]
    for metric in OWN_METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        rows.append(f"| `{metric.full_name}` | {metric.kind.value} | {labels} | {metric.help} |")
    return "\n".join(rows)


def events_table() -> str:
    """Return the table of logged events: name, level and sentence."""
    rows = ["| event | level | sentence |", "| --- | --- | --- |"]
    for event in logged_events():
        rows.append(f"| `{event.name}` | {event.level} | {event.sentence} |")
    return "\n".join(dict.fromkeys(rows))


def filled(text: str) -> str:
    """Return the page's text with its tables replaced by current ones.

    Raises:
        LookupError: a mark around a table is missing.

    """
    for name, table in (("metrics", metrics_table()), ("events", events_table())):
        text = between(text, f"<!-- {name}: written by `make generate` -->", f"<!-- end of {name} -->", table)
    return text


def write() -> list[Path]:
    """Write the tables and return the page's path."""
    PATH.write_text(filled(PATH.read_text("utf-8")), "utf-8")
    return [PATH]
