"""Runs the test suites, each in a process of its own, and prints `N passed, N failed` as the last line.

    run.py                            every suite
    run.py unit e2e                   these suites
    run.py tests.unit.core.test_hub   these modules, classes or tests, each in its suite

With SIGNALD_REQUIRE_ALL=1 in the environment a test that is skipped and a suite that cannot run count as failed.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent

#: The variable under which nothing may be skipped.
STRICT = "SIGNALD_REQUIRE_ALL"

#: Seconds between the polite signal and the one that cannot be caught.
GRACE = 2.0

#: prctl(2): orphaned descendants become children of this process.
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Suite:
    """What runs in one process.

    Attributes:
        name: how it is called on the command line; also its directory in `tests`, but for `unit` and `check`.
        limit: seconds, after which its whole process group is killed.
        reactor: the Twisted reactor that it needs.
        verbose: a line for each test; otherwise a dot.

    """

    name: str
    limit: float
    reactor: str = "default"
    verbose: bool = False


#: In the order in which they run. Any other directory of tests becomes a suite with the default settings.
SUITES = (
    Suite("check", limit=300),
    Suite("unit", limit=600),
    Suite("peer", limit=300, reactor="asyncio"),
    Suite("conformance", limit=1200),
    Suite("packaging", limit=600, verbose=True),
    Suite("attacks", limit=1200, verbose=True),
    Suite("faults", limit=900, verbose=True),
    Suite("e2e", limit=3000, verbose=True),
)
DEFAULT_LIMIT = 300.0


@dataclass
class Tally:
    """What came of one suite.

    Attributes:
        passed: how many tests passed.
        failed: what failed: a test's name, or a sentence about the suite itself.
        skipped: what did not run, each with its reason.
        seconds: how long it took.

    """

    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    seconds: float = 0.0


def say(text: str = "") -> None:
    """Write a line at once, so that it keeps its place among the lines of the suites' processes."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def modules_of(root: Path, suite: str) -> list[str]:
    """Return the dotted names of a suite's test modules."""
    tests = root / "tests"
    folder = tests / "unit" if suite == "unit" else tests / "suites" / suite
    found = [*folder.rglob("test_*.py"), *(tests.glob("test_*.py") if suite == "unit" else ())]
    return [".".join(path.relative_to(root).with_suffix("").parts) for path in sorted(found)]


def all_suites(root: Path) -> list[Suite]:
    """Return the known suites and one for each further directory of tests, so that no test module is left out."""
    known = {suite.name for suite in SUITES}
    suites = root / "tests" / "suites"
    others = {path.relative_to(suites).parts[0] for path in suites.glob("*/**/test_*.py")}
    return [*SUITES, *(Suite(name, limit=DEFAULT_LIMIT) for name in sorted(others - known))]


def selected(root: Path, names: Sequence[str]) -> list[tuple[Suite, list[str]]]:
    """Return which suites to run, each with the names of its tests.

    Raises:
        SystemExit: a name is neither a suite nor in one.

    """
    suites = {suite.name: suite for suite in all_suites(root)}
    chosen: dict[str, list[str]] = {}
    for name in names or suites:
        if name in suites:
            chosen.setdefault(name, []).extend(modules_of(root, name))
            continue
        parts = name.split(".")
        suite = parts[2] if len(parts) > 2 and parts[1] == "suites" else "unit"
        if parts[0] != "tests" or suite not in suites:
            raise SystemExit(f"run.py: there is no suite or test named {name}.")
        chosen.setdefault(suite, []).append(name)
    return [(suite, chosen[suite.name]) for suite in suites.values() if suite.name in chosen]


