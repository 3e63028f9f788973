"""A queue in which addresses take turns."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.fair_queue import PREFERRED_TURNS, FairQueue, QueueBounds, QueueEntry
from signald.core.limits import AddressKey, address_key

ANN, BOB, CAT = (AddressKey(f"192.0.2.{number}") for number in (1, 2, 3))


def in_network(number: int) -> AddressKey:
    """One of the /64 networks of one /48 network."""
    return address_key(f"2001:db8:7:{number:x}::1")


class FairQueueTests(SynchronousTestCase):
    """Turns, bounds, and what gives way."""

    def make(
        self, running: int = 1, running_per_group: int = 1, waiting: int = 64, waiting_per_address: int = 8
    ) -> FairQueue[str]:
        """Create a queue."""
        self.queue = FairQueue[str](QueueBounds(running, running_per_group, waiting, waiting_per_address))
        return self.queue

    def add(self, address: AddressKey, *items: str, preferred: bool = False) -> list[str | None]:
        """Let entries wait; returns what gave way to each."""
        gave_way = [self.queue.add(QueueEntry(address, item, preferred)) for item in items]
        return [None if entry is None else entry.item for entry in gave_way]

    def turns(self) -> list[str]:
        """Start and finish all entries that wait, one after the other."""
        order = []
        while (entry := self.queue.start_next()) is not None:
            order.append(entry.item)
            self.queue.finish(entry)
        return order

    def test_addresses_take_turns(self) -> None:
        """An address with many entries delays another address by one entry; entries of one address keep their order."""
        self.make()
        self.add(ANN, "a1", "a2", "a3")
        self.add(BOB, "b1", "b2")
        self.add(CAT, "c1")
        self.assertEqual(self.turns(), ["a1", "b1", "c1", "a2", "b2", "a3"])
        self.assertEqual(len(self.queue), 0)
        self.assertIsNone(self.queue.start_next())

    def test_an_address_that_was_served_goes_to_the_end(self) -> None:
        """An address that always has another entry does not overtake one that waits."""
        self.make()
        self.add(ANN, "a1")
        self.add(BOB, "b1", "b2")
        first = self.queue.start_next()
        assert first is not None
        self.add(ANN, "a2")
        self.queue.finish(first)
        self.assertEqual([first.item, *self.turns()], ["a1", "b1", "a2", "b2"])

    def test_a_network_takes_turns_as_one_address(self) -> None:
        """The addresses of an IPv6 /48 network have one turn together."""
        self.make()
        for number in range(3):
            self.add(in_network(number), f"n{number}")
        self.add(BOB, "b1", "b2")
        self.assertEqual(self.turns(), ["n0", "b1", "n1", "b2", "n2"])

    def test_preferred_entries_go_first(self) -> None:
        """Preferred entries go before others, of their own address and of other addresses."""
        self.make()
        self.add(ANN, "open")
        self.add(BOB, "open")
        self.add(ANN, "join", preferred=True)
        self.assertEqual(self.turns(), ["join", "open", "open"])

    def test_preferred_entries_starve_nobody(self) -> None:
        """After so many preferred entries in a row one that is not preferred has a turn."""
        self.make(waiting_per_address=64)
        self.add(ANN, *["join"] * (PREFERRED_TURNS + 2), preferred=True)
        self.add(BOB, "open", "open")
        self.assertEqual(self.turns(), ["join"] * PREFERRED_TURNS + ["open", "join", "join", "open"])

    def test_running_entries_are_bounded(self) -> None:
        """So many entries run at once, and so many of one address, whose place others take."""
        self.make(running=3, running_per_group=2)
        self.add(ANN, "a1", "a2", "a3")
        started = [self.queue.start_next() for _ in range(2)]
        self.assertIsNone(self.queue.start_next())
        self.add(BOB, "b1", "b2")
        other = self.queue.start_next()
        assert other is not None
        self.assertEqual(other.item, "b1")
        self.assertIsNone(self.queue.start_next())
        assert started[0] is not None
        self.queue.finish(started[0])
        third = self.queue.start_next()
        assert third is not None
        self.assertEqual(third.item, "a3")

    def test_an_address_has_so_many_entries(self) -> None:
        """An address beyond its bound loses its newest entry; other addresses are not affected."""
        self.make(waiting_per_address=2)
        self.assertEqual(self.add(ANN, "a1", "a2", "a3"), [None, None, "a3"])
        self.assertEqual(self.add(BOB, "b1"), [None])
        self.assertEqual(self.turns(), ["a1", "b1", "a2"])

    def test_a_preferred_entry_takes_the_place_of_another(self) -> None:
        """A preferred entry of an address at its bound takes the place of one that is not, but of no preferred one."""
        self.make(waiting_per_address=2)
        self.add(ANN, "open1", "open2")
        self.assertEqual(self.add(ANN, "join1", "join2", "join3", preferred=True), ["open2", "open1", "join3"])
        self.assertEqual(self.turns(), ["join1", "join2"])

    def test_nobody_fills_the_queue_for_others(self) -> None:
        """In a full queue the newest entry of the group with the most entries gives way, also that of a network."""
        self.make(waiting=4)
        for number in range(3):
            self.add(in_network(number), f"n{number}")
        self.assertEqual(self.add(ANN, "a1", "a2"), [None, "n2"])
        self.assertEqual(self.add(BOB, "b1"), ["n1"])
        self.assertEqual(self.turns(), ["n0", "a1", "b1", "a2"])

    def test_a_newcomer_takes_no_place_of_an_equal(self) -> None:
        """In a queue that is full of single entries the newcomer itself gives way."""
        self.make(waiting=2)
        self.add(ANN, "a1")
        self.add(BOB, "b1")
        self.assertEqual(self.add(CAT, "c1"), ["c1"])
        self.assertEqual(self.turns(), ["a1", "b1"])

    def test_an_entry_is_removed(self) -> None:
        """A removed entry has no turn."""
        self.make()
        self.add(ANN, "a1")
        entry = QueueEntry(ANN, "a2", False)
        self.queue.add(entry)
        self.queue.remove(entry)
        self.assertEqual(self.turns(), ["a1"])

    def test_other_bounds(self) -> None:
        """New bounds apply from the next entry on."""
        self.make(waiting_per_address=1)
        self.add(ANN, "a1")
        self.queue.bounds = QueueBounds(running=1, running_per_group=1, waiting=64, waiting_per_address=2)
        self.assertEqual(self.add(ANN, "a2", "a3"), [None, "a3"])

    def test_the_address_is_not_in_the_repr(self) -> None:
        """A log line with an entry contains no address."""
        self.assertNotIn(ANN, repr(QueueEntry(ANN, "a1", False)))
