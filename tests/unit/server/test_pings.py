"""Silent connections are pinged, and those that do not answer are aborted, in small portions of a round."""

from __future__ import annotations

import random
from collections import Counter

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from signald.core.limits import Limits
from signald.server.pings import (
    LATE_SECONDS,
    SLOT_CONNECTIONS,
    STEPS,
    VISITS_PER_ROUND,
    Pings,
    SilenceWheel,
)


class Peer:
    """A connection that records what is done to it, and may answer pings.

    Attributes:
        pinged: when it was sent pings.
        aborted: when it was aborted.

    """

    pong_due: float | None = None
    ping_slot = -1
    silent_since = 0.0

    def __init__(self, clock: Clock, *, answers: bool = False, fails: bool = False) -> None:
        self.clock = clock
        self.answers = answers
        self.fails = fails
        self.heard_at = clock.seconds()
        self.is_pingable = True
        self.is_held = False
        self.pinged: list[float] = []
        self.aborted: list[float] = []

    def send_ping(self) -> None:
        """Record the ping, and answer it or raise."""
        self.pinged.append(self.clock.seconds())
        if self.answers:
            self.hear()
        if self.fails:
            raise ArithmeticError("ping")

    def abort_unanswered(self) -> None:
        """Record the abort."""
        self.aborted.append(self.clock.seconds())
        self.is_pingable = False

    def hear(self) -> None:
        """Receive something from the peer."""
        self.heard_at = self.clock.seconds()


