"""The state file, which hands users and sessions over to the next process; it is written at a stop and read once.

The first line is a JSON object that describes the content, and the records follow it. Only its owner can read the file
(mode 0600), and the secrets with which a user reconnects are stored as hashes.
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
from signald.net.regular_files import read_regular

__all__ = ["FILE_NAME", "DamagedStateError", "State", "StateFile"]

FILE_NAME = "state.json"

_TAKEN = "state.taken"
_DAMAGED = "state.damaged"

_MOST_BYTES = 1 << 32
"""The maximum size of a state file that is read. JSON's escapes make six bytes of one, and `outboxes-bytes` is 128 MiB
by default, so that a state file stays far below it."""

_KIND = "signald-state-1"
"""The format of the file, which its first line names."""


class DamagedStateError(Exception):
    """The state file cannot be used; the message gives the reason and the file's new path."""


@frozen
class State:
    """The state that the previous process saved.

    Attributes:
        snapshot: the users and sessions.
        age: the seconds since the state was written; None if the wall clock shows a time before that.

    """

    snapshot: Snapshot
    age: float | None


@frozen
class StateFile:
    """The state file of a data directory."""

    directory: Path

    def write(self, snapshot: Snapshot, now: float) -> None:
        """Write a snapshot for the next process, atomically.

        Arguments:
            snapshot: the users and sessions.
            now: the wall time in seconds since the epoch.

        Raises:
            OSError: the file cannot be written.

        """
        body = dump(snapshot)
        head = orjson.dumps({"kind": _KIND, "written": now, "sha256": hashlib.sha256(body).hexdigest()})
        with locked(self.directory):
            write_files({self.directory / FILE_NAME: head + b"\n" + body})

    def take(self, now: float) -> State | None:
        """Read and rename the state file of the previous process; None if there is no file.

        The file is renamed before its content is parsed, so that no process uses it twice: if its content crashes this
        process, the next process starts without it. The caller then calls `forget` if the state was restored, or else
        `set_aside`.

        Raises:
            OSError: the file cannot be read or renamed.
            DamagedStateError: the content is invalid; the file has been set aside.

        """
        path = self.directory / FILE_NAME
        if not os.path.lexists(path):
            return None
        with locked(self.directory):
            content, mode = read_regular(path, _MOST_BYTES, follow=False)
            path.replace(self.directory / _TAKEN)
        try:
            return _parse(content, mode, now)
        except ValueError as error:
            raise DamagedStateError(f"{error} It is kept as {self.set_aside()}.") from None

    def forget(self) -> None:
        """Delete the file that `take` renamed.

        Raises:
            OSError: the file cannot be deleted.

        """
        (self.directory / _TAKEN).unlink()

    def set_aside(self) -> Path:
        """Keep the file that `take` renamed for a later diagnosis, and return its new path.

        Raises:
            OSError: the file cannot be renamed.

        """
        return (self.directory / _TAKEN).replace(self.directory / _DAMAGED)


def _parse(content: bytes, mode: int, now: float) -> State:
    """Verify and decode the content of a state file.

    Raises:
        ValueError: others could read the file, it is too large, or its format or its checksum is wrong.

    """
    if len(content) > _MOST_BYTES:
        raise ValueError("It is too large.")
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
