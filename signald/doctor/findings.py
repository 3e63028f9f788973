"""The findings of the doctor's checks, with their remedies."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from attrs import frozen

__all__ = ["UNUSABLE_SECTION", "Finding", "Mark", "failed", "failure", "ok", "skipped", "warning"]

UNUSABLE_SECTION = (
    "signald does not start with it: correct the setting or the file, or set the variable that the unit sets."
)
"""The remedy for a section that cannot be used; a shell lacks the variables of a unit, which may name a file."""


class Mark(Enum):
    """The severity of a finding."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"
    SKIPPED = "skipped"


@frozen
class Finding:
    """One line of the report.

    Attributes:
        topic: the subject of the check, in one word.
        mark: the severity.
        text: the result of the check, as one sentence without any secret.
        remedy: what the operator can do; given for a warning and a failure.

    """

    topic: str
    mark: Mark
    text: str
    remedy: str | None = None


def ok(topic: str, text: str) -> Finding:
    """Create a finding of a check that passed."""
    return Finding(topic, Mark.OK, text)


def skipped(topic: str, text: str) -> Finding:
    """Create a finding of a check that did not run; the text says why."""
    return Finding(topic, Mark.SKIPPED, text)


def warning(topic: str, text: str, remedy: str) -> Finding:
    """Create a finding of something that works but needs the operator's attention."""
    return Finding(topic, Mark.WARNING, text, remedy)


def failure(topic: str, text: str, remedy: str) -> Finding:
    """Create a finding of something that fails for all users or for some of them."""
    return Finding(topic, Mark.FAILURE, text, remedy)


def failed(findings: Sequence[Finding]) -> bool:
    """Return whether at least one finding is a failure."""
    return any(finding.mark is Mark.FAILURE for finding in findings)
