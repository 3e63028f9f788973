"""Runs one command with a time limit, then ends and reports the processes that it left running.

    supervise.py --limit SECONDS --result FILE -- COMMAND…

The command runs in a session of its own below this process, which adopts whatever the command orphans. So a process
that is left over belongs to this command and to no other that runs at the same time. The result is a JSON object:
`fault` (a sentence, or null), `leftovers` (command lines) and `cpu` (seconds of all processes that were waited for).
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

#: Seconds between the polite signal and the one that cannot be caught.
GRACE = 2.0

#: prctl(2): orphaned descendants become children of this process.
PR_SET_CHILD_SUBREAPER = 36


class InterruptError(Exception):
    """The runner asks to end the command."""


def adopt_orphans() -> None:
    """Make this process the parent of whatever its descendants orphan, where the system can (Linux)."""
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


def end_leftovers() -> list[str]:
    """End, by process id, what the command has left running after a grace, and return the command lines."""
    rest = descendants()
    if rest:
        wait_for_end(list(rest))
        rest = descendants()
    for process in rest:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    wait_for_end(list(rest))
    return list(rest.values())


def wait_for_end(processes: Sequence[int]) -> None:
    """Wait for child processes that were reparented to this one until a deadline, and reap them."""
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


def interrupt(_number: int, _frame: object) -> None:
    """Turn the runner's signal into an exception."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise InterruptError


def run(command: Sequence[str], limit: float) -> str | None:
    """Run a command for at most `limit` seconds, and return what is wrong with how it ended."""
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        return f"cannot be started: {error.strerror}"
    try:
        status = process.wait(limit)
    except subprocess.TimeoutExpired:
        end_group(process)
        return f"did not end within {limit:g} s"
    except InterruptError:
        end_group(process)
        return "interrupted"
    return f"ended with status {status}" if status else None


def main(arguments: Sequence[str]) -> None:
    """Run the command that the arguments name, and write the result."""
    parser = argparse.ArgumentParser(description="Runs one command with a time limit.")
    parser.add_argument("--limit", type=float, required=True)
    parser.add_argument("--result", type=Path, required=True)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, interrupt)
    adopt_orphans()
    fault = run(options.command, options.limit)
    leftovers = end_leftovers()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = {"fault": fault, "leftovers": leftovers, "cpu": used.ru_utime + used.ru_stime}
    options.result.write_text(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1:])
