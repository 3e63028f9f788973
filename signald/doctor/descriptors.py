"""Checks that a process may open enough files for its configured number of connections, without any I/O."""

from __future__ import annotations

from signald.doctor.findings import Finding, failure, ok
from signald.server.listening import SPARE_DESCRIPTORS, room

__all__ = ["judge_descriptors"]

TOPIC = "descriptors"


def judge_descriptors(hard: int | None, connections: int, whose: str) -> Finding:
    """Compare the limit of open files with the limit of connections, and return a finding.

    Arguments:
        hard: the hard limit of open files (RLIMIT_NOFILE); None if the number is unlimited.
        connections: the limit `connections` of the configuration.
        whose: the process that the limit applies to, as the subject of a sentence.

    """
    if hard is None:
        return ok(TOPIC, f"{whose} may have any number of open files.")
    there = room(hard)
    if there >= connections:
        return ok(TOPIC, f"{whose} may have {hard:,} open files, enough for {connections:,} connections.")
    return failure(
        TOPIC,
        f"{whose} may have {hard:,} open files, enough for {there:,} connections only; "
        f"the limit connections says {connections:,}.",
        f"Raise the hard limit to {connections + SPARE_DESCRIPTORS:,} (LimitNOFILE= in the systemd unit, ulimit -Hn in "
        f"a shell, --ulimit nofile= for a container), or set limits.connections to {there}.",
    )
