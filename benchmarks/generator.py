"""Drives a process of the load generator."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import IO, Any, cast

from benchmarks.peers.toolchains import ROOT

__all__ = ["Generator", "GeneratorError"]

STOP_SECONDS = 20.0


class GeneratorError(Exception):
    """The load generator could not do its work."""


class Generator:
    """Clients of one server, in a process of their own, which do one kind of work."""

    def __init__(
        self,
        url: str,
        wire: str,
        workload: str,
        options: Mapping[str, object],
        *,
        resumable: bool = True,
        batched: bool = True,
    ) -> None:
        """Start the process, and wait until its clients are connected.

        Arguments:
            url: the server's URL without a path.
            wire: the protocol of the clients.
            workload: the name of the workload.
            options: attributes of the workload.
            resumable: whether the clients can resume, where the protocol knows that.
            batched: whether candidates that are gathered together are sent together, where the protocol knows that.

        Raises:
            GeneratorError: the clients could not connect.

        """
        configuration = {
            "url": url,
            "wire": wire,
            "workload": workload,
            "options": dict(options),
            "resumable": resumable,
            "batched": batched,
        }
        command = [sys.executable, "-m", "benchmarks.load", json.dumps(configuration)]
        self._process = subprocess.Popen(  # noqa: S603 # ours
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        self._commands, self._answers = cast(IO[str], self._process.stdin), cast(IO[str], self._process.stdout)
        try:
            self._answer()
        except BaseException:
            self.stop()
            raise

    def _ask(self, **command: object) -> dict[str, Any]:
        try:
            self._commands.write(json.dumps(command) + "\n")
            self._commands.flush()
        except BrokenPipeError:
            raise GeneratorError("the load generator has ended") from None
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self._answers.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"error": "the load generator has ended"}
        if "error" in answer:
            raise GeneratorError(answer["error"])
        return answer

    def run(self, operations: int) -> dict[str, Any]:
        """Do a round of so many operations, and return what was measured.

        Raises:
            GeneratorError: the server did not do its part.

        """
        return self._ask(operations=operations)

    def grow(self, pairs: int) -> None:
        """Connect further pairs, until there are so many.

        Raises:
            GeneratorError: they could not connect.

        """
        self._ask(grow=pairs)

    def settle(self) -> None:
        """Undo what a round leaves behind, such as open connections, before the next one.

        Raises:
            GeneratorError: the server did not do its part.

        """
        self._ask(settle=True)

    def stop(self) -> None:
        """End the process, and with it the connections of its clients."""
        self._commands.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._answers.close()
