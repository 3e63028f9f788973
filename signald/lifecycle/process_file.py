"""The file in the data directory that names the daemon's process, for `signald upgrade`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from attrs import evolve, frozen
from cattrs.preconf.orjson import make_converter
from twisted.logger import Logger

from signald.net.regular_files import create_new, read_regular

__all__ = ["FILE_NAME", "ProcessFile", "ProcessRecord", "read_process_record", "start_time"]

FILE_NAME = "process.json"

MOST_BYTES = 4096
"""The largest file that is read."""

_log = Logger()


@frozen
class ProcessRecord:
    """What the file says.

    Attributes:
        pid: the ID of the process that serves the clients.
        version: its version of signald.
        failures: the number of its upgrades that failed.
        problem: why the latest of these failed; empty if none did.
        started: the process's `start_time`, by which it is told from a later process of the same ID.

    """

    pid: int
    version: str
    failures: int = 0
    problem: str = ""
    started: int = 0


class ProcessFile:
    """Writes the file for one process; a failure to do so is logged, and harms nothing else."""

    def __init__(self, directory: Path, record: ProcessRecord) -> None:
        """Write nothing yet."""
        self._path = directory / FILE_NAME
        self._record = record

    def write(self) -> None:
        """Name this process."""
        new = self._path.with_name(f"{FILE_NAME}.new")
        try:
            # Nothing is flushed to the disk: after a power cut there is no process to name.
            with open(create_new(new), "wb") as file:
                file.write(_converter.dumps(self._record) + b"\n")
            new.replace(self._path)
        except OSError as error:
            _log.warn("the process cannot be named: {reason}", event="process-file-lost", reason=error.strerror)

    def report_failure(self, problem: str) -> None:
        """Store that an upgrade of this process failed."""
        self._record = evolve(self._record, failures=self._record.failures + 1, problem=problem)
        self.write()

    def remove(self) -> None:
        """Remove the file, unless it names another process by now."""
        with suppress(OSError, ValueError):
            if read_process_record(self._path.parent).pid == self._record.pid:
                self._path.unlink()


def start_time(pid: int, proc: Path = Path("/proc")) -> int:
    """Return when a process was started, in clock ticks since the boot (proc(5), starttime); 0 if that is unknown."""
    try:
        stat = (proc / str(pid) / "stat").read_text()
        # The second field is the command in parentheses, which may itself hold spaces and parentheses.
        return int(stat.rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0


def read_process_record(directory: Path) -> ProcessRecord:
    """Read the file of a data directory.

    Raises:
        NotRegularFileError: it is not a regular file.
        OSError: it cannot be read.
        ValueError: its content is not a record.

    """
    content, _ = read_regular(directory / FILE_NAME, MOST_BYTES, follow=False)
    try:
        record = _converter.loads(content, ProcessRecord)
    except Exception:  # noqa: BLE001 # cattrs raises whatever its hooks raise
        raise ValueError("the file does not name a process") from None
    if record.pid <= 1:
        raise ValueError("the file does not name a process")
    return record


_converter = make_converter(detailed_validation=False)
