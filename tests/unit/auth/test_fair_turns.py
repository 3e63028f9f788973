"""Slow checks that run when it is the turn of their address."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from signald.auth.fair_turns import FairTurns, NoTurnError
from signald.core.fair_queue import QueueBounds
from signald.core.limits import AddressKey

ANN, BOB = AddressKey("192.0.2.1"), AddressKey("192.0.2.2")


class FairTurnsTests(SynchronousTestCase):
    """Checks that the test ends by hand, one at a time."""

    def setUp(self) -> None:
        """Create turns for one check at a time."""
        self.turns = FairTurns.of(QueueBounds(running=1, running_per_group=1, waiting=4, waiting_per_address=2))
        self.running: list[Deferred[str]] = []

    def run_check(self, address: AddressKey = ANN, preferred: bool = False) -> Deferred[str]:
        """Ask for a turn for a check that ends when the test says so."""

        def begin() -> Deferred[str]:
            check: Deferred[str] = Deferred()
            self.running.append(check)
            return check

        return self.turns.run(address, begin, preferred=preferred)

    def test_result(self) -> None:
        """The deferred fires with the result of the check, and the next check starts."""
        first, second = self.run_check(), self.run_check()
        self.assertEqual(len(self.running), 1)
        self.running[0].callback("one")
        self.assertEqual(self.successResultOf(first), "one")
        self.running[1].callback("two")
        self.assertEqual(self.successResultOf(second), "two")

    def test_failure(self) -> None:
        """A failure reaches the one that asked, also of a check that cannot be started, and the next check starts."""
        broken = self.turns.run(ANN, lambda: succeed(str(1 // 0)))
        self.failureResultOf(broken, ZeroDivisionError)
        first, second = self.run_check(), self.run_check()
        self.running[0].errback(ValueError())
        self.failureResultOf(first, ValueError)
        self.running[1].callback("two")
        self.assertEqual(self.successResultOf(second), "two")

    def test_the_turn_ends_after_the_delivery(self) -> None:
        """The next check starts when everything was done with the result of the one before."""
        first = self.run_check()
        self.run_check()
        seen: list[int] = []
        first.addCallback(lambda _: seen.append(len(self.running)))
        self.running[0].callback("one")
        self.assertEqual((seen, len(self.running)), ([1], 2))

    def test_no_turn(self) -> None:
        """A check beyond the bounds gets no turn, or takes the place of one that is less urgent."""
        self.run_check()
        waiting = [self.run_check(), self.run_check()]
        self.failureResultOf(self.run_check(), NoTurnError)
        preferred = self.run_check(preferred=True)
        self.failureResultOf(waiting[1], NoTurnError)
        self.assertNoResult(waiting[0])
        self.running[0].callback("one")
        self.running[1].callback("two")
        self.assertEqual(self.successResultOf(preferred), "two")

    def test_many_checks_that_end_at_once(self) -> None:
        """Checks that end at once do not nest: their number is not bounded by the depth of the stack."""
        self.turns = FairTurns.of(QueueBounds(running=1, running_per_group=1, waiting=5000, waiting_per_address=5000))
        blocked = self.run_check()
        results = [self.turns.run(BOB, lambda: succeed("ended")) for _ in range(3000)]
        self.running[0].callback("one")
        self.successResultOf(blocked)
        self.assertEqual({self.successResultOf(result) for result in results}, {"ended"})

    def test_a_waiting_check_is_cancelled(self) -> None:
        """A check that is cancelled before its turn is never started, and leaves its place."""
        self.run_check()
        waiting = self.run_check()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(len(self.turns.queue), 0)
        self.running[0].callback("one")
        self.assertEqual(len(self.running), 1)

    def test_a_running_check_is_cancelled(self) -> None:
        """A check that is cancelled while it runs ends its turn."""
        running, waiting = self.run_check(), self.run_check()
        running.cancel()
        self.failureResultOf(running, CancelledError)
        self.running[1].callback("two")
        self.assertEqual(self.successResultOf(waiting), "two")
