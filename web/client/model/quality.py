"""Rates the connection with a participant in bars, and finds the cause of a bad one. It does not touch the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

__all__ = ["CPU", "INTERVAL", "NETWORK", "SAMPLES", "SERIES", "THEIR_NETWORK", "YOUR_NETWORK", "Quality", "local_fault"]

INTERVAL = 2.0
"""Seconds between two samples of one connection."""

SAMPLES = 60
"""The number of samples that are stored, which is two minutes."""

GOOD = 4
"""The bars of a good connection. 3 is fair, 2 weak, 1 bad, and 0 is no connection."""

LOSS = (2.0, 5.0, 10.0)
"""The packet loss in percent from which there are 3, 2 and 1 bars.

Below 2 % browsers raise the bit rate, and above 10 % they lower it (draft-ietf-rmcat-gcc-02, "Loss-based control").
Loss in between is concealed, the less well the higher it is."""

RTT = (300, 500, 800)
"""The round-trip time in milliseconds from which there are 3, 2 and 1 bars.

ITU-T G.114 (05/2003) says that nearly nobody notices 150 ms one way, and that 400 ms should not be exceeded."""

JITTER = (50, 100)
"""The jitter in milliseconds from which there are 3 and 2 bars. The browser's jitter buffer delays playout by as much,
and more only adds delay."""

SHARES = (0.5, 0.25, 0.1)
"""The shares of the highest bit rate below which there are 3, 2 and 1 bars for the outgoing video.

They count only while the browser says that bandwidth limits the video. It says so for a long time, too, when the bit
rate merely started low."""

WARM_UP = 5
"""The number of samples in which a browser still probes the bandwidth of a new path, so that a low bit rate means
nothing."""

MIN_FPS = 10
"""Frames per second below which video that the local computer cannot encode in time is weak and not just fair."""

WINDOW = 3
"""The number of samples that are rated together, so that the bars do not flicker."""

# These are the causes of missing bars.
INCOMING = "in"
OUTGOING = "out"
DELAY = "delay"

# These are the sides at fault.
CPU = "cpu"
NETWORK = "network"
YOUR_NETWORK = "yours"
THEIR_NETWORK = "theirs"
THEIR_CPU = "their-cpu"

WEAK = 2
"""The bars of a connection on which conversation is difficult."""

SERIES = ("rtt", "loss_in", "loss_out", "jitter", "rate_in", "rate_out")
"""The figures that are stored of each sample (units: `webrtc_stats.compare`)."""


class Quality:
    """The quality of the connection with one participant.

    Attributes:
        values: the figures of the last sample (`webrtc_stats.compare`).
        history: the last samples, oldest first: the values of `SERIES` and the bars.
        local_bars: the bars as measured on this side; None before the first sample.

    """

    def __init__(self) -> None:
        self.history: list[tuple[Any, ...]] = []
        self.values: dict[str, Any] = {}
        self.reset()

    def reset(self) -> None:
        """Start rating a new connection; the history is kept."""
        self.local_bars: int | None = None
        self._levels: list[tuple[int, str]] = []
        self._count = 0
        self._cause = ""
        self._remote_bars = GOOD
        self._remote_fault = ""

    def add(self, values: dict[str, Any], max_bitrate: int | None) -> None:
        """Add a sample; `max_bitrate` is the highest bit rate in bits per second of the outgoing video.

        A `limit` of `bandwidth` that the bit rate contradicts is cleared.
        """
        self.values = values
        self._count += 1
        if values["limit"] == "bandwidth" and (self._count <= WARM_UP or not _missing(values["target"], max_bitrate)):
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
        """Store how the other side rates the connection, and its own fault (`report`)."""
        bars, fault = message.get("bars"), message.get("fault")
        if type(bars) is int and 0 <= bars <= GOOD and fault in ("", CPU, NETWORK):
            self._remote_bars = bars
            self._remote_fault = fault

    def report(self, fault: str) -> dict[str, Any]:
        """Return the message with this side's rating; `fault` is what is wrong on this side (`local_fault`)."""
        bars = GOOD if self.local_bars is None else self.local_bars
        return {"type": "quality", "bars": bars, "fault": CPU if self._cause == CPU else fault}

    @property
    def bars(self) -> int | None:
        """Bars from 0 to 4, by the side that rates the connection lower; None before the first sample."""
        return None if self.local_bars is None else min(self.local_bars, self._remote_bars)

    def fault(self, local: str) -> str:
        """Return which side causes missing bars.

        It is `cpu`, `yours` or `theirs` (networks), or `their-cpu`. Where the side is unknown, it is the symptom: `in`
        or `out` (packets from them, or to them, are lost), `delay`, or empty. `local` is what is wrong on this side
        (`local_fault`).
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
    """Return `network` if there are several connections and all of them are weak; otherwise empty.

    With one connection, or with a good one among several, the fault may lie on either side.
    """
    known = [connection.local_bars for connection in connections if connection.local_bars is not None]
    return NETWORK if len(known) > 1 and max(known) <= WEAK else ""


def _rate(values: dict[str, Any], max_bitrate: int | None) -> tuple[int, str]:
    """Return the bars of one sample, and the cause of the missing ones."""
    found = [
        (_bars_for(values["loss_in"], LOSS), INCOMING),
        (_bars_for(values["loss_out"], LOSS), OUTGOING),
        (_bars_for(values["rtt"], RTT), DELAY),
        (_bars_for(values["jitter"], JITTER), DELAY),
    ]
    if values["limit"] == "bandwidth":
        found.append((GOOD - _missing(values["target"], max_bitrate), OUTGOING))
    if values["limit"] == CPU:
        found.append((WEAK if (values["frames_out"] or 0) < MIN_FPS else GOOD - 1, CPU))
    worst = (GOOD, "")
    for level in found:
        if level[0] < worst[0]:
            worst = level
    return worst


def _missing(target: float | None, max_bitrate: int | None) -> int:
    """Return how many bars a target bit rate takes away, compared with the highest bit rate."""
    return len([share for share in SHARES if target is not None and max_bitrate and target < share * max_bitrate])


def _bars_for(value: float | None, steps: tuple[float, ...]) -> int:
    """Return the bars for a value: one bar is missing for each threshold that the value has reached."""
    return GOOD if value is None else GOOD - len([step for step in steps if value >= step])
