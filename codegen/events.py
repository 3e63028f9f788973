"""The events that the code logs, read from its syntax trees."""

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
"""The level of each of a logger's methods (`twisted.logger.Logger`)."""

OTHERS = {"doctor", "cli"}
"""Folders of programs that are not the daemon."""


@frozen
class LoggedEvent:
    """One call that logs.

    Attributes:
        name: of the event; None where it is missing.
        level: its level.
        sentence: its template.
        where: file and line.

    """

    name: str | None
    level: str
    sentence: str
    where: str


def logged_events() -> list[LoggedEvent]:
    """Every call of the daemon that logs, in order of the events' names."""
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
