"""Measures what a server costs by itself: silent connections, many connections, a start, and a resume storm."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import asdict, field, frozen

from benchmarks.generator import Generator, GeneratorError
from benchmarks.peers.servers import PEERS, Running, Signald, start_peer
from benchmarks.peers.toolchains import ROOT, AbsentError
from benchmarks.progress import progress
from benchmarks.rounds import median

__all__ = ["Fact", "Growth", "measure_growth", "measure_idle", "measure_start", "run_storm"]

IDLE = 10_000
"""Silent connections."""

IDLE_SECONDS = 40.0
"""For which the CPU of silent connections is measured: two periods of signald's pings."""

PEER_IDLE_SECONDS = 10.0
"""The same for servers that send no pings."""

SIZES = (100, 1_000, 5_000, 10_000, 18_000)
"""The numbers of connections among which messages are forwarded; the last one is signald's limit."""

GROWTH_MESSAGES = 5_000
GROWTH_ROUNDS = 3
GROWTH_IDLE_SECONDS = 20.0

STARTS = 5
START_SECONDS = 1.0
"""From the moment when a server listens until its CPU is read, so that what it does right after that counts too."""

STORM_SECONDS = 300.0


@frozen
class Fact:
    """A figure of several servers.

    Attributes:
        name: what was measured.
        unit: its unit.
        values: the values by the names of the servers.
        goal: the greatest median that signald may have; None if there is no goal.
        digits: the printed decimal places.

    """

    name: str
    unit: str
    values: Mapping[str, Sequence[float]]
    goal: float | None = None
    digits: int = 1

    def as_json(self) -> dict[str, Any]:
        """Return the figure as JSON."""
        return asdict(self)

    @property
    def met(self) -> bool | None:
        """Whether signald reaches the goal; None if there is none or nothing was measured."""
        if self.goal is None or not self.values.get("signald"):
            return None
        return median(self.values["signald"]) <= self.goal


