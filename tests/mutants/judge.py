"""Runs tests against one mutant in a fork, with limits of time and memory, until one fails."""

from __future__ import annotations

import contextlib
import functools
import importlib.abc
import importlib.util
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from twisted.application.reactors import installReactor
from twisted.trial import reporter, runner

#: Bytes of writable memory, so that a loop that a fault makes endless does not take the machine's memory. Address space
#: has no limit: Node.js, which some tests start, reserves more of it than the machine has memory.
MEMORY = 4 << 30

#: Seconds on the clock for each second of processor time that a fork may use: other work may run beside it.
PATIENCE = 10

#: The exit status of a fork in which every test passed, and of one in which a test failed.
SURVIVED, KILLED = 0, 1


class MutantFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads one module from a source that is not its file's."""

    def __init__(self, name: str, source: str, path: Path) -> None:
        self.name = name
        self.source = source
        self.path = path

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to load the module, if it is this one."""
        if fullname != self.name:
            return None
        locations = [str(self.path.parent)] if self.path.name == "__init__.py" else None
        return importlib.util.spec_from_file_location(
            fullname, self.path, loader=self, submodule_search_locations=locations
        )

    def create_module(self, _spec: ModuleSpec) -> None:
        """Leave the making of the module to Python."""

    def exec_module(self, module: ModuleType) -> None:
        """Carry out the source in place of the file."""
        exec(compile(self.source, str(self.path), "exec"), module.__dict__)  # noqa: S102 # the source is our own


class FirstFailure(reporter.TestResult):
    """Notes the first test that fails."""

    name = ""

    def addError(self, test: Any, error: Any) -> None:
        """A test broke."""
        super().addError(test, error)
        self.stop_at(test)

    def addFailure(self, test: Any, fail: Any) -> None:
        """An assertion failed."""
        super().addFailure(test, fail)
        self.stop_at(test)

    def stop_at(self, test: Any) -> None:
        """Let no further test run."""
        self.name = self.name or test.id()
        self.stop()

    def done(self) -> None:
        """All tests have run; trial's runner calls this."""


def first_failure(modules: Sequence[str], directory: Path) -> str:
    """Run test modules in their order, and return the name of the first test that fails, or nothing."""
    for module in modules:
        result = FirstFailure()
        make = functools.partial(lambda result, *_arguments, **_keys: result, result)
        run = runner.TrialRunner(make, workingDirectory=str(directory), exitFirst=True)
        run.run(runner.TestLoader().loadByName(module))
        if result.name or not result.wasSuccessful():
            return result.name or module
    return ""


@dataclass
class Fork:
    """A process that tests one mutant.

    Attributes:
        process: its id, which is also that of its group.
        directory: where its tests run; the name of the test that failed stands there.
        deadline: the time by which it has to have ended, unless it still computes.

    """

    process: int
    directory: Path
    deadline: float
    started: float = field(default_factory=time.monotonic)

    def ended(self) -> str | None:
        """Return what killed the mutant, nothing if it survived, or None while its tests run.

        The deadline ends a fork that waits for something. A fork that computes is left to its limit of processor time,
        because on a busy machine it may get little of that before the deadline.
        """
        process, status = os.waitpid(self.process, os.WNOHANG)
        if not process and (time.monotonic() < self.deadline or self._is_computing()):
            return None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process, signal.SIGKILL)
        if not process:
            os.waitpid(self.process, 0)
            return "the time limit"
        if os.WIFSIGNALED(status):
            return f"signal {os.WTERMSIG(status)}"
        name = self.directory / "failed"
        return name.read_text() if os.WEXITSTATUS(status) and name.exists() else "a crash" * bool(status)

    def _is_computing(self) -> bool:
        """Return whether the process runs, waits for a processor (state R, proc(5)), or has just ended.

        An ended process (state Z) says at the next look by which signal it ended.
        """
        with contextlib.suppress(OSError):
            return Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()[0] in "RZ"
        return False


def start(finder: MutantFinder | None, modules: Sequence[str], directory: Path, seconds: float) -> Fork:
    """Start a fork that runs test modules until one fails.

    Arguments:
        finder: loads the mutant; without one the sources are tested as they are.
        modules: the test modules, nearest first.
        directory: an empty directory for the fork alone.
        seconds: processor time that it may use.

    """
    directory.mkdir(parents=True)
    process = os.fork()
    if process:
        return Fork(process, directory, time.monotonic() + PATIENCE * seconds)
    status = KILLED
    try:
        os.setsid()
        output = os.open(directory / "output", os.O_WRONLY | os.O_CREAT)
        os.dup2(output, 1)
        os.dup2(output, 2)
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        if finder is not None:
            sys.meta_path.insert(0, finder)
        installReactor("default")
        failed = first_failure(modules, directory / "trial")
        if failed:
            (directory / "failed").write_text(failed)
        else:
            status = SURVIVED
    finally:
        # Nothing of the parent, which is only copied here, may be flushed or cleaned up.
        os._exit(status)
