"""Reads the command line of the test runner, and reports what a run summed up to."""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.runner import coverage_floors, quick
from tests.runner.parts import KEPT, STRICT, Part, Setting, make_parts, run_parts
from tests.runner.printing import say
from tests.runner.suites import Selection, selected
from tests.runner.tally import Tally, summary, total
from tests.runner.times import by_module, read_times, write_times

#: The tests whose seconds are listed.
SLOWEST = 10


def read_options(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="run.py", description="Runs the test suites.")
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="a suite, or the dotted name of a test (default: all)")
    add("--root", type=Path, default=Path(__file__).parents[2], help="the directory that holds `tests`")
    add("--limit", type=float, help="seconds for each process, in the place of its suite's limit")
    add("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time (default: one for each core)")
    add("--coverage", action="store_true", help="print each line of the unit and peer suites' code that no test runs")
    add("--record-times", action="store_true", help="record the seconds by module, by which suites are divided")
    add("--record-floors", action="store_true", help="raise the recorded coverage by package to what was measured")
    add("--quick", action="store_true", help="lint and test, in the checkout, what changed since this passed last")
    return parser.parse_args(arguments)


def by_suite(tallies: Mapping[Part, Tally]) -> dict[str, Tally]:
    """Add up the parts of each suite."""
    names = dict.fromkeys(part.suite.name for part in tallies)
    return {name: total(tally for part, tally in tallies.items() if part.suite.name == name) for name in names}


def print_table(suites: Mapping[str, Tally], seconds: float, lanes: int) -> None:
    """Print tests, seconds and processor time by suite, and the slowest tests."""
    row = "{:<14}{:>7}{:>10}{:>10}"
    say(row.format("suite", "tests", "seconds", "CPU"))
    for name, tally in suites.items():
        tests = tally.passed + len(tally.failed) + len(tally.skipped)
        say(row.format(name, tests, f"{tally.seconds:.1f}", f"{tally.cpu:.1f}"))
    everything = total(suites.values())
    tests = everything.passed + len(everything.failed) + len(everything.skipped)
    say(row.format("all", tests, f"{seconds:.1f}", f"{everything.cpu:.1f}") + f"  (lanes: {lanes})")
    say()
    for test, took in sorted(everything.tests.items(), key=lambda item: -item[1])[:SLOWEST]:
        say(f"{took:8.1f} s  {test}")
    say()


def measured(selections: Sequence[Selection], root: Path) -> frozenset[str]:
    """Return the suites whose coverage is measured: both or none, since floors are about the two together."""
    whole = {selection.suite.name for selection in selections if selection.whole and selection.names}
    wanted = frozenset(coverage_floors.SUITES)
    return wanted if wanted <= whole and coverage_floors.is_recorded(root) else frozenset()


def run_suites(options: argparse.Namespace, scratch: Path) -> Tally:
    """Run what the command line names, print the table, and return the sum."""
    root, lanes = options.root, max(1, options.jobs)
    selections = selected(root, options.names)
    times = read_times(root)
    parts = make_parts(selections, lanes, times)
    stream = lanes == 1 or len(parts) == 1
    covered = measured(selections, root)
    if covered:
        coverage_floors.clear(root)
    setting = Setting(root, scratch, options.limit, covered, stream=stream)
    started = time.monotonic()
    tallies, interrupted = run_parts(parts, lanes, setting)
    suites = by_suite(tallies)
    if covered and not interrupted:
        suites["coverage"] = coverage_floors.check(root, show=options.coverage, record=options.record_floors)
    if any(selection.whole for selection in selections):
        order = [selection.suite.name for selection in selections]
        print_table(
            {name: suites[name] for name in [*order, "coverage"] if name in suites}, time.monotonic() - started, lanes
        )
    all_unit = any(selection.suite.name == "unit" and selection.whole for selection in selections)
    if all_unit and not interrupted and not suites["unit"].failed:
        quick.clear_pending(root)
    everything = total(suites.values())
    if options.record_times:
        write_times(root, times | by_module(everything.tests))
    return everything


def main(arguments: Sequence[str]) -> int:
    """Run what the command line asks for, and return the exit status."""
    options = read_options(arguments)
    options.root = options.root.resolve()
    # Whoever ends this process wants the suites to end with it. A shell without job control starts background jobs with
    # SIGINT ignored, which the programs under test would inherit.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="signald-tests-") as scratch:
        (options.root / KEPT).mkdir(exist_ok=True)
        tally = (
            quick.run(options.root, Path(scratch), options.jobs)
            if options.quick
            else run_suites(options, Path(scratch))
        )
    for name in tally.skipped:
        say(f"skipped: {name}")
    for name in tally.failed:
        say(f"failed: {name}")
    count = len(tally.failed) + (len(tally.skipped) if os.environ.get(STRICT) == "1" else 0)
    say(summary(tally.passed, count))
    return 1 if count else 0
