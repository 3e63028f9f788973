"""The file that hands users and sessions over to the next process: written when one stops, and read once.

A line of JSON that describes the rest, and the rest: the records. It is its owner's alone (mode 0600), and what would
let somebody come back as a user is in it as hashes.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import Any

import orjson
from attrs import frozen

from signald.core.snapshot import Snapshot, dump, load
from signald.net.file_modes import OWNER_ALONE
from signald.net.keyfiles import locked, write_files

__all__ = ["FILE_NAME", "DamagedStateError", "State", "StateFile"]

FILE_NAME = "state.json"

_TAKEN = "state.taken"
_DAMAGED = "state.damaged"

_KIND = "signald-state-1"
"""The type of the file, in its first line."""


class DamagedStateError(Exception):
    """A state file that cannot be used; the text is one sentence, and names where the file is now."""


@frozen
class State:
    """The state that the process before saved.

    Attributes:
        snapshot: users and sessions.
        age: seconds since it was written, by the wall clock; None where that says that it is still to be written.

    """

    snapshot: Snapshot
    age: float | None


@frozen
class StateFile:
    """The state file of a data directory."""

    directory: Path

    def write(self, snapshot: Snapshot, now: float) -> None:
        """Leave a snapshot to the next process; all of it or nothing is there.

        Arguments:
            snapshot: users and sessions.
            now: wall time, seconds since the epoch.

        Raises:
            OSError: it cannot be written.

        """
        body = dump(snapshot)
        head = orjson.dumps({"kind": _KIND, "written": now, "sha256": hashlib.sha256(body).hexdigest()})
        with locked(self.directory):
            write_files({self.directory / FILE_NAME: head + b"\n" + body})

    def take(self, now: float) -> State | None:
        """Read what the process before left, so that nobody reads it again; None where it left nothing.

        It is renamed before it is looked at: if it should bring this process down, the next one starts without it.
        `forget` is to be called when it has served, or `set_aside`.

        Raises:
            OSError: it cannot be read or renamed.
            DamagedStateError: it is nothing that a process left whole; it is moved aside.

        """
        path, taken = self.directory / FILE_NAME, self.directory / _TAKEN
        if not path.exists():
            return None
        with locked(self.directory):
            path.replace(taken)
        try:
            return _read(taken, now)
        except ValueError as error:
            raise DamagedStateError(f"{error} It is kept as {self.set_aside()}.") from None

    def forget(self) -> None:
        """Remove what was taken.

        Raises:
            OSError: it cannot be removed.

        """
        (self.directory / _TAKEN).unlink()

    def set_aside(self) -> Path:
        """Keep what was taken for whoever wants to know why it was of no use; where it is then.

        Raises:
            OSError: it cannot be renamed.

        """
        return (self.directory / _TAKEN).replace(self.directory / _DAMAGED)


def _read(path: Path, now: float) -> State:
    """Read and check a file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not as it was written.

    """
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
        mode, content = os.fstat(file.fileno()).st_mode, file.read()
    if mode & OWNER_ALONE:
        raise ValueError(f"It was open to others (mode {stat.S_IMODE(mode):04o}).")
    head, _, body = content.partition(b"\n")
    try:
        described: dict[str, Any] = orjson.loads(head)
        kind, written, digest = described["kind"], float(described["written"]), described["sha256"]
    except (ValueError, TypeError, KeyError):
        raise ValueError("It does not say what it is.") from None
    if kind != _KIND:
        raise ValueError("It is of another version.")
    if digest != hashlib.sha256(body).hexdigest():
        raise ValueError("It is not whole.")
    return State(load(body), now - written if written <= now else None)
