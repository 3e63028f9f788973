"""The journal's file in the data directory: it is taken at a start, appended to, synced, and replaced as a whole.

Only its owner can read it (mode 0600). A symbolic link in its place is refused.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from attrs import define, frozen

from signald.lifecycle.journal_lines import Contents, OtherVersionError, encode_line, read_lines
from signald.net.file_modes import OWNER_ALONE
from signald.net.keyfiles import locked
from signald.net.regular_files import create_new

__all__ = ["FILE_NAME", "MOST_BYTES", "DamagedJournalError", "JournalFile", "JournalWriter"]

FILE_NAME = "journal"

MOST_BYTES = 512 << 20
"""The maximum size of the file, which a start reads into memory. A full server with the default limits (40,000 users,
20,000 sessions of two) comes to 40 MiB, and the file is compacted at twice the live size."""

_NEW = "journal.new"
_DAMAGED = "journal.damaged"

_TRIES = 3
"""How many starts read the same journal. A start that ends before it has written a journal of its own may have been
killed by chance, or by what it read."""


class DamagedJournalError(Exception):
    """The journal cannot be used; the message gives the reason and the file's new path."""


@define
class JournalWriter:
    """An open journal to which lines are appended.

    Attributes:
        descriptor: the file descriptor.
        size: how many bytes were written.
        synced: how many of them are on the disk for certain.

    """

    descriptor: int
    size: int = 0
    synced: int = 0

    def append(self, entries: list[tuple[str, bytes]]) -> None:
        """Write records, by key, into the kernel's memory: they survive the process, and not a power failure.

        Raises:
            OSError: they cannot be written, or in part only.

        """
        data = b"".join([encode_line(key, body, self.synced) for key, body in entries])
        while data:
            count = os.write(self.descriptor, data)
            self.size += count
            data = data[count:]

    def sync(self) -> None:
        """Wait until everything that is written so far is on the disk; to be called in a thread.

        Raises:
            OSError: the data may be lost.

        """
        size = self.size
        os.fdatasync(self.descriptor)
        self.synced = size

    def close(self) -> None:
        """Close the file."""
        os.close(self.descriptor)


@frozen
class JournalFile:
    """The journal's file of a data directory, under the names that it has in the course of its life.

    `journal.new` is not complete yet, `journal` is in use, `journal.1` to `journal.3` were read by as many starts, and
    `journal.damaged` is kept for a diagnosis.
    """

    directory: Path

    def take(self) -> Contents | None:
        """Rename and read the journal of the previous process; None if there is none.

        The caller then writes a new journal and calls `forget`, or calls `set_aside`.

        Raises:
            OSError: the file cannot be read or renamed.
            DamagedJournalError: nothing of it can be used; the file has been set aside.

        """
        tries = next((number for number in range(_TRIES + 1) if os.path.lexists(self._taken(number))), None)
        if tries is None:
            return None
        with locked(self.directory):
            if tries == _TRIES:
                raise DamagedJournalError(f"{_TRIES} starts did not get past it. It is kept as {self.set_aside()}.")
            path = self._taken(tries).replace(self._taken(tries + 1))
            try:
                return read_lines(_read(path))
            except OtherVersionError:
                reason = "It is of another version."
            except ValueError as error:
                reason = str(error)
            raise DamagedJournalError(f"{reason} It is kept as {self.set_aside()}.")

    def forget(self) -> None:
        """Delete the journal that `take` renamed.

        Raises:
            OSError: it cannot be deleted.

        """
        for number in range(1, _TRIES + 1):
            self._taken(number).unlink(missing_ok=True)

    def set_aside(self) -> Path:
        """Keep the journal that `take` renamed for a later diagnosis, and return its new path.

        Raises:
            OSError: it cannot be renamed.

        """
        taken = next(path for path in map(self._taken, range(1, _TRIES + 1)) if os.path.lexists(path))
        return taken.replace(self.directory / _DAMAGED)

    def begin(self) -> JournalWriter:
        """Create an empty journal beside the one in use, which stays until `publish`.

        Raises:
            OSError: it cannot be created.

        """
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return JournalWriter(create_new(self.directory / _NEW, os.O_APPEND))

    def abandon(self) -> None:
        """Delete what `begin` created, if it is there.

        Raises:
            OSError: it cannot be deleted.

        """
        (self.directory / _NEW).unlink(missing_ok=True)

    def publish(self, writer: JournalWriter) -> None:
        """Put the journal that `begin` created in the place of the one in use; to be called in a thread.

        Raises:
            OSError: one of the two is in place, perhaps not on the disk.

        """
        writer.sync()
        (self.directory / _NEW).replace(self.directory / FILE_NAME)
        descriptor = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def remove(self) -> None:
        """Delete the journal in use, if there is one.

        Raises:
            OSError: it cannot be deleted.

        """
        (self.directory / FILE_NAME).unlink(missing_ok=True)

    def _taken(self, number: int) -> Path:
        return self.directory / (f"{FILE_NAME}.{number}" if number else FILE_NAME)


def _read(path: Path) -> bytes:
    """Read a journal.

    Raises:
        OSError: it cannot be read, or is a symbolic link.
        ValueError: it is not a regular file, others could read it, or it is too large.

    """
    # O_NONBLOCK keeps open(2) from waiting for the writer of a FIFO.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("It is not a regular file.")
        if status.st_mode & OWNER_ALONE:
            raise ValueError(f"It was open to others (mode {stat.S_IMODE(status.st_mode):04o}).")
        if status.st_size > MOST_BYTES:
            raise ValueError(f"It is larger than {MOST_BYTES} bytes.")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(MOST_BYTES)
    finally:
        os.close(descriptor)
