"""All of the hub's deadlines in one heap."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import NamedTuple

from attrs import define, field

_SLACK = 64


class DeadlineKind(IntEnum):
    """What is due."""

    HELLO = 1
    IDLE = 2
    LIFE = 3
    GRACE = 4
    ACK = 5
    CREDENTIALS = 6


class Deadline(NamedTuple):
    """Something that is due at a time (monotonic seconds), for a peer, a user or a session."""

    at: float
    kind: DeadlineKind
    key: int | str


@define
class Deadlines:
    """A heap of deadlines. One whose subject is gone is passed over when it is due, or dropped by `compact`."""

    heap: list[Deadline] = field(factory=list)

    def add(self, at: float, kind: DeadlineKind, key: int | str) -> None:
        """Add a deadline."""
        heapq.heappush(self.heap, Deadline(at, kind, key))

    def due(self, now: float) -> Iterator[Deadline]:
        """Take out those that are due, the earliest first."""
        while self.heap and self.heap[0].at <= now:
            yield heapq.heappop(self.heap)

    def compact(self, alive: int, is_alive: Callable[[Deadline], bool]) -> None:
        """Drop the deadlines of what is gone, once they outnumber the `alive` ones: memory follows what exists."""
        if len(self.heap) > 2 * alive + _SLACK:
            self.heap = [deadline for deadline in self.heap if is_alive(deadline)]
            heapq.heapify(self.heap)
