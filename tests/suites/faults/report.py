"""The table that `make faults` prints: each fault, what was observed, and the figures. Each test adds its row."""

from __future__ import annotations

import os

from tests.support.tables import Table

_TITLE = """Faults that were brought about, and what the daemon did. A fault that it did not take well fails its test,
and has no row."""

_table = Table("faults", _TITLE, ("fault", "seen", "figures"))


def add_fault(fault: str, seen: str, figures: str = "") -> None:
    """Add a row to the table of `make faults`.

    Arguments:
        fault: the fault that was injected, such as `20 rolling restarts`.
        seen: what the daemon did, such as `nothing lost, nothing twice`.
        figures: what was measured, such as `blackout p99 812 ms`.

    """
    _table.add(fault, seen, figures)


def in_full() -> bool:
    """Return whether this is a full run (`make faults`), not the short form of a run of all tests."""
    return os.environ.get("TEST_FAULTS") == "all"
