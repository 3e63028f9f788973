"""Compares what the clients answer with what the scripts state."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["find_differences", "normal_form"]

DIGITS = 9
"""Decimal places to which numbers are compared."""


def normal_form(value: Any) -> Any:
    """Return a value without what a client may leave out: keys whose value is null, false or an empty list."""
    if isinstance(value, dict):
        kept = {key: normal_form(each) for key, each in value.items()}
        return {key: each for key, each in kept.items() if each is not None and each is not False and each != []}
    if isinstance(value, list):
        return [normal_form(each) for each in value]
    return round(value, DIGITS) if isinstance(value, float) else value


def find_differences(scripts: dict[str, Any], played: Sequence[Sequence[Any]]) -> Iterable[str]:
    """Yield a sentence for each step whose results are not those that its script states."""
    for (name, script), steps in zip(scripts.items(), played, strict=True):
        for number, (step, results) in enumerate(zip(script["steps"], steps, strict=True), 1):
            stated, found = normal_form(step["then"]), normal_form(results)
            if stated != found:
                yield f"{name}, step {number} ({step['do']}): expected {stated}, got {found}"