class WheelTests(SynchronousTestCase):
    """The wheel tells what is due at a given time."""

    def setUp(self) -> None:
        """Create a wheel with the default intervals."""
        self.clock = Clock()
        self.wheel: SilenceWheel[Peer] = SilenceWheel(20.0, 10.0)

    def visit(self, time: float, most: int = 1000) -> tuple[list[Peer], list[Peer]]:
        """Advance the clock to a time, and visit what is due then."""
        self.clock.advance(time - self.clock.seconds())
        return self.wheel.visit(time, most)

    def add(self, time: float = 0.0) -> Peer:
        """Add a connection at a time."""
        self.clock.advance(time - self.clock.seconds())
        peer = Peer(self.clock)
        self.wheel.add(peer, time)
        return peer

    def test_empty(self) -> None:
        """A wheel without connections has nothing due."""
        self.assertIsNone(self.wheel.next_visit)
        self.assertEqual(self.visit(100.0), ([], []))

    def test_silence(self) -> None:
        """A silent connection is pinged after the first interval, is dead after the second, and is gone then."""
        peer = self.add()
        self.assertEqual(self.wheel.next_visit, 20.0)
        self.assertEqual(self.visit(19.99), ([], []))
        self.assertEqual(self.visit(20.0), ([peer], []))
        self.assertEqual(self.wheel.next_visit, 30.0)
        self.assertEqual(self.visit(29.99), ([], []))
        self.assertEqual(len(self.wheel), 1)
        self.assertEqual(self.visit(30.0), ([], [peer]))
        self.assertEqual((len(self.wheel), self.wheel.next_visit), (0, None))

    def test_at_most_one_step_late(self) -> None:
        """Whenever a connection is heard last, it is pinged and dead at most one step after its intervals."""
        for start in (0.001, 3.14159, 777.7777):
            peer = self.add(self.clock.seconds() + start)
            pinged = self.wheel.next_visit
            assert pinged is not None
            self.assertTrue(0 <= pinged - peer.heard_at - 20.0 < self.wheel.step)
            self.assertEqual(self.visit(pinged), ([peer], []))
            dead = self.wheel.next_visit
            assert dead is not None
            self.assertTrue(0 <= dead - pinged - 10.0 < self.wheel.step)
            self.assertEqual(self.visit(dead), ([], [peer]))

    def test_heard_before_the_ping(self) -> None:
        """A connection that was heard is pinged only when it has been silent for the whole interval since then."""
        peer = self.add()
        for time in (7.0, 15.0):
            self.visit(time)
            peer.hear()
        self.assertEqual(self.visit(20.0), ([], []))
        self.assertEqual(self.visit(34.99), ([], []))
        self.assertEqual(self.visit(35.0), ([peer], []))

    def test_heard_after_the_ping(self) -> None:
        """A connection that was heard after its ping lives, and is pinged after the interval from then on."""
        peer = self.add()
        self.visit(20.0)
        self.visit(20.5)
        peer.hear()
        self.assertEqual(self.visit(30.0), ([], []))
        self.assertEqual(self.visit(40.0), ([], []))
        self.assertEqual(self.visit(40.5), ([peer], []))

    def test_closing(self) -> None:
        """A connection that is closing when it is due is watched no longer."""
        peer = self.add()
        peer.is_pingable = False
        self.assertEqual(self.visit(20.0), ([], []))
        self.assertEqual((len(self.wheel), self.wheel.next_visit), (0, None))

    def test_held(self) -> None:
        """A connection that is not read from is neither pinged nor dead; when it is read from, it is pinged again."""
        peer = self.add()
        self.visit(20.0)
        peer.is_held = True
        for _ in range(6):
            due = self.wheel.next_visit
            assert due is not None
            self.assertEqual(self.visit(due), ([], []))
        peer.is_held = False
        self.assertEqual(self.visit(37.0), ([peer], []))
        self.assertEqual(self.visit(46.9), ([], []))
        self.assertEqual(self.visit(47.0), ([], [peer]))

    def test_removed(self) -> None:
        """A removed connection is not visited; to remove it again, or one that was never added, changes nothing."""
        peer, other = self.add(), self.add()
        for _ in range(2):
            self.wheel.remove(peer)
        self.wheel.remove(Peer(self.clock))
        self.assertEqual(len(self.wheel), 1)
        self.assertEqual(self.visit(20.0), ([other], []))

    def test_bounded_visits(self) -> None:
        """No more connections are visited than asked for, and the others are due still."""
        peers = [self.add() for _ in range(5)]
        first, _ = self.visit(20.0, 3)
        self.assertEqual((len(first), self.wheel.next_visit), (3, 20.0))
        second, _ = self.visit(20.0, 3)
        self.assertEqual(sorted(map(id, first + second)), sorted(map(id, peers)))

    def test_few_are_not_spread(self) -> None:
        """A few connections that are due at once are pinged at once, after the whole interval."""
        peers = [self.add() for _ in range(SLOT_CONNECTIONS)]
        self.assertEqual(self.visit(19.99), ([], []))
        self.assertEqual(len(self.visit(20.0)[0]), len(peers))

    def test_many_are_spread(self) -> None:
        """Of thousands that begin at once, each step has a like number, in the second half of the interval."""
        count = 10_000
        for _ in range(count):
            self.add()
        sizes = Counter[float]()
        while (due := self.wheel.next_visit) is not None and due <= 20.0:
            sizes[due] += len(self.visit(due)[0])
        self.assertEqual(sizes.total(), count)
        self.assertGreaterEqual(min(sizes), 10.0)
        self.assertLessEqual(max(sizes.values()), count // STEPS + 1)

    def test_without_room_before(self) -> None:
        """Connections that were heard long ago are due one interval after that, however many they are."""
        many = 3 * SLOT_CONNECTIONS
        peers = [self.add() for _ in range(many)]
        self.visit(0.01)
        for peer in peers:
            peer.hear()
        self.clock.advance(19.98)
        self.assertEqual(self.visit(19.99), ([], []))
        latest = 20.01 + self.wheel.step
        self.assertEqual(len(self.visit(latest)[0]), many)

    def test_long_intervals(self) -> None:
        """Where one interval is much longer than the other, the search for a step with room is bounded."""
        wheel: SilenceWheel[Peer] = SilenceWheel(3600.0, 10.0)
        for _ in range(STEPS * SLOT_CONNECTIONS + 1):
            wheel.add(Peer(self.clock), 0.0)
        due = wheel.next_visit
        assert due is not None
        self.assertGreater(due, 3600.0 - STEPS * wheel.step - 1e-6)

    def test_no_live_peer_is_aborted_and_no_dead_one_kept(self) -> None:
        """In a random life of many connections nothing dies before both intervals or lives past them by two steps.

        Nobody is pinged within half an interval after it was heard.
        """
        self.live_at_random(20.0, 10.0)

    def test_pongs_that_may_take_longer_than_the_ping_interval(self) -> None:
        """The same holds where the second interval is the longer one, and a peer that answers is pinged in each."""
        self.live_at_random(5.0, 20.0)
        self.wheel = SilenceWheel(5.0, 20.0)
        start = self.clock.seconds()
        peer = self.add(start)
        for pings in range(1, 4):
            self.assertEqual(self.visit(start + 5.1 * pings), ([peer], []))
            peer.hear()
        self.clock.advance(5.1)
        self.assertEqual(self.visit(start + 20.4), ([peer], []))
        self.assertEqual(self.visit(start + 40.3), ([], []))
        self.assertEqual(self.visit(start + 40.5), ([], [peer]))

    def live_at_random(self, ping_seconds: float, pong_seconds: float) -> None:
        """Hear and lose connections at random for 300 s, and compare what the wheel tells with what is so."""
        rng = random.Random(20)
        most = ping_seconds + pong_seconds
        end = self.clock.seconds() + 300.0
        wheel: SilenceWheel[Peer] = SilenceWheel(ping_seconds, pong_seconds)
        living, gone = [Peer(self.clock) for _ in range(400)], set[Peer]()
        for peer in living:
            wheel.add(peer, self.clock.seconds())
        while self.clock.seconds() < end:
            self.clock.advance(0.03)
            now = self.clock.seconds()
            for peer in rng.sample(living, 3):
                if rng.random() < 0.01:
                    gone.add(peer)
                elif peer not in gone:
                    peer.hear()
            silent, dead = wheel.visit(now, 1000)
            for peer in silent:
                self.assertGreaterEqual(now - peer.heard_at, ping_seconds / 2 - 1e-6)
                if peer not in gone:
                    peer.hear()
            for peer in dead:
                self.assertIn(peer, gone)
                self.assertLess(now - peer.heard_at, most + 2 * wheel.step + 0.06)
                living.remove(peer)
                gone.remove(peer)
            late = [peer for peer in gone if now - peer.heard_at > most + 2 * wheel.step + 0.06]
            self.assertEqual(late, [])
        self.assertLess(len(living), 380)
        self.assertEqual(len(wheel), len(living))


class PingsTests(SynchronousTestCase):
    """The timer pings, aborts, and does a bounded amount of work in one round of the reactor."""

    def setUp(self) -> None:
        """Start to watch no connections."""
        self.clock = Clock()
        self.pings: Pings[Peer] = Pings(self.clock, Limits())

    def watch(self, count: int = 1, *, answers: bool = False, fails: bool = False) -> list[Peer]:
        """Watch new connections."""
        peers = [Peer(self.clock, answers=answers, fails=fails) for _ in range(count)]
        for peer in peers:
            self.pings.watch(peer)
        return peers

    def test_silence(self) -> None:
        """A silent connection is pinged once, and aborted once."""
        (peer,) = self.watch()
        self.clock.pump([0.1] * 400)
        self.assertEqual(len(peer.pinged), 1)
        self.assertEqual(len(peer.aborted), 1)
        self.assertTrue(20.0 <= peer.pinged[0] < 20.2)
        self.assertTrue(10.0 <= peer.aborted[0] - peer.pinged[0] < 10.2)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_answers(self) -> None:
        """A connection that answers is pinged in each interval, with one delayed call for all connections."""
        peers = self.watch(100, answers=True)
        for _ in range(2000):
            self.clock.advance(0.1)
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        for peer in peers:
            self.assertIn(len(peer.pinged), (9, 10))
            self.assertEqual(peer.aborted, [])

    def test_sleep(self) -> None:
        """The timer sleeps until a connection is due: with one, it fires for the ping and for the pong timeout."""
        (peer,) = self.watch(answers=True)
        (call,) = self.clock.getDelayedCalls()
        self.assertEqual(call.getTime(), 20.0)
        self.clock.advance(20.0)
        (call,) = self.clock.getDelayedCalls()
        self.assertEqual((call.getTime(), peer.pinged), (30.0, [20.0]))
        self.clock.advance(10.0)
        (call,) = self.clock.getDelayedCalls()
        self.assertEqual(call.getTime(), 40.0)

    def test_sooner(self) -> None:
        """The timer fires sooner when a connection is due before the one that it waits for."""
        self.watch(SLOT_CONNECTIONS)
        (call,) = self.clock.getDelayedCalls()
        before = call.getTime()
        self.watch()
        self.assertEqual([call.getTime()], [other.getTime() for other in self.clock.getDelayedCalls()])
        self.assertLess(call.getTime(), before)

    def test_forgotten(self) -> None:
        """With the last connection the timer ends; one that is forgotten twice counts once."""
        first, second = self.watch(2)
        self.pings.forget(first)
        self.pings.forget(first)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.pings.forget(second)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.pings.forget(second)
        self.clock.advance(60.0)
        self.assertEqual((first.pinged, second.pinged), ([], []))

    def test_failing_connection(self) -> None:
        """An exception in a connection's ping is logged, and the others are pinged all the same."""
        failing, fine = *self.watch(fails=True), *self.watch()
        self.clock.advance(20.0)
        self.assertEqual((len(failing.pinged), len(fine.pinged)), (1, 1))
        self.assertEqual(len(self.flushLoggedErrors(ArithmeticError)), 1)

    def test_rounds(self) -> None:
        """When hundreds are due at once after a stall, each round of the reactor visits a few of them."""
        peers = self.watch(10 * VISITS_PER_ROUND)
        self.clock.rightNow = 60.0
        rounds = 0
        while (pinged := sum(len(peer.pinged) for peer in peers)) < len(peers):
            self.clock.calls[0].func()
            rounds += 1
            del self.clock.calls[0]
            self.assertLessEqual(sum(len(peer.pinged) for peer in peers) - pinged, VISITS_PER_ROUND)
        self.assertGreaterEqual(rounds, 10)
        self.assertEqual([peer for peer in peers if peer.aborted], [])

    def test_pongs_that_wait_after_a_stall(self) -> None:
        """After a stall the reactor reads before a connection is aborted, so that a pong that waits is heard."""
        living, dead = self.watch(2)
        self.clock.advance(20.0)
        self.clock.rightNow = 30.0 + LATE_SECONDS + 0.1
        (call,) = self.clock.calls
        self.clock.calls.clear()
        call.func()
        living.hear()
        self.clock.advance(0)
        self.assertEqual((living.aborted, len(dead.aborted)), ([], 1))

    def test_other_limits(self) -> None:
        """Other intervals are for other connections; other limits than the intervals change nothing."""
        self.assertIs(self.pings.with_limits(Limits(message_bytes=2048)), self.pings)
        (old,) = self.watch()
        self.pings = self.pings.with_limits(Limits(ping_seconds=2.0))
        (new,) = self.watch()
        self.clock.pump([0.1] * 30)
        self.assertEqual((len(old.pinged), len(new.pinged)), (0, 1))
        self.assertEqual(len(self.clock.getDelayedCalls()), 2)
