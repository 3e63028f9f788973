"""The memory that the process may use (of the machine or its cgroup), and how much of it outboxes may hold."""

from __future__ import annotations

import os
from pathlib import Path

from signald.core.limits import Limits

__all__ = ["LEAST_OUTBOXES_BYTES", "MEMORY_SHARE", "memory_bytes", "outboxes_bytes"]

MEMORY_SHARE = 16
"""The part of the memory that the outboxes may hold by default is one of so many."""

LEAST_OUTBOXES_BYTES = 33554432
"""The least that they may hold by default, however small the machine is."""

_CGROUPS = Path("/sys/fs/cgroup")


def memory_bytes(cgroup: Path = Path("/proc/self/cgroup"), root: Path = _CGROUPS) -> int:
    """Return the memory of the machine in bytes, or the least that a control group of this process may use.

    Arguments:
        cgroup: the file that names the control group of the process, version 2 (cgroups(7)).
        root: the folder of the control groups; without one, or in version 1, the machine's memory counts.

    """
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        names = [line.removeprefix("0::/") for line in cgroup.read_text().splitlines() if line.startswith("0::/")]
    except OSError:
        return found
    for name in names:
        folder = root / name
        for group in (folder, *folder.parents):
            if group.is_relative_to(root):
                found = min(found, _group_limit(group / "memory.max", found))
    return found


def outboxes_bytes(limits: Limits, memory: int) -> int:
    """Return how many bytes all outboxes may hold: the limit, and its default only where the memory suffices for it."""
    if limits.outboxes_bytes != Limits().outboxes_bytes:
        return limits.outboxes_bytes
    return min(limits.outboxes_bytes, max(LEAST_OUTBOXES_BYTES, memory // MEMORY_SHARE))


def _group_limit(file: Path, otherwise: int) -> int:
    """Read the limit of a control group; the other number where there is none."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return otherwise