@frozen
class Growth:
    """The CPU of a forwarded message by the number of connections.

    Attributes:
        sizes: the numbers of connections.
        costs: by server, the least CPU of a message at each size in µs, without what silence costs.
        idle: by server, the CPU of silence at each size in % of a core.
        errors: by server, why there are no values from a size on.

    """

    sizes: Sequence[int]
    costs: Mapping[str, Sequence[float]]
    idle: Mapping[str, Sequence[float]]
    errors: Mapping[str, str] = field(factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the figures as JSON."""
        return asdict(self)


@contextmanager
def _server(name: str, *, tls: bool) -> Iterator[Running]:
    """Run a server in a directory of its own; a peer has the certificate that signald made for itself."""
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        if name == "signald":
            server: Running = Signald(folder, tls=tls)
        else:
            certificate: tuple[str, ...] = ()
            if tls:
                signald = Signald(folder, tls=True)
                signald.stop()
                certificate = signald.certificate
            server = start_peer(name, folder, certificate)
        try:
            yield server
        finally:
            server.stop()


def _generator(name: str, server: Running, workload: str, *, tls: bool, resumable: bool, **options: Any) -> Generator:
    url = f"{'wss' if tls else 'ws'}://127.0.0.1:{server.port}"
    wire = "native" if name == "signald" else PEERS[name].wire
    return Generator(url, wire, workload, options, resumable=resumable)


def _idle_share(server: Running, seconds: float) -> float:
    """Return the CPU that a server uses while nobody sends anything, in parts of a core."""
    before, began = server.cpu(), time.monotonic()
    time.sleep(seconds)
    return (server.cpu() - before) / (time.monotonic() - began)


def measure_idle(names: Sequence[str], *, tls: bool, count: int = IDLE) -> tuple[Fact, Fact]:
    """Measure memory and CPU of silent connections; those of signald can resume.

    Raises:
        GeneratorError: a server did not hold the connections.

    """
    scheme = "wss" if tls else "ws"
    sizes: dict[str, list[float]] = {}
    shares: dict[str, list[float]] = {}
    for number, name in enumerate(names):
        progress(f"{count} silent connections, {scheme}", number, len(names))
        try:
            with _server(name, tls=tls) as server:
                generator = _generator(name, server, "holding", tls=tls, resumable=True)
                try:
                    generator.run(50)
                    before = server.memory()
                    generator.run(count)
                    time.sleep(START_SECONDS)
                    sizes[name] = [1024 * (server.memory() - before) / count]
                    seconds = IDLE_SECONDS if name == "signald" else PEER_IDLE_SECONDS
                    shares[name] = [100 * _idle_share(server, seconds)]
                    generator.run(1)  # fails if a connection was lost
                finally:
                    generator.stop()
        except AbsentError:
            continue
    progress("", 1, 1)
    return (
        Fact(f"memory of a silent connection, {scheme}", "KiB", sizes, 38 if tls else 12),
        Fact(f"CPU of {count:,} silent connections, {scheme}", "% of a core", shares, 4, 2),
    )


def measure_growth(names: Sequence[str], sizes: Sequence[int] = SIZES) -> Growth:
    """Measure what forwarding a message costs among more and more connections, all of which take turns.

    Clients that cannot resume send the messages: those that can acknowledge the more messages at once, the more often
    each has its turn, which would hide what is measured.
    """
    costs: dict[str, list[float]] = {}
    idle: dict[str, list[float]] = {}
    errors: dict[str, str] = {}
    for name in names:
        try:
            with _server(name, tls=False) as server:
                generator = _generator(name, server, "forward", tls=False, resumable=False, pairs=sizes[0] // 2, turn=1)
                try:
                    for number, size in enumerate(sizes):
                        progress(f"{name}: up to {sizes[-1]} connections", number, len(sizes))
                        generator.grow(size // 2)
                        generator.run(GROWTH_MESSAGES)
                        share = _idle_share(server, GROWTH_IDLE_SECONDS)
                        cost = min(_message_costs(server, generator, share))
                        idle.setdefault(name, []).append(100 * share)
                        costs.setdefault(name, []).append(cost)
                finally:
                    generator.stop()
        except AbsentError:
            continue
        except GeneratorError as error:
            errors[name] = str(error)
    progress("", 1, 1)
    return Growth(sizes, costs, idle, errors)


def _message_costs(server: Running, generator: Generator, idle: float) -> Iterator[float]:
    for _ in range(GROWTH_ROUNDS):
        before = server.cpu()
        measured = generator.run(GROWTH_MESSAGES)
        used = server.cpu() - before - idle * measured["seconds"]
        yield 1e6 * used / measured["operations"]


def measure_start(names: Sequence[str]) -> tuple[Fact, Fact]:
    """Measure CPU and memory of servers that have just started, over plain HTTP; signald has its data already."""
    cpu: dict[str, list[float]] = {}
    size: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        starts: dict[str, Callable[[], Running]] = {
            name: (lambda n=name: Signald(folder, tls=False) if n == "signald" else start_peer(n, folder, ()))  # type: ignore[misc]
            for name in names
        }
        for number in range(STARTS + 1):
            progress("starts", number, STARTS + 1)
            for name, start in starts.items():
                try:
                    server = start()
                except AbsentError:
                    continue
                time.sleep(START_SECONDS)
                if number:  # the first start fills caches
                    cpu.setdefault(name, []).append(server.cpu())
                    size.setdefault(name, []).append(server.memory())
                server.stop()
    progress("", 1, 1)
    return Fact("CPU of a start", "s", cpu, None, 2), Fact("memory after a start", "MiB", size, None, 0)


def run_storm() -> str:
    """Run the benchmark of a resume storm, and return what it prints."""
    progress("resume storm", 0, 1)
    command = [sys.executable, "-m", "benchmarks.resume_storm"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=STORM_SECONDS, check=False)  # noqa: S603 # ours
    progress("", 1, 1)
    return done.stdout or f"failed: {done.stderr[-300:]}"