def adopt_orphans() -> None:
    """Make this process the parent of whatever a suite leaves behind, where the system can (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants() -> dict[int, str]:
    """Return the process ids below this process, each with its command line; nothing where there is no /proc."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The command, in parentheses, may hold spaces and parentheses itself.
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[int(stat.parent.name)] = int(parent)
    found: dict[int, str] = {}
    generation = {os.getpid()}
    while generation := {child for child, parent in parents.items() if parent in generation}:
        for process in generation:
            with contextlib.suppress(OSError):
                command = Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ")
                found[process] = command.decode(errors="replace").strip()
    return found


def leftovers() -> list[str]:
    """End, by process id, what a suite has left running after a grace, and return the command lines."""
    rest = descendants()
    if rest:
        wait_for_end(list(rest))
        rest = descendants()
    for process in rest:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    wait_for_end(list(rest))
    return [f"left a process running: {command}" for command in rest.values()]


def wait_for_end(processes: Sequence[int]) -> None:
    """Give adopted processes a grace to end, and collect their statuses."""
    deadline = time.monotonic() + GRACE
    while True:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not any(Path(f"/proc/{process}").exists() for process in processes) or time.monotonic() > deadline:
            return
        time.sleep(0.02)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill the process group that `process` leads, politely at first; before that it may show where it is."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGABRT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)


