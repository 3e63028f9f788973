"""The table of `make attack`: each threat, the traffic, the outcome, the cost, and the delay for a bystander."""

from __future__ import annotations

import os
from collections.abc import Sequence

from tests.suites.attacks.bystander import Wait, cpus, quantile, walls
from tests.support.tables import Table

_TITLE = """Threats, each against a running signald. "MiB" is its memory at most, above that of the idle server. A
bystander asks for a sign of life: the median and the 99th percentile of its waits in milliseconds before the attack
("idle") and during it, and the daemon's processor time within these waits ("CPU"). A row is met if the 99th percentile
is at most twice that of the idle server, or 2 ms more; of three tries the median decides."""

_table = Table(
    "attacks",
    _TITLE,
    ("threat", "over", "sent", "refused", "MiB", "p50, p99 idle", "during", "CPU idle", "during", "verdict"),
)


def add_threat(
    threat: str,
    over: str,
    sent: str,
    refused: str,
    mib: float | None = None,
    idle: Sequence[Wait] = (),
    during: Sequence[Wait] = (),
    verdict: str = "ok",
) -> None:
    """Add a row to the table; a value that was not measured is left empty.

    Arguments:
        threat: the attack on a server.
        over: `ws` or `wss`, or `http`, `tls` and so on.
        sent: the traffic that the attacker sent.
        refused: how the server refused the traffic.
        mib: the most memory that the server used above the idle server.
        idle: the bystander's waits before the attack.
        during: the bystander's waits during the attack.
        verdict: `ok`, or the bounds that were not met.

    """
    figures = [
        f"{quantile(seconds, 0.5):.2f}, {quantile(seconds, 0.99):.2f}" if seconds else ""
        for seconds in (walls(idle), walls(during), cpus(idle), cpus(during))
    ]
    _table.add(threat, over, sent, refused, "" if mib is None else f"{mib:.1f}", *figures, verdict)


def in_full() -> bool:
    """Return whether this is a full run (`make attack`), not the short form of a run of all tests."""
    return os.environ.get("TEST_ATTACKS") == "all"
