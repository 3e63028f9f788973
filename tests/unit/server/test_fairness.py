"""The shares of addresses: what each may spend in a round, and whose turn comes when."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from signald.core.budgets import AddressBudget, message_rate
from signald.core.limits import AddressKey, Limits, address_key
from signald.server.costs import ELEMENTS_PER_POINT, FRAME_POINTS, READ_POINTS, element_points
from signald.server.fairness import (
    ADDRESSES_PER_ROUND,
    ALONE_QUANTUM,
    ALONE_SECONDS,
    HOLD_SECONDS,
    LEAST_POINT_SECONDS,
    MAX_DEBT,
    MOST_POINT_SECONDS,
    QUANTUM,
    REFILL_BELOW,
    SETTLED_POINTS,
    AddressShare,
    FairRounds,
)

HOME, AWAY = AddressKey("192.0.2.1"), AddressKey("192.0.2.2")


class Connection:
    """A connection with messages in its buffer, each of which costs the same.

    Attributes:
        buffered: the number of messages in the buffer.
        is_held: whether it is not read from.
        turns: the points of each of its turns.

    """

    def __init__(self, rounds: FairRounds, address: AddressKey, cost: int = FRAME_POINTS) -> None:
        self.cost = cost
        self.buffered = 0
        self.is_held = False
        self.turns: list[int] = []
        self.share: AddressShare = rounds.join(address, self)

    def read(self, messages: int) -> None:
        """Read messages, as a protocol does: handle them, or wait with them."""
        self.buffered += messages
        if self.is_held:
            return
        is_open = self.share.is_open
        if not is_open and not self.share.take_paid_read(self):
            self.is_held = True
            self.share.postpone_read(self)
            return
        self.share.charge(READ_POINTS)
        self._handle(self.share.left if is_open else 1)
        if self.buffered:
            self.is_held = True
            self.share.wait(self)

    def hold(self) -> bool:
        """Stop to read."""
        was_held, self.is_held = self.is_held, True
        return not was_held

    def take_turn(self, share: AddressShare, others_wait: bool) -> bool:
        """Handle messages; without one, read again."""
        points = 1 if others_wait else share.left
        self.turns.append(points)
        if self.buffered:
            self._handle(points)
            if self.buffered or others_wait:
                return True
        self.is_held = False
        return False

    def _handle(self, points: int) -> None:
        while self.buffered and points > 0:
            self.buffered -= 1
            points -= self.cost
            self.share.charge(self.cost)


class FairnessCase(SynchronousTestCase):
    """A test with rounds that it begins by hand."""

    def setUp(self) -> None:
        """Start with no address."""
        self.clock = Clock()
        self.due: list[Callable[[], None]] = []
        self.fair = self.rounds(Limits())
        # Another address is active too, so that nobody is alone.
        Connection(self.fair, AddressKey("192.0.2.99")).share.charge(1)

    def rounds(self, limits: Limits) -> FairRounds:
        """Return rounds with these limits."""
        budget = AddressBudget(message_rate(limits))
        return FairRounds(self.clock.seconds, self.clock.callLater, self.due.append, budget)

    def next_round(self) -> None:
        """Begin the next round."""
        due, self.due[:] = self.due[:], []
        for call in due:
            call()

    def rounds_until_idle(self) -> int:
        """Begin rounds until none is announced; return their number."""
        count = 0
        while self.due:
            self.next_round()
            count += 1
            self.assertLess(count, 10_000, "the rounds never end")
        return count


class ShareTests(FairnessCase):
    """What the connections of an address may spend."""

    def test_connections_of_an_address_share(self) -> None:
        """What one connection spends is missing for the others of its address, and for nobody else."""
        first, second, other = (Connection(self.fair, key) for key in (HOME, HOME, AWAY))
        first.share.charge(QUANTUM)
        self.assertEqual([each.share.is_open for each in (first, second, other)], [False, False, True])
        self.next_round()
        self.assertTrue(second.share.is_open)

    def test_networks(self) -> None:
        """The addresses of an IPv6 /48 take turns together; IPv4 addresses do not."""
        keys = [address_key(text) for text in ("2001:db8:1:2::1", "2001:db8:1:3::1", "2001:db8:2:3::1")]
        shares = [Connection(self.fair, key).share for key in keys]
        self.assertIs(shares[0].turns, shares[1].turns)
        self.assertIsNot(shares[0].turns, shares[2].turns)
        self.assertIsNot(shares[0], shares[1])

    def test_a_network_of_which_one_address_ends(self) -> None:
        """The addresses of an IPv6 /48 take turns together until the last one has ended."""
        first, second = (Connection(self.fair, address_key(f"2001:db8:1:{number}::1")) for number in range(2))
        first.share.leave(first)
        self.assertIs(Connection(self.fair, address_key("2001:db8:1:9::1")).share.turns, second.share.turns)

    def test_one_call_a_round(self) -> None:
        """However many addresses spend much, one call is scheduled, and none while each spends little."""
        shares = [Connection(self.fair, AddressKey(f"192.0.2.{number}")).share for number in range(50)]
        for share in shares:
            share.charge(QUANTUM - REFILL_BELOW)
        self.assertEqual(self.due, [])
        for share in shares:
            share.charge(1)
            share.charge(1)
        rounds = 0
        while self.due:
            self.assertEqual(len(self.due), 1)
            self.next_round()
            rounds += 1
        # Four of them in each round get half of the points that one alone would get.
        self.assertEqual(rounds, (len(shares) + 3) // 4)
        self.assertTrue(all(share.left >= REFILL_BELOW for share in shares))

    def test_debt(self) -> None:
        """A costly message is paid in the rounds that follow, in a bounded number of them."""
        share = Connection(self.fair, HOME).share
        share.charge(QUANTUM * 3)
        self.next_round()
        self.next_round()
        self.assertFalse(share.is_open)
        self.next_round()
        self.assertEqual(share.left, QUANTUM)
        share.charge(1 << 40)
        self.assertEqual(self.rounds_until_idle(), MAX_DEBT // QUANTUM + 1)

    def test_ended(self) -> None:
        """An address is forgotten with its last connection, which has no turn any more."""
        first, second = Connection(self.fair, HOME), Connection(self.fair, HOME)
        for each in (first, second):
            each.read(50)
        first.share.leave(first)
        second.share.leave(second)
        second.share.leave(second)
        self.rounds_until_idle()
        self.assertEqual((first.turns, second.turns), ([], []))
        self.assertIsNot(Connection(self.fair, HOME).share, first.share)

    def test_elements(self) -> None:
        """The elements of a message's JSON cost points, and a long string costs none besides its bytes."""
        self.assertEqual(element_points(b"0," * (ELEMENTS_PER_POINT * 20)), 20)
        self.assertEqual(element_points(b"x" * 60000), 0)

    def test_alone(self) -> None:
        """An address may spend more in a round when no other has spent anything for a second, and not longer."""
        share, other = Connection(self.fair, HOME).share, Connection(self.fair, AWAY).share
        other.charge(1)
        for seconds, quantum in ((0.0, QUANTUM), (ALONE_SECONDS / 2, QUANTUM), (ALONE_SECONDS, ALONE_QUANTUM)):
            self.clock.advance(seconds - self.clock.seconds())
            share.charge(QUANTUM)
            self.rounds_until_idle()
            self.assertEqual(share.left, quantum)
        other.charge(1)
        self.assertEqual(share.left, QUANTUM)
        share.charge(QUANTUM)
        self.rounds_until_idle()
        self.assertEqual(share.left, QUANTUM)


