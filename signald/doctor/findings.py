"""What a check finds, and what to do about it: pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from attrs import frozen

__all__ = ["Finding", "Mark", "failed", "failure", "ok", "skipped", "warning"]


class Mark(Enum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"
    SKIPPED = "skipped"


@frozen
class Finding:
    """One line of the report.

    Attributes:
        topic: what was looked at, one word.
        mark: how bad it is.
        text: what was found, one sentence; no secret in it.
        remedy: what to do, for a warning and a failure.

    """

    topic: str
    mark: Mark
    text: str
    remedy: str | None = None


def ok(topic: str, text: str) -> Finding:
    """All is well."""
    return Finding(topic, Mark.OK, text)


def skipped(topic: str, text: str) -> Finding:
    """It was not looked at; the text says why."""
    return Finding(topic, Mark.SKIPPED, text)


def warning(topic: str, text: str, remedy: str) -> Finding:
    """It works, but somebody should look at it."""
    return Finding(topic, Mark.WARNING, text, remedy)


def failure(topic: str, text: str, remedy: str) -> Finding:
    """It does not work, or not for everybody."""
    return Finding(topic, Mark.FAILURE, text, remedy)


def failed(findings: Sequence[Finding]) -> bool:
    """Whether one of them is a failure."""
    return any(finding.mark is Mark.FAILURE for finding in findings)
