"""The command `signald upgrade`, which has the running daemon replaced by a process of the installed version."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from twisted.python.usage import UsageError

from signald.cli.options import Options
from signald.config.values import ConfigError
from signald.lifecycle.process_file import ProcessRecord, read_process_record, start_time

__all__ = ["main"]

WAIT_SECONDS = 180.0
"""Time for the upgrade; the running process gives up earlier if its successor does not load."""

POLL_SECONDS = 0.1

_PROC = Path("/proc")


class UpgradeOptions(Options):
    """The options of the daemon, from which the data directory is known, and the process."""

    optParameters: ClassVar[list[list[object]]] = [
        *Options.optParameters,
        ["pid", None, None, "ask this process, and wait for no result [default: the process of the data directory]"],
    ]


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Ask the daemon to upgrade itself, and wait for the result; return 0, or print the problem and return 1."""
    options = UpgradeOptions("upgrade")
    try:
        options.parseOptions(list(arguments))
        if options["pid"] is not None:
            process = _process_id(options["pid"])
            check_process(process)
            os.kill(process, signal.SIGUSR2)
            sys.stdout.write(f"Process {process} was asked to upgrade itself; its log says what came of that.\n")
            return 0
        directory = options.effective(environment).config.data_dir
        before = read_process_record(directory)
        check_process(before.pid, started=before.started)
        os.kill(before.pid, signal.SIGUSR2)
        after = wait_for_successor(lambda: read_process_record(directory), before, time.monotonic, time.sleep)
    except BrokenPipeError:
        raise  # nobody reads the output (`signald.cli.closed_pipe`)
    except OSError as error:
        sys.stderr.write(f"The running daemon cannot be found: {error.strerror or error}.\n")
    except (UsageError, ConfigError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
    else:
        sys.stdout.write(
            f"Process {after.pid} (signald {after.version}) has taken over from process {before.pid} "
            f"(signald {before.version}).\n"
        )
        return 0
    return 1


def _process_id(given: str) -> int:
    """Return the process ID of the command line.

    Raises:
        ValueError: it is none.

    """
    if not (given.isascii() and given.isdigit()) or int(given) <= 1:
        raise ValueError(f"--pid: expected a process ID, got {given:.20}.")
    return int(given)


def check_process(pid: int, proc: Path = _PROC, *, started: int = 0) -> None:
    """Check that a process is the one that is meant, and would not be ended by the signal.

    Arguments:
        pid: the process ID.
        proc: where the kernel describes processes (proc(5)).
        started: the `start_time` of the process that is meant; 0 for any process of this ID.

    Raises:
        ValueError: there is no such process, or it does not handle the signal.

    """
    try:
        status = (proc / str(pid) / "status").read_text()
    except OSError:
        raise ValueError(f"Process {pid} is not running; start signald.") from None
    if started and start_time(pid, proc) != started:
        raise ValueError(f"Process {pid} is another program by now, and signald is not running; start it.")
    masks = {line.partition(":")[0]: line.partition(":")[2].strip() for line in status.splitlines()}
    if not int(masks.get("SigCgt", "0"), 16) >> (signal.SIGUSR2 - 1) & 1:
        raise ValueError(f"Process {pid} does not know upgrades; restart it instead.")


def wait_for_successor(
    read: Callable[[], ProcessRecord],
    before: ProcessRecord,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> ProcessRecord:
    """Wait until another process is named, and return its record.

    Arguments:
        read: reads the record.
        before: the record before the signal.
        clock: returns monotonic seconds.
        sleep: waits for so many seconds.

    Raises:
        ValueError: the upgrade failed, or did not end in time.

    """
    end = clock() + WAIT_SECONDS
    while clock() < end:
        record = read()
        if record.pid != before.pid:
            return record
        if record.failures > before.failures:
            raise ValueError(f"The upgrade failed, and process {record.pid} goes on: {record.problem}.")
        sleep(POLL_SECONDS)
    raise ValueError(f"No successor has taken over within {WAIT_SECONDS:g} s; the log of the daemon says why.")