def run_command(command: Sequence[str], root: Path, limit: float) -> str | None:
    """Run a command in `root` for at most `limit` seconds, and return what is wrong with how it ended."""
    # STRICT is said to this program; a daemon that a test makes in its own process would take it for a setting.
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", STRICT)}
    # The scripts of the virtual environment that runs this, `signald` among them, are found first.
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", os.defpath)])
    process = subprocess.Popen(command, cwd=root, env=environment, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        status = process.wait(limit)
    except subprocess.TimeoutExpired:
        end_group(process)
        return f"did not end within {limit:g} s"
    except KeyboardInterrupt:
        end_group(process)
        raise
    return f"ended with status {status}" if status else None


def read_record(path: Path) -> tuple[dict[str, tuple[str, str]], bool]:
    """Return the outcome and reason of each test in a record, and whether the suite came to its end.

    A test may have several outcomes: a success and then an error while its class is cleaned up. The worst counts.
    """
    worst = {"passed": 0, "skipped": 1, "failed": 2}
    outcomes: dict[str, tuple[str, str]] = {}
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
        if known is None or worst[entry["outcome"]] > worst[known[0]]:
            outcomes[entry["test"]] = (entry["outcome"], entry["reason"])
    return outcomes, finished


def run_trial(suite: Suite, names: Sequence[str], root: Path, limit: float, coverage: bool) -> Tally:
    """Run test modules under trial."""
    tally = Tally()
    if not names:
        tally.skipped.append(f"{suite.name}: cannot run: there are no test modules")
        return tally
    with tempfile.TemporaryDirectory(prefix="signald-tests-") as directory:
        record = Path(directory, "record")
        measured = ["-m", "coverage", "run", "--parallel-mode"] if coverage else []
        # -P: neither the working directory nor this one is searched for modules, so what is installed is tested.
        command = [sys.executable, "-P", *measured, str(HERE / "trial_suite.py")]
        command += ["--root", str(root), "--record", str(record), "--reactor", suite.reactor]
        command += ["--directory", str(root / f"_trial_temp_{suite.name}")]
        command += ["--verbose"] if suite.verbose else []
        fault = run_command([*command, *names], root, limit)
        outcomes, finished = read_record(record)
    for test, (outcome, reason) in outcomes.items():
        match outcome:
            case "passed":
                tally.passed += 1
            case "skipped":
                tally.skipped.append(f"{test}: {reason}")
            case _:
                tally.failed.append(test)
    if fault is not None or not finished:
        tally.failed.append(f"{suite.name}: {fault or 'ended before its last test'}")
    elif not outcomes:
        tally.skipped.append(f"{suite.name}: cannot run: there are no tests in its modules")
    return tally


def checked(root: Path) -> list[str]:
    """Return the directories of the checkout that hold Python."""
    names = ("signald", "clients", "web", "twisted", "tests", "codegen", "examples", "benchmarks", "requirements")
    return [name for name in names if (root / name).is_dir()]


def typed(root: Path) -> list[str]:
    """Return what the type checker looks at: the packages under the names that they are installed by, and scripts."""
    links = root / ".checks"
    links.mkdir(exist_ok=True)
    paths = ["signald", "tests", "codegen", "benchmarks"]
    for name, source in (("signald_client", "clients"), ("signald_page", "web")):
        link = links / name
        if not link.is_symlink():
            link.symlink_to(Path("..", source))
        paths.append(str(link.relative_to(root)))
    for pattern in ("twisted/plugins/*.py", "requirements/*.py"):
        paths += [str(path.relative_to(root)) for path in sorted(root.glob(pattern))]
    return [path for path in paths if (root / path).exists()]


def run_checks(root: Path, limit: float) -> Tally:
    """Run the linter, the formatter and the type checker; each counts as a test."""
    tally = Tally()
    deadline = time.monotonic() + limit
    commands = {
        "ruff check": ["ruff", "check", "--quiet", *checked(root)],
        "ruff format": ["ruff", "format", "--check", "--quiet", *checked(root)],
        "mypy": ["mypy", *typed(root)],
    }
    for name, command in commands.items():
        program = Path(sys.executable).parent / command[0]
        if not program.exists():
            tally.skipped.append(f"check: {name}: cannot run: {command[0]} is not installed")
            continue
        fault = run_command([str(program), *command[1:]], root, max(deadline - time.monotonic(), 1))
        if fault is None:
            tally.passed += 1
        else:
            tally.failed.append(f"check: {name} {fault}")
    return tally


def run_suite(suite: Suite, names: Sequence[str], root: Path, limit: float, coverage: bool) -> Tally:
    """Run a suite and count what came of it."""
    say(f"== {suite.name}")
    started = time.monotonic()
    try:
        checks = suite.name == "check"
        tally = run_checks(root, limit) if checks else run_trial(suite, names, root, limit, coverage)
    except OSError as error:
        tally = Tally(failed=[f"{suite.name}: {error.strerror}"])
    tally.failed += [f"{suite.name}: {left}" for left in leftovers()]
    tally.seconds = time.monotonic() - started
    sums = f"{summary(tally.passed, len(tally.failed))}, {len(tally.skipped)} skipped"
    say(f"== {suite.name}: {sums}, {tally.seconds:.1f} s")
    say()
    return tally


def summary(passed: int, failed: int) -> str:
    """Return the sums in the form of the last line."""
    return f"{passed} passed, {failed} failed"


def main(arguments: Sequence[str]) -> int:
    """Run what the command line asks for, and return the exit status."""
    parser = argparse.ArgumentParser(description="Runs the test suites.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="a suite, or the dotted name of a test (default: all)")
    parser.add_argument("--root", type=Path, default=HERE.parent, help="the directory that holds `tests`")
    parser.add_argument("--limit", type=float, help="seconds for each suite, in the place of its own limit")
    parser.add_argument("--coverage", action="store_true", help="measure coverage into .coverage.* files")
    options = parser.parse_args(arguments)
    root = options.root.resolve()
    strict = os.environ.get(STRICT) == "1"
    adopt_orphans()

    tallies: list[Tally] = []
    for suite, names in selected(root, options.names):
        try:
            tallies.append(run_suite(suite, names, root, options.limit or suite.limit, options.coverage))
        except KeyboardInterrupt:
            tallies.append(Tally(failed=[f"{suite.name}: interrupted", *leftovers()]))
            break

    passed = sum(tally.passed for tally in tallies)
    failed = [name for tally in tallies for name in tally.failed]
    skipped = [name for tally in tallies for name in tally.skipped]
    for name in skipped:
        say(f"skipped: {name}")
    for name in failed:
        say(f"failed: {name}")
    count = len(failed) + (len(skipped) if strict else 0)
    say(summary(passed, count))
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
