"""How good the connection with another person is, in bars, and whose fault it is if it is not: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

__all__ = ["CPU", "INTERVAL", "NETWORK", "SAMPLES", "SERIES", "THEIR_NETWORK", "YOUR_NETWORK", "Quality", "own_fault"]

INTERVAL = 2.0
"""Seconds between two samples of one connection."""

SAMPLES = 60
"""Samples that are kept: two minutes."""

GOOD = 4
"""Bars of a connection without a flaw. 3 is fair, 2 weak, 1 bad, and 0 none at all."""

LOSS = (2.0, 5.0, 10.0)
"""Percent of lost packets from which there are 3, 2 and 1 bars.

Below 2 % browsers send more, and above 10 % less (draft-ietf-rmcat-gcc-02, "Loss-based control"). What lies between is
concealed, the less well the more it is.
"""

ROUND_TRIP = (300, 500, 800)
"""Milliseconds there and back from which there are 3, 2 and 1 bars.

ITU-T G.114 (05/2003): up to 150 ms one way nearly nobody notices, and 400 ms should not be exceeded.
"""

JITTER = (50, 100)
"""Milliseconds from which there are 3 and 2 bars: a browser waits as much longer before it plays. More only delays."""

SHARE = (0.5, 0.25, 0.1)
"""Of the bits per second that the own picture could have: below it there are 3, 2 and 1 bars.

Only where the browser says that bandwidth limits it. It says so as well, and for long, of a picture that began small.
"""

LEARNING = 5
"""Samples in which a browser finds out how much a new path carries, so that little says nothing."""

JERKY = 10
"""Frames a second below which a picture that the own computer cannot encode in time is weak and not only fair."""

STEADY = 3
"""Samples that are looked at together, so that bars do not flicker."""

# What takes bars away.
INCOMING = "in"
OUTGOING = "out"
DELAY = "delay"

# Whose fault it is.
CPU = "cpu"
NETWORK = "network"
YOUR_NETWORK = "yours"
THEIR_NETWORK = "theirs"
THEIR_CPU = "their-cpu"

WEAK = 2
"""Bars of a connection that is not good enough to talk at ease."""

SERIES = ("rtt", "loss_in", "loss_out", "jitter", "rate_in", "rate_out")
"""Of each sample, what is kept (units: `webrtc_stats.measured`)."""


class Quality:
    """The connection with one other person.

    Attributes:
        values: what the last sample said (`webrtc_stats.measured`).
        history: the last samples, oldest first: the values of `SERIES` and the bars.
        measured: bars as this side sees them; None before anything is known.

    """

    def __init__(self) -> None:
        self.history: list[tuple[Any, ...]] = []
        self.values: dict[str, Any] = {}
        self.renewed()

    def renewed(self) -> None:
        """The connection begins anew; what was measured before is kept."""
        self.measured: int | None = None
        self._levels: list[tuple[int, str]] = []
        self._taken = 0
        self._flaw = ""
        self._told_bars = GOOD
        self._told_fault = ""

    def take(self, values: dict[str, Any], bound: int | None) -> None:
        """There is a new sample; `bound`: bits per second that the own picture may take at most.

        A `limit` of `bandwidth` that is none becomes empty.
        """
        self.values = values
        self._taken += 1
        if values["limit"] == "bandwidth" and (self._taken <= LEARNING or not _narrow(values["target"], bound)):
            values["limit"] = ""
        self._levels = self._levels[1 - STEADY :]
        self._levels.append(_level(values, bound))
        levels = sorted([level for level, _ in self._levels])
        middle = levels[len(levels) // 2]
        if self.measured is None or middle < self.measured:
            self.measured = middle
        elif levels[0] > self.measured:
            self.measured = levels[0]
        if self.measured == GOOD:
            self._flaw = ""
        else:
            for level, flaw in self._levels:
                if level <= self.measured:
                    self._flaw = flaw
        self.history = self.history[1 - SAMPLES :]
        self.history.append(tuple([values[name] for name in SERIES] + [self.measured]))

    def heard(self, message: dict[str, Any]) -> None:
        """The other side tells how it sees the connection, and whether the fault is its own (`message`)."""
        bars, fault = message.get("bars"), message.get("fault")
        if type(bars) is int and 0 <= bars <= GOOD and fault in ("", CPU, NETWORK):
            self._told_bars = bars
            self._told_fault = fault

    def message(self, fault: str) -> dict[str, Any]:
        """Return what the other side is told; `fault`: what is wrong on this side (`own_fault`)."""
        bars = GOOD if self.measured is None else self.measured
        return {"type": "quality", "bars": bars, "fault": CPU if self._flaw == CPU else fault}

    @property
    def bars(self) -> int | None:
        """Bars from 0 to 4: a connection is as good as the side says that sees it worse. None before it is known."""
        return None if self.measured is None else min(self.measured, self._told_bars)

    def fault(self, own: str) -> str:
        """Return whose fault it is that bars are missing.

        `cpu`, `yours` or `theirs` (networks), `their-cpu`; or, when that cannot be told, what is wrong: `in`, `out`
        (packets are lost on the way from them, or to them), `delay`, or empty. `own`: what is wrong on this side
        (`own_fault`).
        """
        bars = self.bars
        if bars is None or bars == GOOD:
            return ""
        if bars == self.measured and self._flaw == CPU:
            return CPU
        theirs = self._told_fault
        if theirs == CPU:
            if bars == self._told_bars:
                return THEIR_CPU
            theirs = ""
        if own != theirs:
            return YOUR_NETWORK if own else THEIR_NETWORK
        return self._flaw


def own_fault(connections: list[Quality]) -> str:
    """Return `network` when the connections with all others are weak, and there are several; else empty.

    With one other person, or where one of several connections is good, the fault may be on either side.
    """
    known = [connection.measured for connection in connections if connection.measured is not None]
    return NETWORK if len(known) > 1 and max(known) <= WEAK else ""


def _level(values: dict[str, Any], bound: int | None) -> tuple[int, str]:
    """Return the bars of one sample, and what takes the missing ones away."""
    found = [
        (_above(values["loss_in"], LOSS), INCOMING),
        (_above(values["loss_out"], LOSS), OUTGOING),
        (_above(values["rtt"], ROUND_TRIP), DELAY),
        (_above(values["jitter"], JITTER), DELAY),
    ]
    if values["limit"] == "bandwidth":
        found.append((GOOD - _narrow(values["target"], bound), OUTGOING))
    if values["limit"] == CPU:
        found.append((WEAK if (values["frames_out"] or 0) < JERKY else GOOD - 1, CPU))
    worst = (GOOD, "")
    for level in found:
        if level[0] < worst[0]:
            worst = level
    return worst


def _narrow(target: float | None, bound: int | None) -> int:
    """Return how many bars it takes that the own picture has this of so many bits per second."""
    return len([share for share in SHARE if target is not None and bound and target < share * bound])


def _above(value: float | None, steps: tuple[float, ...]) -> int:
    """Return the bars for a value: one less for each step that it has reached."""
    return GOOD if value is None else GOOD - len([step for step in steps if value >= step])
