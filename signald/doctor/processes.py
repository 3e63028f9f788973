"""Finds the process that listens on a port, its owner and its limit of open files, from /proc where it exists."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from attrs import frozen

__all__ = ["Process", "listening_process"]

_LISTEN = "0A"
"""The state TCP_LISTEN as /proc/net/tcp writes it (proc(5))."""

_UNLIMITED = "unlimited"


@frozen
class Process:
    """A running process.

    Attributes:
        id: the process ID.
        name: the name of the program, as the kernel reports it.
        owner: the user ID of the process.
        open_files: the hard limit of open files; None if it is unlimited.

    """

    id: int
    name: str
    owner: int
    open_files: int | None


def listening_process(port: int, proc: Path = Path("/proc")) -> Process | None:
    """Return the process that listens on the TCP port; None if no process does, or if this user cannot see it.

    If several processes share the socket, the result is the one with the lowest ID, except systemd (process 1).
    """
    inodes = _listening_inodes(port, proc)
    if not inodes:
        return None
    ids = sorted(int(path.name) for path in proc.glob("[0-9]*"))
    found = [id for id in ids if _holds(proc / str(id), inodes)]
    # With socket activation, both systemd and the service that it started hold the socket.
    found = [id for id in found if id != 1] or found
    for id in found:
        with suppress(OSError, ValueError):
            return _read(proc / str(id))
    return None


def _listening_inodes(port: int, proc: Path) -> set[str]:
    inodes = set[str]()
    for name in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (proc / "net" / name).read_text().splitlines()[1:]:
                columns = line.split()
                if columns[3] == _LISTEN and int(columns[1].rpartition(":")[2], 16) == port:
                    inodes.add(columns[9])
    return inodes


def _holds(process: Path, inodes: set[str]) -> bool:
    targets = {f"socket:[{inode}]" for inode in inodes}
    with suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with suppress(OSError):
                if str(descriptor.readlink()) in targets:
                    return True
    return False


def _read(process: Path) -> Process:
    limits = re.search(r"^Max open files +\S+ +(\S+)", (process / "limits").read_text(), re.MULTILINE)
    hard = limits[1] if limits else _UNLIMITED
    return Process(
        id=int(process.name),
        name=(process / "comm").read_text().strip(),
        owner=process.stat().st_uid,
        open_files=None if hard == _UNLIMITED else int(hard),
    )
