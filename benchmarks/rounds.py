"""Has several servers do the same work in turn, and computes costs and ratios."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import asdict, define, field, frozen

from benchmarks.generator import Generator, GeneratorError
from benchmarks.peers.servers import PEERS, Running, Signald, start_peer
from benchmarks.peers.toolchains import AbsentError
from benchmarks.progress import progress
from benchmarks.works import SUBJECTS, Goal, Work

__all__ = ["Result", "Servers", "goal_name", "measure", "median", "ratios"]

SETTLE_SECONDS = 0.05
"""Time for the server to finish what a round began, such as closing connections."""

SCALES = {"µs": 1e6, "ms": 1e3}
"""Units of the CPU for an operation, in parts of a second."""


@define
class Servers:
    """The servers of one scheme, which run until the suite ends.

    Attributes:
        directory: the directory of their logs and data.
        tls: whether they speak TLS.
        absent: why servers are not there, by their names.

    """

    directory: Path
    tls: bool
    absent: dict[str, str] = field(init=False, factory=dict)
    _running: dict[str, Running] = field(init=False, factory=dict)

    def find(self, name: str) -> Running | None:
        """Return a server, which is started at the first time; None where it cannot run."""
        if name not in self._running and name not in self.absent:
            try:
                self._running[name] = self._start(name)
            except AbsentError as error:
                self.absent[name] = str(error)
        return self._running.get(name)

    def _start(self, name: str) -> Running:
        if name == "signald":
            return Signald(self.directory, tls=self.tls, options=("--peerjs",))
        signald = self.find("signald")
        return start_peer(name, self.directory, signald.certificate if isinstance(signald, Signald) else ())

    def url(self, server: Running) -> str:
        """Return a server's URL without a path."""
        return f"{'wss' if self.tls else 'ws'}://127.0.0.1:{server.port}"

    def stop(self) -> None:
        """End all servers."""
        for server in self._running.values():
            server.stop()


@frozen
class Result:
    """What was measured of a work.

    Attributes:
        name: the name of the work.
        unit: the unit of `cost`.
        values: by subject and metric, the value of each round: `cost`, the CPU of the server for an operation; `rate`,
            operations per second; percentiles of the latency in milliseconds.
        errors: by subject, why it could not do the work.
        goals: the goals of the work.

    """

    name: str
    unit: str
    values: Mapping[str, Mapping[str, Sequence[float]]]
    errors: Mapping[str, str]
    goals: Sequence[Goal]

    def as_json(self) -> dict[str, Any]:
        """Return the result as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Result:
        """Return the result that `as_json` has described."""
        return cls(**{**body, "goals": tuple(Goal(**goal) for goal in body["goals"])})


def ratios(result: Result, goal: Goal) -> list[float]:
    """Return the ratio of a goal in each round, or its value; none where it was not measured."""
    one, other = (list(result.values.get(name, {}).get(goal.metric, ())) for name in (goal.subject, goal.reference))
    return [a / b for a, b in zip(one, other, strict=False)] if goal.reference else one


def goal_name(result: Result, goal: Goal) -> str:
    """Return what a goal is about."""
    unit = "" if goal.reference else " in ms"
    metric = "" if goal.metric == "cost" else f", {goal.metric}{unit}"
    reference = f" / {SUBJECTS[goal.reference].name}" if goal.reference else ""
    return f"{result.name}{metric}: {SUBJECTS[goal.subject].name}{reference}"


def measure(work: Work, servers: Servers, subjects: Sequence[str], rounds: int) -> Result:
    """Measure a work in rounds, in which each subject has its turn; every second round goes the other way.

    Arguments:
        work: the work.
        servers: the servers of its scheme.
        subjects: those of its subjects that are measured.
        rounds: how many rounds.

    """
    generators: dict[str, Generator] = {}
    values: dict[str, dict[str, list[float]]] = {}
    errors: dict[str, str] = {}
    try:
        for name in subjects:
            progress(f"{work.name}: {SUBJECTS[name].name} warms up", 0, rounds)
            try:
                if (generator := _start(work, servers, name)) is not None:
                    generators[name] = generator
                    generator.run(work.warming)
                    generator.settle()
            except GeneratorError as error:
                errors[name] = str(error)
        for number in range(rounds):
            progress(work.name, number, rounds)
            for name in list(generators)[:: -1 if number % 2 else 1]:
                if name not in errors:
                    try:
                        _add_round(values.setdefault(name, {}), work, servers, generators[name], name)
                    except GeneratorError as error:
                        errors[name] = str(error)
    finally:
        for generator in generators.values():
            generator.stop()
    progress(work.name, rounds, rounds)
    return Result(work.name, work.unit, values, errors, work.goals)


def _start(work: Work, servers: Servers, name: str) -> Generator | None:
    subject = SUBJECTS[name]
    server = servers.find(subject.server)
    if server is None:
        return None
    wire = subject.wire or ("native" if subject.server == "signald" else PEERS[subject.server].wire)
    return Generator(
        servers.url(server), wire, work.workload, work.options, resumable=subject.resumable, batched=work.batched
    )


def _add_round(values: dict[str, list[float]], work: Work, servers: Servers, generator: Generator, name: str) -> None:
    server = servers.find(SUBJECTS[name].server)
    if server is None:
        return
    before = server.cpu()
    measured = generator.run(work.operations)
    time.sleep(SETTLE_SECONDS)
    operations, seconds = measured.pop("operations"), measured.pop("seconds")
    measured["cost"] = SCALES[work.unit] * (server.cpu() - before) / operations
    measured["rate"] = operations / seconds
    generator.settle()
    time.sleep(SETTLE_SECONDS)
    for metric, value in measured.items():
        values.setdefault(metric, []).append(value)


def median(values: Sequence[float]) -> float:
    """Return the median; NaN where nothing was measured."""
    return statistics.median(values) if values else float("nan")
