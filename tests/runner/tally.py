"""Counts the outcomes that a suite's process has recorded."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

#: The order of outcomes of one test, which may have several: a success, and an error while its class is cleaned up.
WORSE = {"passed": 0, "skipped": 1, "failed": 2}


@dataclass
class Tally:
    """The outcome of a suite or of a part of it.

    Attributes:
        passed: the number of tests that passed.
        failed: the names of tests that failed, and sentences about the suite itself.
        skipped: the names of tests that did not run, each with its reason.
        seconds: wall time; of several parts, the sum.
        cpu: seconds of processor time of all processes.
        tests: the seconds that each test took.

    """

    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    seconds: float = 0.0
    cpu: float = 0.0
    tests: dict[str, float] = field(default_factory=dict)

    @property
    def sums(self) -> str:
        """The numbers in the form of a suite's last line."""
        return f"{summary(self.passed, len(self.failed))}, {len(self.skipped)} skipped"


def summary(passed: int, failed: int) -> str:
    """Return the sums in the form of the last line."""
    return f"{passed} passed, {failed} failed"


def total(tallies: Iterable[Tally]) -> Tally:
    """Add up tallies."""
    result = Tally()
    for tally in tallies:
        result.passed += tally.passed
        result.failed += tally.failed
        result.skipped += tally.skipped
        result.seconds += tally.seconds
        result.cpu += tally.cpu
        result.tests |= tally.tests
    return result


def read_record(path: Path) -> tuple[dict[str, dict[str, object]], bool]:
    """Return the worst outcome of each test in a record, and whether the suite came to its end."""
    outcomes: dict[str, dict[str, object]] = {}
    finished = False
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # The process ended while it wrote this line.
        if entry.get("finished"):
            finished = True
            continue
        known = outcomes.get(entry["test"])
        if known is None or WORSE[entry["outcome"]] > WORSE[str(known["outcome"])]:
            outcomes[entry["test"]] = entry
    return outcomes, finished


def count(name: str, record: Path, fault: str | None) -> Tally:
    """Count what a process has recorded.

    Arguments:
        name: the name of the suite or of its part.
        record: the file of JSON lines.
        fault: what is wrong with how the process ended.

    """
    tally = Tally()
    outcomes, finished = read_record(record)
    for test, entry in outcomes.items():
        tally.tests[test] = float(str(entry["seconds"]))
        match entry["outcome"]:
            case "passed":
                tally.passed += 1
            case "skipped":
                tally.skipped.append(f"{test}: {entry['reason']}")
            case _:
                tally.failed.append(f"{test}: {entry['reason']}" if entry["reason"] else test)
    if fault is not None or not finished:
        tally.failed.append(f"{name}: {fault or 'ended before its last test'}")
    elif not outcomes:
        tally.skipped.append(f"{name}: cannot run: there are no tests in its modules")
    return tally
