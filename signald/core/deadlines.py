"""The hub's timeouts, as deadlines in one heap."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import NamedTuple

from attrs import define, field

_COMPACTION_SLACK = 64
"""Obsolete deadlines that are kept in any case, so that a small heap is not compacted again and again."""


class DeadlineKind(IntEnum):
    """The kinds of timeouts: of a peer's hello, a session's idling and life, a user's grace, ack and credentials."""

    HELLO = 1
    IDLE = 2
    LIFE = 3
    GRACE = 4
    ACK = 5
    CREDENTIALS = 6


class Deadline(NamedTuple):
    """A time (monotonic seconds) at which something is due for a peer, a user or a session, whose id is the key."""

    at: float
    kind: DeadlineKind
    key: int | str


@define
class Deadlines:
    """A heap of deadlines. An obsolete one is not removed at once: it is ignored when it is due, or compacted away.

    Attributes:
        heap: the deadlines as `heapq` orders them.

    """

    heap: list[Deadline] = field(factory=list)

    def add(self, at: float, kind: DeadlineKind, key: int | str) -> None:
        """Add a deadline."""
        heapq.heappush(self.heap, Deadline(at, kind, key))

    def pop_due(self, now: float) -> Iterator[Deadline]:
        """Remove and yield the deadlines that are due, the earliest first."""
        while self.heap and self.heap[0].at <= now:
            yield heapq.heappop(self.heap)

    def compact(self, alive: int, is_alive: Callable[[Deadline], bool]) -> None:
        """Remove obsolete deadlines once they outnumber the `alive` ones, so that memory is bounded by these."""
        if len(self.heap) > 2 * alive + _COMPACTION_SLACK:
            self.heap = [deadline for deadline in self.heap if is_alive(deadline)]
            heapq.heapify(self.heap)
