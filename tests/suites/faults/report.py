"""What `make faults` shows: each fault, what was seen, and the figures. A test adds its row when it has seen it."""

from __future__ import annotations

import os

from tests.support.tables import Table

_TITLE = """Faults that were brought about, and what the daemon did. A fault that it did not take well fails its test,
and has no row."""

_table = Table("faults", _TITLE, ("fault", "seen", "figures"))


def add_fault(fault: str, seen: str, figures: str = "") -> None:
    """Add a row.

    Arguments:
        fault: what was done, as `20 rolling restarts`.
        seen: what the daemon did, as `nothing lost, nothing twice`.
        figures: what was measured, as `blackout p99 812 ms`.

    """
    _table.add(fault, seen, figures)


def in_full() -> bool:
    """Whether the whole numbers are asked for (`make faults`), not the few of a run of all tests."""
    return os.environ.get("TEST_FAULTS") == "all"
