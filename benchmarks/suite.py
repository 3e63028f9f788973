"""The benchmark suite: signald beside other servers, in the same work and the same run.

`python -m benchmarks.suite [--quick] [--only PATTERN] [--rounds N] [--keep] [--strict]` prints a table of each work
as it is measured, and then the goals, each met or not. With `--strict` the exit status is 1 if one is not.
Everything is written to `bench-report/suite.json`, which `python -m benchmarks.document` turns into the tables and
charts of docs/benchmarks.md.

The main figure is the CPU of the server, user and system, for an operation: the clients run in processes of their own.
Servers take turns, round by round, and ratios are those of neighbouring rounds, so that what else the machine does
concerns all of them alike. signald runs with its defaults: log, metrics, journal and pings are on, and no limit is
raised. That needs clients with many source addresses, of which the loopback network has enough.
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field

from benchmarks.capacity import Fact, Growth, measure_growth, measure_idle, measure_start, run_storm
from benchmarks.figures import REPORT
from benchmarks.generator import GeneratorError
from benchmarks.machine import machine, versions
from benchmarks.rounds import Result, Servers, measure
from benchmarks.tables import as_text, error_lines, fact_rows, goal_rows, growth_rows, latency_rows, result_rows
from benchmarks.works import SUBJECTS, WORKS, Work

__all__ = ["main"]

QUICK_ROUNDS = 5
QUICK_PART = 0.5
"""The part of a round's operations in the quick suite."""

IDLE_PEERS = {False: ("signald", "node", "peerjs"), True: ("signald", "node")}
"""The servers that hold silent connections, without and with TLS, where 10,000 handshakes take most of the time."""

GROWTH_PEERS = ("signald", "node")


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


