"""Compares the coverage of each package with the floor that is recorded for it.

A package is a directory of sources. What is measured is lines and branches together, in percent, in the unit and the
peer suite. A floor is only ever raised: `run.py --record-floors unit peer`. `python -m tests.runner.coverage_floors`
compares the floors with the data of the last such run.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.runner.imports import read_graph
from tests.runner.printing import say
from tests.runner.tally import Tally

#: The suites in which coverage is measured.
SUITES = ("unit", "peer")

#: The file of floors by package, below the directory that holds `tests`.
FILE = "tests/runner/coverage_floors.json"

#: The directory of the processes' data, below the root.
DATA = ".checks/coverage"

#: The file that coverage.py combines the processes' data into, below the root.
COMBINED = ".coverage"

#: The packages that no floor but 100 % is good enough for: they are pure, so that every branch can be tested.
COMPLETE = ("signald/core", "signald/dialects")

#: The floor of these, in percent.
FULL = 100.0

#: The least floor of every other package, in percent.
LEAST = 95.0

#: The module through which the page's browser edge reaches JavaScript. It exists in MicroPython on WebAssembly alone,
#: so that CPython can import nothing that imports it. The end-to-end tests run these files in real browsers.
BROWSER = "jsffi"

#: The directories whose coverage is measured.
MEASURED = ("signald", "clients", "web")

#: How much less than its floor a package may have, in percent: which branch a callback of the reactor takes differs.
TOLERANCE = 0.05


@dataclass
class Package:
    """The coverage of one directory.

    Attributes:
        covered: lines and branches that ran.
        total: lines and branches.
        missing: what did not run, by file.

    """

    covered: int = 0
    total: int = 0
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def percent(self) -> float:
        """The covered part in percent."""
        return FULL * self.covered / self.total


def is_recorded(root: Path) -> bool:
    """Return whether this tree has floors."""
    return (root / FILE).exists()


def clear(root: Path) -> None:
    """Remove the data of an earlier run, which would be compared with the floors while this one goes on."""
    (root / COMBINED).unlink(missing_ok=True)
    shutil.rmtree(root / DATA, ignore_errors=True)
    (root / DATA).mkdir(parents=True)


def packages(report: Mapping[str, Any]) -> dict[str, Package]:
    """Sum up the JSON report of coverage.py by directory; one without any lines or branches is left out."""
    found: dict[str, Package] = {}
    for file, entry in sorted(report["files"].items()):
        package = found.setdefault(str(Path(file).parent), Package())
        sums = entry["summary"]
        package.covered += sums["covered_lines"] + sums["covered_branches"]
        package.total += sums["num_statements"] + sums["num_branches"]
        lines = [str(line) for line in entry["missing_lines"]]
        branches = [f"{start}->{end if end > 0 else 'exit'}" for start, end in entry["missing_branches"]]
        if lines or branches:
            package.missing[file] = ", ".join([*lines, *branches])
    return {name: package for name, package in found.items() if package.total}


def floor_of(name: str, recorded: Mapping[str, float]) -> float:
    """Return the percentage that a package has to have."""
    if any(name == complete or name.startswith(complete + "/") for complete in COMPLETE):
        return FULL
    return max(LEAST, recorded.get(name, LEAST))


def judge(found: Mapping[str, Package], recorded: Mapping[str, float]) -> dict[str, str]:
    """Return a sentence for each package that is below its floor, or has a floor and was not measured."""
    fault = "it has a floor and was not measured; --record-floors removes the floor of a package that is gone"
    faults = dict.fromkeys(recorded.keys() - found.keys(), fault)
    for name, package in found.items():
        floor = floor_of(name, recorded)
        if package.percent < (floor if floor == FULL else floor - TOLERANCE):
            faults[name] = f"{package.percent:.2f} % is covered, and its floor is {floor:.2f} %"
    return faults


def raised(found: Mapping[str, Package], recorded: Mapping[str, float]) -> dict[str, float]:
    """Return the floors of the packages that exist, each raised to what was measured."""
    return {name: max(round(package.percent, 2), recorded.get(name, 0.0)) for name, package in sorted(found.items())}


def unmeasured(root: Path) -> list[str]:
    """Return the files that CPython cannot import."""
    graph = read_graph(root)
    files = {graph.files[module] for module in graph.dependents_of(BROWSER)}
    return sorted(str(file) for file in files if file.parts[0] != "tests")


def coverage_of(root: Path) -> dict[str, Package]:
    """Return the coverage by package of the combined data.

    Raises:
        subprocess.CalledProcessError: there is no data, or a source that was measured is not in the checkout.

    """
    program = [sys.executable, "-m", "coverage"]
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory, "report")
        omitted = ",".join(unmeasured(root))
        subprocess.run([*program, "json", "--quiet", f"--omit={omitted}", "-o", str(report)], cwd=root, check=True)
        return packages(json.loads(report.read_text()))


def check(root: Path, *, show: bool, record: bool) -> Tally:
    """Compare each package's coverage with its floor, and print it; each package counts as a test.

    Arguments:
        root: the directory of the checkout.
        show: print what did not run of every package, not only of those that are below their floor.
        record: raise the recorded floors to what was measured.

    """
    tally = Tally()
    started = time.monotonic()
    try:
        subprocess.run([sys.executable, "-m", "coverage", "combine", "--quiet", DATA], cwd=root, check=True)
        found = coverage_of(root)
    except subprocess.CalledProcessError as error:
        return Tally(failed=[f"coverage: {error.cmd[3]} ended with status {error.returncode}"])
    recorded = json.loads((root / FILE).read_text())
    if record:
        recorded = raised(found, recorded)
        (root / FILE).write_text(json.dumps(recorded, indent=1) + "\n")
    faults = judge(found, recorded)
    say(f"{'coverage by package':<28}{'lines+branches':>16}{'percent':>9}{'floor':>9}")
    for name, package in found.items():
        say(f"{name:<28}{package.total:>16}{package.percent:>9.2f}{floor_of(name, recorded):>9.2f}")
        for file, missing in package.missing.items() if show or name in faults else ():
            say(f"    {file}: {missing}")
    say(f"Files that CPython cannot import are not measured: {len(unmeasured(root))}.")
    say()
    tally.passed = len(found.keys() - faults.keys())
    tally.failed = [f"coverage: {name}: {fault}" for name, fault in faults.items()]
    tally.seconds = time.monotonic() - started
    return tally


def is_outdated(root: Path) -> bool:
    """Return whether a measured source was changed after the last run, so that its lines are not those that ran."""
    measured_at = (root / COMBINED).stat().st_mtime
    sources = (path for directory in MEASURED for path in (root / directory).rglob("*.py"))
    return any(path.stat().st_mtime > measured_at for path in sources)


def main(root: Path) -> int:
    """Compare the floors with the data of the last run, where there is any, and return the exit status."""
    if not (root / COMBINED).exists():
        say(f"coverage: no data of a run of {' and '.join(SUITES)}")
        return 0
    if is_outdated(root):
        say("coverage: sources have changed since the last run")
        return 0
    try:
        found = coverage_of(root)
    except subprocess.CalledProcessError:
        say("coverage: the data of the last run are not of these sources")
        return 0
    faults = judge(found, json.loads((root / FILE).read_text()))
    for name, fault in faults.items():
        say(f"coverage: {name}: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(Path.cwd()))
