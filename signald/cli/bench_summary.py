"""What `signald bench` measured: latencies in a histogram of bounded size, counts, and the text for a terminal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from attrs import define, field

__all__ = ["LatencyHistogram", "Summary", "progress_bar"]

_BASE = math.log(1.02)
"""The logarithm of the ratio of two neighbouring buckets, so that a latency is known to 2 %."""

_LEAST_SECONDS = 1e-6

_BAR = 24
"""The characters of the progress bar."""


@define
class LatencyHistogram:
    """Latencies in buckets whose bounds grow by 2 %, so that an hour's load takes no more memory than a minute's.

    Attributes:
        count: the number of latencies.
        greatest: the greatest one, seconds.

    """

    count: int = field(init=False, default=0)
    greatest: float = field(init=False, default=0.0)
    _buckets: Counter[int] = field(init=False, factory=Counter)

    def add(self, seconds: float) -> None:
        """Add a latency."""
        self.count += 1
        self.greatest = max(self.greatest, seconds)
        self._buckets[math.ceil(math.log(max(seconds, _LEAST_SECONDS)) / _BASE)] += 1

    def percentile(self, part: float) -> float:
        """Return the seconds that so large a part of the latencies does not exceed; 0 if there are none."""
        left = math.ceil(part * self.count)
        for bucket, count in sorted(self._buckets.items()):
            left -= count
            if left <= 0:
                return min(self.greatest, math.exp(bucket * _BASE))
        return 0.0


@define
class Summary:
    """What a load has measured so far.

    Attributes:
        server: name and version of the server, as its welcome tells.
        clients: how many are connected.
        connecting_seconds: the time in which they connected.
        sent: messages that were sent.
        seconds: the time since the first message was due.
        bytes: the size of each message.
        latencies: the latencies of the messages that arrived, from the moment when each was due.
        errors: how often the server refused something or closed a connection, by the reason.
        interrupted: whether the user ended the load early.

    """

    server: str = ""
    clients: int = 0
    connecting_seconds: float = 0.0
    sent: int = 0
    seconds: float = 0.0
    bytes: int = 0
    latencies: LatencyHistogram = field(factory=LatencyHistogram)
    errors: Counter[str] = field(factory=Counter)
    interrupted: bool = False

    @property
    def failed(self) -> bool:
        """Whether the server refused something, or a message did not arrive."""
        return bool(self.errors) or self.latencies.count < self.sent

    def as_text(self) -> str:
        """Return the summary for a terminal."""
        lost = self.sent - self.latencies.count
        rows = [
            ("server", self.server or "unknown"),
            ("clients", f"{self.clients}, connected within {self.connecting_seconds:.2f} s"),
            ("sent", f"{self.sent} messages of {self.bytes} bytes within {self.seconds:.1f} s"),
            ("arrived", f"{self.latencies.count}, {self._rate():.1f} a second; {lost or 'none'} lost"),
            ("latency", self._latency_text()),
            *(("error", f"{reason}: {count} times") for reason, count in self.errors.most_common()),
        ]
        return "".join(f"{name:<9}{text}\n" for name, text in rows)

    def _rate(self) -> float:
        return self.latencies.count / self.seconds if self.seconds else 0.0

    def _latency_text(self) -> str:
        if not self.latencies.count:
            return "unknown, since nothing arrived"
        parts: Sequence[tuple[str, float]] = (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))
        shown = [f"{name} {1000 * self.latencies.percentile(part):.2f} ms" for name, part in parts]
        return ", ".join([*shown, f"greatest {1000 * self.latencies.greatest:.2f} ms"])


def progress_bar(summary: Summary, seconds: float) -> str:
    """Return one line for a terminal about a load that takes so many seconds."""
    part = min(1.0, summary.seconds / seconds)
    full = round(_BAR * part)
    p99 = f", p99 {1000 * summary.latencies.percentile(0.99):.1f} ms" if summary.latencies.count else ""
    return f"[{'#' * full}{'-' * (_BAR - full)}] {summary.seconds:.0f} of {seconds:g} s, {summary.sent} sent{p99}"
