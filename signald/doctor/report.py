"""Formats the findings as text for a terminal or as JSON for a program."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from signald.doctor.findings import Finding, Mark

__all__ = ["as_json", "as_text"]

_COLOURS = {Mark.OK: "32", Mark.WARNING: "33", Mark.FAILURE: "31", Mark.SKIPPED: "2"}
"""The colour of each mark, as a parameter of Select Graphic Rendition (ECMA-48 §8.3.117)."""

_SUMS = ((Mark.FAILURE, "failure", "failures"), (Mark.WARNING, "warning", "warnings"), (Mark.OK, "ok", "ok"))


def as_text(findings: Sequence[Finding], *, colour: bool) -> str:
    """Format each finding as a line with its remedy indented below, followed by a summary line.

    Arguments:
        findings: the findings, in the order of the report.
        colour: whether the output is a terminal, which understands escape codes.

    """
    width = max(len(mark.value) for mark in Mark)
    topics = max((len(finding.topic) for finding in findings), default=0)
    lines: list[str] = []
    for finding in findings:
        mark = finding.mark.value.ljust(width)
        if colour:
            mark = f"\x1b[{_COLOURS[finding.mark]}m{mark}\x1b[0m"
        lines.append(f"{mark}  {finding.topic.ljust(topics)}  {_plain(finding.text)}")
        if finding.remedy is not None:
            lines.append(f"{' ' * (width + 2)}{' ' * topics}  → {_plain(finding.remedy)}")
    return "\n".join([*lines, "", _sums(findings), ""])


def as_json(findings: Sequence[Finding]) -> str:
    """Format the findings and their number by mark as a JSON object on one line."""
    counts = _counts(findings)
    document = {
        "findings": [
            {
                "topic": finding.topic,
                "mark": finding.mark.value,
                "text": finding.text,
                **({} if finding.remedy is None else {"remedy": finding.remedy}),
            }
            for finding in findings
        ],
        "sums": {mark.value: counts[mark] for mark in Mark},
    }
    return json.dumps(document, ensure_ascii=False) + "\n"


def _sums(findings: Sequence[Finding]) -> str:
    counts = _counts(findings)
    parts = [f"{counts[mark]} {one if counts[mark] == 1 else many}" for mark, one, many in _SUMS]
    if counts[Mark.SKIPPED]:
        parts.append(f"{counts[Mark.SKIPPED]} not checked")
    return ", ".join(parts) + "."


def _counts(findings: Sequence[Finding]) -> Counter[Mark]:
    return Counter(finding.mark for finding in findings)


def _plain(text: str) -> str:
    """Replace unprintable characters, because a server could send escape codes that control the terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)