@define
class Suite:
    """A run of the suite.

    Attributes:
        quick: whether only the headline rows are measured, in fewer rounds.
        only: a regular expression for the names of what is measured; empty for all.
        rounds: the rounds of each work; None for its own number.
        results, facts, growth, storm: what was measured.
        absent: why servers were not measured.

    """

    quick: bool = False
    only: str = ""
    rounds: int | None = None
    results: list[Result] = field(init=False, factory=list)
    facts: list[Fact] = field(init=False, factory=list)
    growth: Growth | None = field(init=False, default=None)
    storm: str = field(init=False, default="")
    absent: dict[str, str] = field(init=False, factory=dict)
    _tried: set[str] = field(init=False, factory=set)

    def run(self) -> None:
        """Measure everything."""
        with tempfile.TemporaryDirectory() as directory:
            for tls in (False, True):
                folder = Path(directory, "wss" if tls else "ws")
                folder.mkdir()
                servers = Servers(folder, tls)
                try:
                    for work in WORKS:
                        if work.tls == tls and re.search(self.only, work.name) and (work.quick or not self.quick):
                            self._measure(work, servers)
                finally:
                    servers.stop()
                    self.absent |= servers.absent
        names = [work.name for work in WORKS]
        self.results.sort(key=lambda result: names.index(result.name))
        if not self.quick:
            self._measure_capacity()

    def _measure(self, work: Work, servers: Servers) -> None:
        rounds = self.rounds or (QUICK_ROUNDS if self.quick else work.rounds)
        subjects: Sequence[str] = work.subjects
        if self.quick:
            wanted = {"signald", *(name for goal in work.goals for name in (goal.subject, goal.reference))}
            subjects = [name for name in work.subjects if name in wanted]
            work = work.shortened(QUICK_PART)
        result = measure(work, servers, subjects, rounds)
        self.results.append(result)
        _write("\n" + as_text(result_rows(result)) + "".join(f"{line}\n" for line in error_lines(result)))
        if len(rows := latency_rows(result)) > 1:
            _write("\n" + as_text(rows))

    def _measure_capacity(self) -> None:
        self._try("idle ws", lambda: self._add(*measure_idle(IDLE_PEERS[False], tls=False)))
        self._try("idle wss", lambda: self._add(*measure_idle(IDLE_PEERS[True], tls=True)))
        self._try("growth", self._measure_growth)
        self._try("start", lambda: self._add(*measure_start(("signald", "node", "peerjs", "go", "picows"))))
        self._try("resume storm", self._run_storm)

    def _try(self, name: str, step: Callable[[], None]) -> None:
        if re.search(self.only, name):
            self._tried.add(name)
            try:
                step()
            except (GeneratorError, subprocess.SubprocessError) as error:
                self.absent[name] = str(error)
                _write(f"\n{name}: failed: {error}\n")

    def _add(self, *facts: Fact) -> None:
        self.facts += facts
        _write("\n" + as_text(fact_rows(facts)))

    def _measure_growth(self) -> None:
        self.growth = measure_growth(GROWTH_PEERS)
        _write("\n" + as_text(growth_rows(self.growth)) + "".join(f"{line}\n" for line in error_lines(self.growth)))

    def _run_storm(self) -> None:
        self.storm = run_storm()
        _write(f"\nresume storm\n{self.storm}")

    def keep(self, report: Mapping[str, Any]) -> None:
        """Add what an earlier report has and this run has not measured, so that a long run can be made in parts."""
        names = [work.name for work in WORKS]
        wanted = {*names} - {result.name for result in self.results}
        self.results += [Result.from_json(body) for body in report["results"] if body["name"] in wanted]
        self.results.sort(key=lambda result: names.index(result.name))
        known = {fact.name for fact in self.facts}
        self.facts += [Fact(**body) for body in report["facts"] if body["name"] not in known]
        if self.growth is None and report["growth"]:
            self.growth = Growth(**report["growth"])
        self.storm = self.storm or report["storm"]
        present = self._tried | {name for result in self.results for name in result.values}
        self.absent = {name: why for name, why in report["absent"].items() if name not in present} | self.absent

    def as_json(self) -> dict[str, Any]:
        """Return everything that was measured."""
        return {
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "quick": self.quick,
            "machine": machine(),
            "versions": versions(),
            "absent": self.absent,
            "results": [result.as_json() for result in self.results],
            "facts": [fact.as_json() for fact in self.facts],
            "growth": None if self.growth is None else self.growth.as_json(),
            "storm": self.storm,
        }


def main(arguments: Sequence[str]) -> int:
    """Run the suite, print the goals, and write the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="only the headline rows, in fewer rounds")
    parser.add_argument("--only", default="", help="a pattern of works' names, such as 'forward ws' or 'idle ws$'")
    parser.add_argument("--rounds", type=int, help="rounds of each work")
    parser.add_argument("--keep", action="store_true", help="keep what the report has of other works")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a goal is not met")
    options = parser.parse_args(arguments)
    # Whoever ends the suite ends the servers and the load generators that it has started.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    suite = Suite(options.quick, options.only, options.rounds)
    began = time.monotonic()
    try:
        suite.run()
    finally:
        # Whatever ends the suite, what it has measured is reported.
        rows = _report(suite, keep=options.keep)
        _write(f"{(time.monotonic() - began) / 60:.1f} minutes\n")
    return 1 if options.strict and any(row[-1] == "not met" for row in rows) else 0


def _report(suite: Suite, *, keep: bool) -> list[list[str]]:
    """Write the report, and print and return the goals."""
    report = REPORT / "suite.json"
    if keep and report.is_file():
        suite.keep(json.loads(report.read_text()))
    rows = goal_rows(suite.results, suite.facts, suite.growth)
    _write("\n" + as_text(rows))
    for name, reason in suite.absent.items():
        _write(f"{SUBJECTS[name].name if name in SUBJECTS else name}: absent, {reason}\n")
    REPORT.mkdir(exist_ok=True)
    report.write_text(json.dumps(suite.as_json(), indent=1, ensure_ascii=False) + "\n")
    return rows


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
