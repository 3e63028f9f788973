"""Finds the events that the daemon logs in the syntax trees of its modules."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

__all__ = ["LoggedEvent", "logged_events"]

SOURCE = Path(__file__).parents[1] / "signald"

LEVELS = {
    "debug": "debug",
    "info": "info",
    "warn": "warn",
    "error": "error",
    "failure": "critical",
    "critical": "critical",
}
"""The log level of each method of a logger (`twisted.logger.Logger`)."""

OTHERS = {"doctor", "cli"}
"""The packages of programs other than the daemon."""


@frozen
class LoggedEvent:
    """A call that logs an event.

    Attributes:
        name: the event's name; None if it is missing.
        level: the log level.
        sentence: the template of the log line.
        where: the file and line of the call.

    """

    name: str | None
    level: str
    sentence: str
    where: str


def logged_events() -> list[LoggedEvent]:
    """Return all log calls of the daemon, in the order of the events' names."""
    found = [
        event
        for path in sorted(SOURCE.rglob("*.py"))
        if not OTHERS & set(path.relative_to(SOURCE).parts)
        for event in _of_file(path)
    ]
    return sorted(found, key=lambda event: (event.name or "", event.where))


def _of_file(path: Path) -> Iterator[LoggedEvent]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr not in LEVELS:
            continue
        logger = node.func.value
        called = logger.id if isinstance(logger, ast.Name) else logger.attr if isinstance(logger, ast.Attribute) else ""
        if called != "_log":
            continue
        name = next((_text(keyword.value) for keyword in node.keywords if keyword.arg == "event"), None)
        where = f"{path.relative_to(SOURCE.parent)}:{node.lineno}"
        yield LoggedEvent(name, LEVELS[node.func.attr], _text(node.args[0]) or "", where)


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
