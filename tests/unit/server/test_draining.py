"""Waiting for connections to end."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from signald.server.draining import ANSWER_SECONDS, Drain


class DrainTests(SynchronousTestCase):
    """Connections that go, or do not."""

    def setUp(self) -> None:
        """Two connections."""
        self.clock = Clock()
        self.connections = {"quick", "silent"}
        self.aborted: list[str] = []
        self.drain = Drain(self.connections, self.clock, self.abort_silent, self.abort)

    def abort_silent(self) -> None:
        """Those that are only waited for."""
        self.aborted.append("silent")

    def abort(self) -> None:
        """All."""
        self.aborted.append("all")

    def test_all_go(self) -> None:
        """It is over with the last one, and nothing is left to be done later."""
        done = self.drain.begin(5.0)
        self.connections.discard("quick")
        self.drain.look()
        self.assertNoResult(done)
        self.connections.clear()
        self.drain.look()
        self.successResultOf(done)
        self.assertEqual((self.aborted, self.clock.getDelayedCalls()), ([], []))

    def test_the_silent_ones_do_not_hold_it_up(self) -> None:
        """They are aborted long before the end."""
        done = self.drain.begin(5.0)
        self.clock.advance(ANSWER_SECONDS)
        self.assertEqual(self.aborted, ["silent"])
        self.connections.clear()
        self.drain.look()
        self.successResultOf(done)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_others_have_until_the_end(self) -> None:
        """Then all are aborted, and nobody is waited for."""
        done = self.drain.begin(5.0)
        self.clock.pump([1.0] * 5)
        self.assertEqual(self.aborted, ["silent", "all"])
        self.successResultOf(done)

    def test_a_short_time(self) -> None:
        """Ends for all of them at once."""
        done = self.drain.begin(ANSWER_SECONDS / 2)
        self.clock.advance(ANSWER_SECONDS)
        self.assertEqual(self.aborted, ["all"])
        self.successResultOf(done)
