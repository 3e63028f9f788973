"""Runs a program in a separate process, and collects its output."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from tests.suites.e2e.waiting import until

#: The directory of the commands in the environment that runs the tests: `signald`, `signald-peer`, `twistd`.
SCRIPTS = Path(sys.executable).parent

#: The seconds within which a program has to end after a signal.
PATIENCE = 15.0


def surroundings() -> dict[str, str]:
    """Return this process's environment without the variables of the tests, which a daemon would read as settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SIGNALD_")}


#: The pattern of an error in a line of output: in the text log, in the JSON log, and in a traceback.
FAULT = re.compile(r"^\S+ (error|critical) \[|\"level\":\"(error|critical)\"|^Traceback", re.MULTILINE)


def faults(text: str) -> list[str]:
    """Return the lines of a daemon's output that report errors of the daemon itself."""
    return [line for line in text.splitlines() if FAULT.search(line)]


class Program:
    """A running program.

    Attributes:
        process: the process.

    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
        descriptors: Sequence[int] = (),
        interactive: bool = False,
    ) -> None:
        """Start the program.

        Arguments:
            command: the program and its arguments.
            environment: variables that differ from this process's environment.
            directory: the working directory; by default that of this process.
            descriptors: the descriptors that the program inherits under the same numbers.
            interactive: whether the program reads lines that `type_line` writes.

        """
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE if interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**surroundings(), "PYTHONUNBUFFERED": "1", **(environment or {})},
            cwd=directory,
            pass_fds=descriptors,
            text=True,
            errors="replace",
        )
        self._output: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self._readers = [
            threading.Thread(target=self._collect, args=(name, getattr(self.process, name)), daemon=True)
            for name in self._output
        ]
        for reader in self._readers:
            reader.start()

    def _collect(self, name: str, stream: IO[str]) -> None:
        """Read a stream to its end in a thread, so that the program never blocks on a full pipe."""
        with stream:
            for line in stream:
                self._output[name].append(line)

    def type_line(self, line: str) -> None:
        """Write a line to the program's standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    @property
    def stdout(self) -> str:
        """The standard output so far."""
        return "".join(self._output["stdout"])

    @property
    def stderr(self) -> str:
        """The standard error so far."""
        return "".join(self._output["stderr"])

    @property
    def faults(self) -> list[str]:
        """The lines of output that report errors of the program: errors in signald's log, or an unhandled exception."""
        return faults(self.stdout + self.stderr)

    def wait_for(self, pattern: str, seconds: float) -> re.Match[str]:
        """Wait for a regular expression in the program's output, and return its first match.

        Raises:
            AssertionError: the program ended without a match, or did not write a match in time.

        """

        def look() -> re.Match[str] | None:
            ended = self.process.poll() is not None
            if ended:
                self._read_all()
            found = re.search(pattern, self.stdout) or re.search(pattern, self.stderr)
            if not found and ended:
                raise AssertionError(f"ended with status {self.process.returncode} before {pattern!r}: {self.stderr}")
            return found

        return until(look, seconds, f"output {pattern!r}")

    def wait(self, seconds: float = PATIENCE) -> int:
        """Wait until the program ends, and return its exit status; negative for a signal (subprocess's convention).

        Raises:
            AssertionError: the program did not end in time.

        """
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"did not end within {seconds:g} s: {self.stdout}{self.stderr}") from None
        self._read_all()
        return status

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and return the exit status; kill the program if it does not end.

        Raises:
            AssertionError: the program had to be killed.

        """
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.wait()
        except AssertionError:
            self.process.kill()
            self.process.wait()
            raise

    def _read_all(self) -> None:
        """Wait until all output of an ended program has been read; a child process may hold the streams open."""
        for reader in self._readers:
            reader.join(1)


def run(command: Sequence[str | Path], *, seconds: float = 60, environment: Mapping[str, str] | None = None) -> Program:
    """Run a program, wait until it ends by itself, and return it.

    Raises:
        AssertionError: the program did not end in time and was killed.

    """
    program = Program(command, environment=environment)
    try:
        program.wait(seconds)
    except AssertionError:
        program.stop(signal.SIGKILL)
        raise
    return program
