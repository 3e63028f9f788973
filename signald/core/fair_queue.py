"""A bounded queue of slow checks in which addresses take turns, so that one that asks for much delays no other."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

from attrs import define, field, frozen

from signald.core.limits import AddressKey, network_key

__all__ = ["FairQueue", "QueueBounds", "QueueEntry"]

T = TypeVar("T")

PREFERRED_TURNS = 4
"""The turns that preferred entries get in a row while others wait. Without this bound one address that keeps sending
preferred entries would keep the others waiting for ever."""


@frozen
class QueueBounds:
    """The bounds of a queue.

    Attributes:
        running: the most entries that run at once.
        running_per_group: the most of them of one group: an IPv4 address, or an IPv6 /48 network.
        waiting: the most entries that wait.
        waiting_per_address: the most of them of one address.

    """

    running: int
    running_per_group: int
    waiting: int
    waiting_per_address: int


@frozen(eq=False)
class QueueEntry(Generic[T]):
    """One entry of a queue.

    Attributes:
        address: the address of the client that the entry is for.
        item: what waits for its turn.
        preferred: whether it goes before entries that are not preferred.

    """

    address: AddressKey = field(repr=False)
    item: T
    preferred: bool


@define
class FairQueue(Generic[T]):
    """Lets entries wait for a turn and counts those that run.

    The groups of addresses take turns, however many entries each has. A group is an IPv4 address or an IPv6 /48
    network, whose holder has 65,536 addresses and would otherwise get as many turns. When the queue is full, the newest
    entry of the group with the most waiting entries has to give way, so that nobody can fill it for the others.

    Attributes:
        bounds: the bounds; new ones apply from the next entry on.

    """

    bounds: QueueBounds
    _lanes: dict[bool, OrderedDict[AddressKey, list[QueueEntry[T]]]] = field(init=False)
    """The waiting entries of each group, in the order of the groups' turns; preferred entries have their own lane."""

    _running: dict[AddressKey, int] = field(init=False, factory=dict)
    _preferred_in_a_row: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        """Create the two lanes."""
        self._lanes = {True: OrderedDict(), False: OrderedDict()}

    def __len__(self) -> int:
        """The number of waiting entries."""
        return sum(len(entries) for lane in self._lanes.values() for entries in lane.values())

    def add(self, entry: QueueEntry[T]) -> QueueEntry[T] | None:
        """Let an entry wait; returns the entry that has to give way to it, perhaps the new one itself.

        An address that has too many waiting entries loses the newest of its own, and those that are not preferred
        first. A queue with too many loses one of the group that has the most.
        """
        group = _group(entry.address)
        self._lanes[entry.preferred].setdefault(group, []).append(entry)
        own = [each for each in self._entries(group) if each.address == entry.address]
        if len(own) > self.bounds.waiting_per_address:
            displaced = own[-1]
        elif len(self) > self.bounds.waiting:
            # Among groups with equally many entries the newcomer gives way: `max` returns the first.
            groups = [group, *self._lanes[True], *self._lanes[False]]
            displaced = self._entries(max(groups, key=lambda each: len(self._entries(each))))[-1]
        else:
            return None
        self.remove(displaced)
        return displaced

    def remove(self, entry: QueueEntry[T]) -> None:
        """Remove a waiting entry."""
        lane, group = self._lanes[entry.preferred], _group(entry.address)
        lane[group].remove(entry)
        if not lane[group]:
            del lane[group]

    def start_next(self) -> QueueEntry[T] | None:
        """Take the entry whose turn it is, and count it as running; None where none waits or none may run."""
        if sum(self._running.values()) >= self.bounds.running:
            return None
        preferred_first = self._preferred_in_a_row < PREFERRED_TURNS
        for preferred in (preferred_first, not preferred_first):
            lane = self._lanes[preferred]
            group = next((each for each in lane if self._may_run(each)), None)
            if group is not None:
                entry = lane[group][0]
                self.remove(entry)
                if group in lane:
                    lane.move_to_end(group)
                self._running[group] = self._running.get(group, 0) + 1
                self._preferred_in_a_row = self._preferred_in_a_row + 1 if preferred else 0
                return entry
        return None

    def finish(self, entry: QueueEntry[T]) -> None:
        """Stop to count an entry as running."""
        group = _group(entry.address)
        self._running[group] -= 1
        if not self._running[group]:
            del self._running[group]

    def _may_run(self, group: AddressKey) -> bool:
        return self._running.get(group, 0) < self.bounds.running_per_group

    def _entries(self, group: AddressKey) -> list[QueueEntry[T]]:
        """The waiting entries of a group: the preferred ones first, and the oldest first of either kind."""
        return [*self._lanes[True].get(group, ()), *self._lanes[False].get(group, ())]


def _group(address: AddressKey) -> AddressKey:
    return network_key(address) or address