class TurnTests(FairnessCase):
    """Whose turn comes when."""

    def test_alone(self) -> None:
        """A connection that is alone spends the whole share of every round."""
        busy = Connection(self.fair, HOME)
        busy.read(80)
        rounds = self.rounds_until_idle()
        self.assertEqual((busy.buffered, busy.is_held), (0, False))
        self.assertLessEqual(rounds, 80 * FRAME_POINTS // QUANTUM + 1)
        self.assertGreater(min(busy.turns), QUANTUM - FRAME_POINTS)

    def test_in_turn(self) -> None:
        """Connections that wait have a message handled each, before the first has a second one."""
        many = [Connection(self.fair, HOME) for _ in range(30)]
        for each in many:
            each.read(5)
        self.assertTrue(all(each.is_held for each in many))
        while self.due:
            self.next_round()
            left = [each.buffered for each in many[2:]]
            self.assertLessEqual(max(left) - min(left), 1)
        self.assertEqual(left, [0] * 28)
        self.assertFalse(any(each.is_held for each in many))

    def test_a_turn_to_read(self) -> None:
        """While others wait, a connection reads again in a turn of its own, and what it reads then is handled."""
        flood, other = Connection(self.fair, HOME), Connection(self.fair, HOME)
        flood.read(1000)
        other.read(1)
        self.next_round()
        self.assertEqual((other.buffered, other.is_held), (0, False))
        other.read(1)
        self.assertEqual((other.buffered, other.is_held), (0, False))
        other.read(1)
        self.assertEqual((other.buffered, other.is_held), (1, True))

    def test_a_turn_to_read_in_a_round_that_is_spent(self) -> None:
        """A costly message of one connection that reads in its turn leaves nothing for the others of that round."""
        many = [Connection(self.fair, HOME, cost=QUANTUM * 2) for _ in range(4)]
        for each in many:
            each.hold()
            each.share.wait(each)
        self.next_round()
        self.assertFalse(any(each.is_held for each in many))
        for each in many[:3]:
            each.read(1)
        self.assertEqual([each.buffered for each in many], [0, 1, 1, 0])
        self.rounds_until_idle()
        self.assertEqual([each.buffered for each in many], [0, 0, 0, 0])

    def test_a_turn_to_read_ends_with_its_round(self) -> None:
        """A connection that has nothing to read in its turn waits again when it reads in a later round."""
        flood, other = Connection(self.fair, HOME), Connection(self.fair, HOME)
        flood.read(1000)
        other.read(1)
        self.next_round()
        self.next_round()
        other.read(1)
        self.assertEqual((other.buffered, other.is_held), (1, True))

    def test_held(self) -> None:
        """When a second connection has to wait in a round, all of the address are held, at most once in a while."""
        many = [Connection(self.fair, HOME) for _ in range(5)]
        many[0].read(1000)
        many[1].read(1)
        self.assertEqual([each.is_held for each in many], [True, True, False, False, False])
        many[2].read(1)
        self.assertTrue(all(each.is_held for each in many))
        for moment, is_held in ((HOLD_SECONDS / 2, False), (HOLD_SECONDS, True)):
            self.clock.advance(moment - self.clock.seconds())
            while many[4].is_held or many[3].is_held or many[2].is_held:
                self.next_round()
            self.next_round()
            many[2].read(1)
            many[3].read(1)
            self.assertIs(many[4].is_held, is_held)

    def test_who_leaves_in_its_turn(self) -> None:
        """A connection that ends in its turn, or becomes a WebSocket, gets no turn to read, and is never held."""

        class Leaving(Connection):
            def take_turn(self, share: AddressShare, others_wait: bool) -> bool:
                share.leave(self)
                return super().take_turn(share, others_wait) or self.cost == 1

        first, second, third = Leaving(self.fair, HOME), Leaving(self.fair, HOME, cost=1), Connection(self.fair, HOME)
        first.share.charge(QUANTUM)
        for connection in (first, second, third):
            connection.hold()
            first.share.wait(connection)
        self.next_round()
        self.assertFalse(any(each.is_held for each in (first, second, third)))
        self.assertEqual([each.turns for each in (first, second, third)], [[1], [1], [QUANTUM]])
        self.assertEqual(third.share.left, QUANTUM)
        third.share.charge(QUANTUM)
        third.share.charge_end(1)
        self.assertFalse(first.is_held or second.is_held)

    def test_ends(self) -> None:
        """The end of a connection that spends the round takes the turns to read of the others back."""
        many = [Connection(self.fair, HOME) for _ in range(4)]
        for each in many:
            each.hold()
            each.share.wait(each)
        self.next_round()
        many[0].share.leave(many[0])
        many[0].share.charge_end(1)
        self.assertFalse(any(each.is_held for each in many[1:]))
        many[1].share.leave(many[1])
        many[1].share.charge_end(QUANTUM)
        self.assertEqual([each.is_held for each in many[2:]], [True, True])
        self.rounds_until_idle()
        self.assertEqual([each.is_held for each in many[2:]], [False, False])

    def test_many_addresses(self) -> None:
        """A round gives turns to some addresses, and the next ones to the others: its length has a bound."""
        many = [Connection(self.fair, AddressKey(f"192.0.2.{number}")) for number in range(ADDRESSES_PER_ROUND * 3)]
        for each in many:
            each.read(1000)
        # On a fast machine a round has points for more addresses than may have turns in it.
        self.fair._point_seconds = LEAST_POINT_SECONDS
        had_turns = 0
        for _ in range(20):
            self.next_round()
            now = sum(map(len, (each.turns for each in many)))
            self.assertLessEqual(now - had_turns, ADDRESSES_PER_ROUND)
            had_turns = now
        self.assertTrue(all(each.turns for each in many))

    def test_floods_from_many_addresses(self) -> None:
        """All addresses together spend a round's points in a round; one that spends little is served in each."""
        many = [Connection(self.fair, AddressKey(f"192.0.2.{number}")) for number in range(16)]
        quiet = Connection(self.fair, AddressKey("198.51.100.1"))
        for each in many:
            each.read(1000)
        for _ in range(20):
            self.next_round()
        spent = []
        for _ in range(200):
            before = 16000 - sum(each.buffered for each in many)
            quiet.read(1)
            self.assertEqual((quiet.buffered, quiet.is_held), (0, False))
            self.next_round()
            spent.append((16000 - sum(each.buffered for each in many) - before) * FRAME_POINTS)
        # 48 points are given out in a round, and each of the four addresses may exceed its part by a message.
        self.assertLessEqual(max(spent), 48 + 4 * FRAME_POINTS)
        self.assertLessEqual(sum(spent) / len(spent), 48)
        handled = [1000 - each.buffered for each in many]
        self.assertLess(max(handled) - min(handled), 40)

    def test_a_debt_among_many(self) -> None:
        """An address in debt is served although many others spend all points of each round, none of them much."""
        debtor = Connection(self.fair, HOME)
        debtor.share.charge(4 * QUANTUM)
        many = [Connection(self.fair, AddressKey(f"198.51.100.{number}")).share for number in range(10)]
        for _ in range(12):
            for share in many:
                share.turns.left = REFILL_BELOW
                share.charge(1)
            self.next_round()
        self.assertTrue(debtor.share.is_open)

    def test_a_fast_machine(self) -> None:
        """Where points take less time than they may, a round has more of them; a slow machine gets no fewer."""
        share = Connection(self.fair, HOME).share
        for seconds, quantum in ((25e-6, QUANTUM), (5e-6, 5 * QUANTUM), (1.0, QUANTUM), (1e-9, 10 * QUANTUM)):
            for _ in range(100):
                # The address is never refilled to the brim, so that rounds follow each other.
                share.charge(300)
                self.clock.advance(300 * seconds)
                self.fair._alone_from = self.clock.seconds() + ALONE_SECONDS
                self.next_round()
            share.turns.left = -100
            self.next_round()
            self.assertLess(abs(share.left + 100 - quantum), 3, seconds)
        # The time in which the server had nothing to do belongs to no round.
        self.rounds_until_idle()
        for _ in range(20):
            share.charge(share.left + 1)
            self.clock.advance(60.0)
            self.fair._alone_from = self.clock.seconds() + ALONE_SECONDS
            self.next_round()
            self.assertEqual(self.due, [])
        share.turns.left = -100
        share.charge(0)
        self.next_round()
        self.assertLess(abs(share.left + 100 - 10 * QUANTUM), 3)


class RateTests(FairnessCase):
    """An address that exceeds its rate limit is not read from until it has tokens again."""

    limits = Limits(address_message_rate=100.0, address_message_burst=100, network_factor=2)
    spent = 100 * FRAME_POINTS
    """The points of the burst."""

    def setUp(self) -> None:
        """Start with low limits."""
        super().setUp()
        self.fair = self.rounds(self.limits)
        Connection(self.fair, AddressKey("192.0.2.99")).share.charge(1)

    def pass_rounds(self) -> None:
        """Begin rounds until none is announced."""
        while self.due:
            self.next_round()

    def test_within_the_burst(self) -> None:
        """What is within the burst is charged and holds nobody."""
        first = Connection(self.fair, HOME)
        first.share.charge(self.spent)
        self.pass_rounds()
        self.assertEqual((first.is_held, first.share.is_open), (False, True))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_all_connections_are_held(self) -> None:
        """Beyond the burst all connections are held at once, and read again when there are tokens; none before."""
        many = [Connection(self.fair, HOME) for _ in range(3)]
        other = Connection(self.fair, AWAY)
        many[0].share.charge(self.spent + 10 * FRAME_POINTS)
        self.assertTrue(many[0].share.is_over_rate)
        self.assertEqual([each.is_held for each in (*many, other)], [True, True, True, False])
        self.pass_rounds()
        self.assertEqual([each.turns for each in many], [[], [], []])
        self.assertFalse(many[0].share.is_open)
        self.assertTrue(other.share.is_open)
        # Ten tokens are owed, and five more are waited for.
        self.clock.advance(0.14)
        self.pass_rounds()
        self.assertTrue(many[2].is_held)
        self.clock.advance(0.02)
        self.pass_rounds()
        self.assertEqual([each.is_held for each in many], [False, False, False])
        self.assertTrue(many[0].share.is_open)
        self.assertEqual(self.fair.metrics.limits["address_message_rate"], 1)

    def test_who_waited_before(self) -> None:
        """A connection that waits for its turn when the address exceeds its rate keeps its input until then."""
        flood, other = Connection(self.fair, HOME), Connection(self.fair, HOME)
        flood.read(300)
        other.read(1)
        self.rounds_until_idle()
        self.assertTrue(flood.share.is_over_rate)
        handled = 300 - flood.buffered
        self.assertLess(handled, 110)
        self.clock.advance(1.0)
        self.rounds_until_idle()
        self.assertEqual(other.buffered, 0)
        self.assertLess(300 - flood.buffered - handled, 120)
        self.clock.pump([0.1] * 50)
        for _ in range(60):
            self.clock.advance(0.1)
            self.rounds_until_idle()
        self.assertEqual((flood.buffered, flood.is_held), (0, False))

    def test_addresses_of_a_network(self) -> None:
        """A /64 has the rate of an address, and its /48 that of several; the others of the /48 go on below that."""
        keys = [address_key(f"2001:db8:1:{number}::1") for number in range(3)]
        first, second, third = (Connection(self.fair, key) for key in keys)
        first.share.charge(self.spent + FRAME_POINTS)
        self.assertEqual([each.share.is_over_rate for each in (first, second, third)], [True, False, False])
        self.pass_rounds()
        self.assertTrue(second.share.is_open)
        second.share.charge(self.spent)
        self.assertTrue(second.share.is_over_rate)
        third.share.charge(SETTLED_POINTS)
        self.assertTrue(third.share.is_over_rate)

    def test_a_network_that_spends_meanwhile(self) -> None:
        """An address goes on waiting if its tokens are there and those of its /48 are not."""
        keys = [address_key(f"2001:db8:1:{number}::1") for number in range(4)]
        first, *others = (Connection(self.fair, key) for key in keys)
        first.share.charge(self.spent + FRAME_POINTS)
        for other in others:
            other.share.charge(self.spent - FRAME_POINTS)
        self.clock.advance(0.1)
        self.assertEqual((first.share.is_over_rate, first.is_held), (True, True))
        self.clock.advance(5.0)
        self.pass_rounds()
        self.assertEqual((first.share.is_over_rate, first.is_held), (False, False))

    def test_the_last_connection_ends(self) -> None:
        """Nothing is left of an address without connections but its debt, which the next connection meets."""
        first, second = Connection(self.fair, HOME), Connection(self.fair, HOME)
        first.share.charge(self.spent + FRAME_POINTS)
        first.share.leave(first)
        second.share.leave(second)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        again = Connection(self.fair, HOME)
        self.assertTrue(again.share.is_over_rate)
        self.assertFalse(again.share.is_open)
        again.read(1)
        self.rounds_until_idle()
        self.assertEqual(again.buffered, 1)
        self.clock.advance(1.0)
        self.rounds_until_idle()
        self.assertEqual(again.buffered, 0)

    def test_little_by_little(self) -> None:
        """Points below those that are settled together are charged when the last connection ends."""
        for _ in range(2 * self.spent):
            each = Connection(self.fair, HOME)
            each.share.charge(1)
            each.share.leave(each)
        self.assertTrue(Connection(self.fair, HOME).share.is_over_rate)


class PropertyTests(SynchronousTestCase):
    """Whatever addresses send, nobody starves, and whoever stays below its share waits for nobody."""

    @given(
        st.lists(
            st.tuples(st.integers(0, 19), st.integers(0, 3), st.integers(1, 5), st.integers(1, 4 * QUANTUM)),
            min_size=1,
            max_size=80,
        ),
        st.sampled_from([MOST_POINT_SECONDS, LEAST_POINT_SECONDS]),
    )
    def test_everyone_is_served(self, reads: list[tuple[int, int, int, int]], point_seconds: float) -> None:
        """Every connection that waits has a turn within a bounded number of rounds.

        Each address needs so many rounds as its debt and one message of each of its waiting connections take, and the
        addresses that wait take turns, eight in a round.
        """
        case = FairnessCase()
        case.setUp()
        case.fair._point_seconds = point_seconds
        connections: dict[tuple[int, int], Connection] = {}
        waits: dict[Connection, int] = {}
        for address, number, messages, cost in reads:
            key = AddressKey(f"192.0.2.{address}")
            each = connections.get((address, number))
            if each is None:
                each = connections[address, number] = Connection(case.fair, key)
            each.cost = cost
            each.read(messages)
            self._next_round(case, connections.values(), waits)
        while case.due:
            self._next_round(case, connections.values(), waits)
        self.assertEqual([each.buffered for each in connections.values()], [0] * len(connections))
        self.assertFalse(any(each.is_held for each in connections.values()))

    def _next_round(self, case: FairnessCase, connections: Iterable[Connection], waits: dict[Connection, int]) -> None:
        """Begin a round, and assert that nobody has waited for too many of them."""
        before = {each: len(each.turns) for each in connections}
        case.next_round()
        most_points = 4 * 4 * QUANTUM + MAX_DEBT
        most_rounds = (most_points // QUANTUM + 2) * (20 // ADDRESSES_PER_ROUND + 1)
        for each, turns in before.items():
            waits[each] = waits.get(each, 0) + 1 if each.is_held and len(each.turns) == turns else 0
            self.assertLessEqual(waits[each], most_rounds)

    @given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 50), st.integers(1, 4 * QUANTUM)), max_size=60))
    def test_who_is_below_its_share_waits_for_nobody(self, reads: list[tuple[int, int, int]]) -> None:
        """A message in each round is handled at once, whatever another address sends."""
        case = FairnessCase()
        case.setUp()
        flood = [Connection(case.fair, HOME) for _ in range(10)]
        quiet = Connection(case.fair, AWAY)
        for number, messages, cost in reads:
            flood[number].cost = cost
            flood[number].read(messages)
            quiet.read(1)
            self.assertEqual((quiet.buffered, quiet.is_held), (0, False))
            case.next_round()
