"""Lists the test suites, finds their modules, and selects what a command line names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

#: The directory below which the unit tests lie, each package of the sources with a directory of its own.
UNIT_PLACE = Path("tests", "unit")

#: The directory below which each suite but the unit tests has a directory of its own.
SUITE_PLACE = Path("tests", "suites")


@dataclass(frozen=True)
class Suite:
    """A group of test modules that one command runs.

    Attributes:
        name: the name on the command line, and of the directory.
        limit: seconds after which a process of the suite is killed with all that it started.
        reactor: the Twisted reactor that the tests need.
        verbose: whether a line is printed for each test instead of a letter.
        parts: processes for each lane among which the modules are divided.
        measuring: modules that compare times with bounds. They run in a process of their own after everything else, and
            nothing runs beside them.
        soaks: modules that repeat the same lines in many thousands of steps. They run in a separate process without
            coverage, which would triple their time; the other modules alone have to reach the coverage floors.

    """

    name: str
    limit: float
    reactor: str = "default"
    verbose: bool = False
    parts: int = 0
    measuring: tuple[str, ...] = ()
    soaks: tuple[str, ...] = ()


#: The suites in their order in tables. Any other directory of tests becomes a suite with the default settings.
SUITES = (
    Suite("check", limit=300),
    Suite(
        "unit",
        limit=600,
        parts=2,
        soaks=("tests.unit.core.test_model", "tests.unit.clients.signaling.test_verification_attack"),
    ),
    Suite("peer", limit=300, parts=1, reactor="asyncio"),
    Suite("conformance", limit=1200),
    Suite("packaging", limit=600, verbose=True),
    # The bystander's waits are judged by processor time, which does not depend on what runs beside them.
    Suite("attacks", limit=1200, verbose=True, measuring=("tests.suites.attacks.test_slow",)),
    Suite(
        "faults",
        limit=900,
        verbose=True,
        measuring=tuple(f"tests.suites.faults.{name}" for name in ("test_log", "test_peers", "test_stall")),
    ),
    Suite(
        "e2e",
        limit=3000,
        verbose=True,
        parts=2,
        measuring=tuple(
            f"tests.suites.e2e.{name}" for name in ("test_control_delay", "test_crash_of_a_tab", "test_crash_of_six")
        ),
    ),
)

#: Seconds that a process of a suite without an entry above may take.
DEFAULT_LIMIT = 300.0


@dataclass(frozen=True)
class Selection:
    """The tests of one suite that a run consists of.

    Attributes:
        suite: the suite.
        names: dotted names of modules, classes or tests.
        whole: whether these are all modules of the suite.

    """

    suite: Suite
    names: tuple[str, ...]
    whole: bool


def dotted_name(root: Path, path: Path) -> str:
    """Return the name by which a module below `root` is imported."""
    return ".".join(path.relative_to(root).with_suffix("").parts)


def modules_of(root: Path, suite: str) -> list[str]:
    """Return the dotted names of a suite's test modules."""
    if suite == "unit":
        found = list((root / UNIT_PLACE).rglob("test_*.py"))
    else:
        found = list((root / SUITE_PLACE / suite).rglob("test_*.py"))
    return [dotted_name(root, path) for path in sorted(found)]


def all_suites(root: Path) -> list[Suite]:
    """Return the known suites and one for each further directory of tests, so that no test module is left out."""
    names = {directory.name for directory in (root / SUITE_PLACE).glob("*/") if any(directory.rglob("test_*.py"))}
    known = {suite.name for suite in SUITES}
    return [*SUITES, *(Suite(name, limit=DEFAULT_LIMIT) for name in sorted(names - known))]


def suite_of(name: str) -> str:
    """Return the suite to which a dotted name belongs."""
    parts = name.split(".")
    return parts[2] if len(parts) > 2 and parts[1] == "suites" else "unit"


def selected(root: Path, names: Sequence[str]) -> list[Selection]:
    """Return the suites to run, each with the names of its tests.

    Raises:
        SystemExit: a name is neither a suite nor in one.

    """
    suites = {suite.name: suite for suite in all_suites(root)}
    chosen: dict[str, list[str]] = {}
    whole: set[str] = set()
    for name in names or suites:
        if name in suites:
            whole.add(name)
            chosen.setdefault(name, []).extend(modules_of(root, name))
        elif name.startswith("tests.") and suite_of(name) in suites:
            chosen.setdefault(suite_of(name), []).append(name)
        else:
            raise SystemExit(f"run.py: there is no suite or test named {name}.")
    return [
        Selection(suite, tuple(dict.fromkeys(chosen[suite.name])), suite.name in whole)
        for suite in suites.values()
        if suite.name in chosen
    ]
