"""The table of `make attack`: each threat, the traffic, the outcome, the cost, and the delay for a bystander."""

from __future__ import annotations

import os

from tests.support.tables import Table

_TITLE = """Threats, each against a running signald. "MiB" is its memory at most, above that of the idle server. A
bystander asks for a sign of life meanwhile: its median and 99th percentile in milliseconds, while the same attack goes
to another daemon on the same machine, and while it goes to this one."""

_table = Table("attacks", _TITLE, ("threat", "over", "sent", "refused", "MiB", "p50, p99 before", "during", "verdict"))


def add_threat(
    threat: str,
    over: str,
    sent: str,
    refused: str,
    mib: float | None = None,
    before: tuple[float, float] | None = None,
    during: tuple[float, float] | None = None,
    verdict: str = "ok",
) -> None:
    """Add a row to the table; a value that was not measured is left empty.

    Arguments:
        threat: the attack on a server.
        over: `ws` or `wss`, or `http`, `tls` and so on.
        sent: the traffic that the attacker sent.
        refused: how the server refused the traffic.
        mib: the most memory that the server used above the idle server.
        before: the bystander's median and 99th percentile, in milliseconds, while the twin is attacked.
        during: the same while the bystander's own daemon is attacked.
        verdict: `ok`, or the bound that was exceeded.

    """
    figures = [f"{waits[0]:.2f}, {waits[1]:.2f}" if waits else "" for waits in (before, during)]
    _table.add(threat, over, sent, refused, "" if mib is None else f"{mib:.1f}", *figures, verdict)


def in_full() -> bool:
    """Return whether this is a full run (`make attack`), not the short form of a run of all tests."""
    return os.environ.get("TEST_ATTACKS") == "all"
