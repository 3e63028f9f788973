"""Makes the processes that a run consists of, and runs them in lanes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from tests.runner.printing import say
from tests.runner.suites import Selection, Suite
from tests.runner.tally import Tally, count
from tests.runner.times import divide, estimate

HERE = Path(__file__).resolve().parent

#: The variable under which nothing may be skipped.
STRICT = "TEST_REQUIRE_ALL"

#: Seconds between two looks at the processes that run.
PAUSE = 0.05

#: The directory, below the root, of what the runner keeps: links, coverage data, the state of the quick run.
KEPT = ".checks"


@dataclass(frozen=True)
class Part:
    """What runs in one process: a suite, or some of its modules.

    Attributes:
        suite: the suite.
        name: the suite's name, with its number among the parts where there are several.
        names: dotted names of modules, classes or tests.
        seconds: how long it is expected to take.
        measured: whether its coverage counts in a run that measures coverage.
        alone: whether nothing may run at the same time.

    """

    suite: Suite
    name: str
    names: tuple[str, ...]
    seconds: float
    measured: bool = True
    alone: bool = False


@dataclass(frozen=True)
class Setting:
    """What holds for every process of a run.

    Attributes:
        root: the directory that holds `tests`.
        scratch: a directory for records.
        limit: seconds for each process in the place of its suite's limit.
        measured: the suites whose coverage is measured.
        paths: directories that are searched for modules before what is installed.
        stream: whether output is shown while it comes; otherwise when a process ends.

    """

    root: Path
    scratch: Path
    limit: float | None = None
    measured: frozenset[str] = frozenset()
    paths: tuple[Path, ...] = ()
    stream: bool = True


@dataclass
class Running:
    """A process that runs a part.

    Attributes:
        part: the part.
        process: its supervisor.
        place: the directory of its record, result and output.
        output: the file that its output goes into, unless it is shown while it comes.
        started: the time at which it was started.

    """

    part: Part
    process: subprocess.Popen[bytes]
    place: Path
    output: BinaryIO | None
    started: float = field(default_factory=time.monotonic)


def make_parts(selections: Sequence[Selection], lanes: int, times: Mapping[str, float]) -> list[Part]:
    """Divide the selected suites into parts, as many for each lane as the suite says."""
    parts = []
    for selection in selections:
        suite = selection.suite
        number = suite.parts * lanes if selection.whole and lanes > 1 else 1
        soaks = [name for name in selection.names if selection.whole and name in suite.soaks]
        measuring = [name for name in selection.names if is_measuring(name, suite)]
        # With one lane nothing runs beside them anyway, and one process writes one report.
        alone = measuring if selection.whole and lanes > 1 else []
        apart = {*soaks, *alone}
        groups = divide([name for name in selection.names if name not in apart], max(1, number), times)
        for place, names in enumerate(groups, 1):
            name = suite.name if len(groups) == 1 else f"{suite.name} {place}/{len(groups)}"
            seconds = sum(estimate(names, times).values())
            parts.append(Part(suite, name, tuple(names), seconds, alone=any(one in measuring for one in names)))
        if soaks:
            seconds = sum(estimate(soaks, times).values())
            parts.append(Part(suite, f"{suite.name} soaks", tuple(soaks), seconds, measured=False))
        if alone:
            seconds = sum(estimate(alone, times).values())
            parts.append(Part(suite, f"{suite.name} measuring", tuple(alone), seconds, alone=True))
    return parts


def is_measuring(name: str, suite: Suite) -> bool:
    """Return whether a module, or the module of a class or test, compares times with bounds."""
    return any(name == module or name.startswith(f"{module}.") for module in suite.measuring)


def next_part(waiting: Sequence[Part], running: Sequence[Part]) -> Part | None:
    """Return the part that a free lane takes, or None if each has to wait for what runs.

    A suite that runs already is taken last: its parts want the same programs, and are spread over the whole run.
    Of the others, the suite with most seconds left is taken first, so that the lanes end at nearly the same time. A
    part that measures runs after all others, and alone: work beside it would change what it measures.
    """
    if any(part.alone for part in running):
        return None
    possible = [part for part in waiting if not part.alone]
    if not possible and not running:
        possible = list(waiting)
    left: dict[str, float] = {}
    for part in waiting:
        left[part.suite.name] = left.get(part.suite.name, 0.0) + part.seconds
    busy = {part.suite for part in running}
    return min(possible, key=lambda part: (part.suite in busy, -left[part.suite.name], -part.seconds), default=None)


def trial_command(part: Part, setting: Setting, record: Path) -> list[str]:
    """Return the command that runs test modules under trial."""
    measured = []
    if part.measured and part.suite.name in setting.measured:
        data = setting.root / KEPT / "coverage" / ".coverage"
        measured = ["-m", "coverage", "run", "--parallel-mode", f"--data-file={data}"]
    directory = setting.root / f"_trial_temp_{part.name.replace(' ', '_').replace('/', '_')}"
    # -P: neither the working directory nor this one is searched for modules, so what is installed is tested.
    command = [sys.executable, "-P", *measured, str(HERE.parent / "trial_suite.py")]
    command += ["--root", str(setting.root), "--record", str(record), "--reactor", part.suite.reactor]
    command += ["--directory", str(directory), *(["--verbose"] if part.suite.verbose else [])]
    return [*command, *part.names]


def check_command(setting: Setting, record: Path) -> list[str]:
    """Return the command that runs the linters."""
    return [sys.executable, "-P", str(HERE / "checks.py"), "--root", str(setting.root), "--record", str(record)]


def environment(setting: Setting) -> dict[str, str]:
    """Return the environment of a suite's process."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    # The scripts of the virtual environment that runs this, `signald` among them, are found first.
    variables["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), variables.get("PATH", os.defpath)])
    if setting.paths:
        variables["PYTHONPATH"] = os.pathsep.join(map(str, setting.paths))
    return variables


def start(part: Part, setting: Setting) -> Running:
    """Start the process of a part below a supervisor."""
    say(f"== {part.name}" if setting.stream else f"== {part.name} starts")
    place = setting.scratch / part.name.replace("/", "-")
    place.mkdir()
    record = place / "record"
    command = check_command(setting, record) if part.suite.name == "check" else trial_command(part, setting, record)
    limit = setting.limit or part.suite.limit
    output = None if setting.stream else (place / "output").open("wb")
    supervise = [sys.executable, "-I", "-S", str(HERE / "supervise.py"), "--limit", str(limit)]
    process = subprocess.Popen(
        [*supervise, "--result", str(place / "result"), "--", *command],
        cwd=setting.root,
        env=environment(setting),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output else None,
        # A terminal's interrupt goes to this process alone, which ends the others one by one.
        start_new_session=True,
    )
    return Running(part, process, place, output)


def conclude(running: Running) -> Tally:
    """Count what a process that has ended recorded, and show its output unless that has been seen."""
    name = running.part.name
    result: dict[str, Any] = {"fault": "its supervisor died", "leftovers": [], "cpu": 0.0}
    if (running.place / "result").exists():
        result = json.loads((running.place / "result").read_text())
    tally = count(name, running.place / "record", result["fault"])
    tally.failed += [f"{name}: left a process running: {command}" for command in result["leftovers"]]
    tally.seconds = time.monotonic() - running.started
    tally.cpu = result["cpu"]
    if running.output is not None:
        running.output.close()
        say(f"== {name}, its output:")
        sys.stdout.flush()
        sys.stdout.buffer.write((running.place / "output").read_bytes())
    say(f"== {name}: {tally.sums}, {tally.seconds:.1f} s, CPU {tally.cpu:.1f} s")
    say()
    return tally


def run_parts(parts: Sequence[Part], lanes: int, setting: Setting) -> tuple[dict[Part, Tally], bool]:
    """Run parts, at most `lanes` at a time, and return what came of each, and whether the run was interrupted.

    After an interrupt, every part that did not run counts as a failure.
    """
    tallies: dict[Part, Tally] = {}
    waiting = list(parts)
    running: list[Running] = []
    interrupted = False
    while running or (waiting and not interrupted):
        try:
            while waiting and len(running) < lanes and not interrupted:
                part = next_part(waiting, [each.part for each in running])
                if part is None:
                    break
                waiting.remove(part)
                if part.names or part.suite.name == "check":
                    running.append(start(part, setting))
                else:
                    tallies[part] = Tally(skipped=[f"{part.name}: cannot run: there are no test modules"])
            for each in [each for each in running if each.process.poll() is not None]:
                running.remove(each)
                tallies[each.part] = conclude(each)
            time.sleep(PAUSE)
        except KeyboardInterrupt:
            interrupted = True
            for each in running:
                each.process.terminate()
    for part in parts:
        if part not in tallies:
            tallies[part] = Tally(failed=[f"{part.name}: interrupted before it ran"])
    return tallies, interrupted
