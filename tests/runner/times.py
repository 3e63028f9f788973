"""Keeps the seconds that each test module took, and divides modules into groups that take equally long."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

#: The file of seconds by module, below the directory that holds `tests`.
FILE = "tests/runner/seconds.json"

#: Seconds that every module is taken to cost where none has a record.
GUESS = 1.0


def read_times(root: Path, file: str = FILE) -> dict[str, float]:
    """Return the seconds by module that a file below the root has."""
    path = root / file
    return dict(json.loads(path.read_text())) if path.exists() else {}


def write_times(root: Path, times: Mapping[str, float], file: str = FILE) -> None:
    """Record seconds by module in a file below the root."""
    text = json.dumps({name: round(times[name], 2) for name in sorted(times)}, indent=1)
    (root / file).write_text(text + "\n")


def module_key(name: str) -> str:
    """Return the name under which a test's module has its seconds: from its suite to the module's own name.

    The key does not depend on the directory that holds the suites.
    """
    parts = [part for part in name.split(".")[1:] if part != "suites"]
    module = next((place for place, part in enumerate(parts) if part.startswith("test_")), len(parts) - 1)
    key = parts[: module + 1]
    return ".".join(key if len(key) > 1 else ["unit", *key])


def by_module(tests: Mapping[str, float]) -> dict[str, float]:
    """Add up the seconds of tests by module."""
    times: dict[str, float] = {}
    for test, seconds in tests.items():
        key = module_key(test)
        times[key] = times.get(key, 0.0) + seconds
    return times


def estimate(modules: Sequence[str], times: Mapping[str, float]) -> dict[str, float]:
    """Return the seconds of each module; one without a record counts as the median of the others."""
    known = [times[key] for key in map(module_key, modules) if key in times]
    usual = median(known) if known else GUESS
    return {module: times.get(module_key(module), usual) for module in modules}


def divide(modules: Sequence[str], number: int, times: Mapping[str, float]) -> list[list[str]]:
    """Divide modules into at most `number` groups of nearly equal seconds, each in the order of `modules`."""
    seconds = estimate(modules, times)
    groups: list[list[str]] = [[] for _ in range(max(1, min(number, len(modules))))]
    sums = [0.0] * len(groups)
    # The longest first, each to the group that has the least: no group is longer than 4/3 of the best possible.
    for module in sorted(modules, key=lambda name: (-seconds[name], name)):
        least = sums.index(min(sums))
        groups[least].append(module)
        sums[least] += seconds[module]
    return [sorted(group, key=modules.index) for group in groups]
