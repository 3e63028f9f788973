"""How good the connection with another person is, in bars, and whose fault it is if it is not: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

__all__ = ["CPU", "INTERVAL", "NETWORK", "SAMPLES", "SERIES", "THEIR_NETWORK", "YOUR_NETWORK", "Quality", "local_fault"]

INTERVAL = 2.0
"""Seconds between two samples of one connection."""

SAMPLES = 60
"""Samples that are kept: two minutes."""

GOOD = 4
"""Bars of a connection without a flaw. 3 is fair, 2 weak, 1 bad, and 0 none at all."""

LOSS_STEPS = (2.0, 5.0, 10.0)
"""Percent of lost packets from which there are 3, 2 and 1 bars.

Below 2 % browsers send more, and above 10 % less (draft-ietf-rmcat-gcc-02, "Loss-based control"). What lies between is
concealed, the less well the more it is.
"""

RTT_STEPS = (300, 500, 800)
"""Milliseconds there and back from which there are 3, 2 and 1 bars.

ITU-T G.114 (05/2003): up to 150 ms one way nearly nobody notices, and 400 ms should not be exceeded.
"""

JITTER_STEPS = (50, 100)
"""Milliseconds from which there are 3 and 2 bars: a browser waits as much longer before it plays. More only delays."""

BITRATE_SHARES = (0.5, 0.25, 0.1)
"""Of the bits per second that the own picture could have: below it there are 3, 2 and 1 bars.

Only where the browser says that bandwidth limits it. It says so as well, and for long, of a picture that began small.
"""

WARM_UP = 5
"""Samples in which a browser finds out how much a new path carries, so that little says nothing."""

LOW_FRAME_RATE = 10
"""Frames a second below which a picture that the own computer cannot encode in time is weak and not only fair."""

WINDOW = 3
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
        self.reset()

    def reset(self) -> None:
        """The connection begins anew; what was measured before is kept."""
        self.local_bars: int | None = None
        self._levels: list[tuple[int, str]] = []
        self._count = 0
        self._cause = ""
        self._remote_bars = GOOD
        self._remote_fault = ""

    def add_sample(self, values: dict[str, Any], max_bitrate: int | None) -> None:
        """There is a new sample; `bound`: bits per second that the own picture may take at most.

        A `limit` of `bandwidth` that is none becomes empty.
        """
        self.values = values
        self._count += 1
        if values["limit"] == "bandwidth" and (
            self._count <= WARM_UP or not _missing_bars(values["target"], max_bitrate)
        ):
            values["limit"] = ""
        self._levels = self._levels[1 - WINDOW :]
        self._levels.append(_rate(values, max_bitrate))
        levels = sorted([level for level, _ in self._levels])
        middle = levels[len(levels) // 2]
        if self.local_bars is None or middle < self.local_bars:
            self.local_bars = middle
        elif levels[0] > self.local_bars:
            self.local_bars = levels[0]
        if self.local_bars == GOOD:
            self._cause = ""
        else:
            for level, cause in self._levels:
                if level <= self.local_bars:
                    self._cause = cause
        self.history = self.history[1 - SAMPLES :]
        self.history.append(tuple([values[name] for name in SERIES] + [self.local_bars]))

    def receive(self, message: dict[str, Any]) -> None:
        """The other side tells how it sees the connection, and whether the fault is its own (`message`)."""
        bars, fault = message.get("bars"), message.get("fault")
        if type(bars) is int and 0 <= bars <= GOOD and fault in ("", CPU, NETWORK):
            self._remote_bars = bars
            self._remote_fault = fault

    def report(self, fault: str) -> dict[str, Any]:
        """Return what the other side is told; `fault`: what is wrong on this side (`own_fault`)."""
        bars = GOOD if self.local_bars is None else self.local_bars
        return {"type": "quality", "bars": bars, "fault": CPU if self._cause == CPU else fault}

    @property
    def bars(self) -> int | None:
        """Bars from 0 to 4: a connection is as good as the side says that sees it worse. None before it is known."""
        return None if self.local_bars is None else min(self.local_bars, self._remote_bars)

    def fault(self, local: str) -> str:
        """Return whose fault it is that bars are missing.

        `cpu`, `yours` or `theirs` (networks), `their-cpu`; or, when that cannot be told, what is wrong: `in`, `out`
        (packets are lost on the way from them, or to them), `delay`, or empty. `own`: what is wrong on this side
        (`own_fault`).
        """
        bars = self.bars
        if bars is None or bars == GOOD:
            return ""
        if bars == self.local_bars and self._cause == CPU:
            return CPU
        remote = self._remote_fault
        if remote == CPU:
            if bars == self._remote_bars:
                return THEIR_CPU
            remote = ""
        if local != remote:
            return YOUR_NETWORK if local else THEIR_NETWORK
        return self._cause


def local_fault(connections: list[Quality]) -> str:
    """Return `network` when the connections with all others are weak, and there are several; else empty.

    With one other person, or where one of several connections is good, the fault may be on either side.
    """
    known = [connection.local_bars for connection in connections if connection.local_bars is not None]
    return NETWORK if len(known) > 1 and max(known) <= WEAK else ""


def _rate(values: dict[str, Any], max_bitrate: int | None) -> tuple[int, str]:
    """Return the bars of one sample, and what takes the missing ones away."""
    found = [
        (_bars_for(values["loss_in"], LOSS_STEPS), INCOMING),
        (_bars_for(values["loss_out"], LOSS_STEPS), OUTGOING),
        (_bars_for(values["rtt"], RTT_STEPS), DELAY),
        (_bars_for(values["jitter"], JITTER_STEPS), DELAY),
    ]
    if values["limit"] == "bandwidth":
        found.append((GOOD - _missing_bars(values["target"], max_bitrate), OUTGOING))
    if values["limit"] == CPU:
        found.append((WEAK if (values["frames_out"] or 0) < LOW_FRAME_RATE else GOOD - 1, CPU))
    worst = (GOOD, "")
    for level in found:
        if level[0] < worst[0]:
            worst = level
    return worst


def _missing_bars(target: float | None, max_bitrate: int | None) -> int:
    """Return how many bars it takes that the own picture has this of so many bits per second."""
    return len(
        [share for share in BITRATE_SHARES if target is not None and max_bitrate and target < share * max_bitrate]
    )


def _bars_for(value: float | None, steps: tuple[float, ...]) -> int:
    """Return the bars for a value: one less for each step that it has reached."""
    return GOOD if value is None else GOOD - len([step for step in steps if value >= step])
