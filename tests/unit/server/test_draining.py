"""Waiting for connections to end."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from signald.server.draining import ANSWER_SECONDS, ConnectionSet


class Connection:
    """A connection that records what is done to it."""

    def __init__(self, *, is_silent: bool, fails: bool = False) -> None:
        self.is_silent = is_silent
        self.fails = fails
        self.calls: list[str] = []

    def close_for_drain(self) -> None:
        """Record the call, and perhaps raise."""
        self._call("close")

    def abort(self) -> None:
        """Record the call, and perhaps raise."""
        self._call("abort")

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self.fails:
            raise ArithmeticError(name)


class DrainTests(SynchronousTestCase):
    """A drain waits for connections that close in time, and aborts the others."""

    def setUp(self) -> None:
        """Register a connection that has output to send and a silent one."""
        self.clock = Clock()
        self.connections: ConnectionSet[Connection] = ConnectionSet(self.clock)
        self.busy, self.silent = Connection(is_silent=False), Connection(is_silent=True)
        self.connections.add(self.busy)
        self.connections.add(self.silent)

    def test_all_go(self) -> None:
        """The drain is complete when the last connection closes, and leaves no delayed call pending."""
        self.assertFalse(self.connections.is_draining)
        drained = self.connections.drain(5.0)
        self.assertTrue(self.connections.is_draining)
        self.connections.discard(self.busy)
        self.assertNotIn(self.busy, self.connections)
        self.assertNoResult(drained)
        self.connections.discard(self.silent)
        self.successResultOf(drained)
        self.assertEqual((self.busy.calls, self.silent.calls), (["close"], ["close"]))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_silent_ones_do_not_hold_it_up(self) -> None:
        """A silent connection is aborted long before the deadline of the drain."""
        drained = self.connections.drain(5.0)
        self.clock.advance(ANSWER_SECONDS)
        self.assertEqual((self.busy.calls, self.silent.calls), (["close"], ["close", "abort"]))
        self.connections.discard(self.busy)
        self.connections.discard(self.silent)
        self.successResultOf(drained)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_others_have_until_the_end(self) -> None:
        """At the deadline every connection is aborted, and the drain does not wait for the aborts."""
        drained = self.connections.drain(5.0)
        self.clock.pump([1.0] * 5)
        self.assertEqual(self.busy.calls, ["close", "abort"])
        self.successResultOf(drained)

    def test_a_short_time(self) -> None:
        """If the drain is shorter than the timeout of silent connections, all connections are aborted together."""
        drained = self.connections.drain(ANSWER_SECONDS / 2)
        self.clock.advance(ANSWER_SECONDS)
        self.assertEqual((self.busy.calls, self.silent.calls), (["close", "abort"], ["close", "abort"]))
        self.successResultOf(drained)

    def test_a_connection_that_raises(self) -> None:
        """Every other connection is closed, and the drain completes, although one can neither be closed nor aborted."""
        self.connections = ConnectionSet(self.clock)
        others = [Connection(is_silent=False) for _ in range(3)]
        failing = [Connection(is_silent=False, fails=True), Connection(is_silent=True, fails=True)]
        for connection in (*failing, *others):
            self.connections.add(connection)
        drained = self.connections.drain(5.0)
        self.assertEqual([connection.calls for connection in others], [["close"]] * 3)
        self.assertEqual(self.connections.is_draining, True)
        self.clock.pump([1.0] * 5)
        self.successResultOf(drained)
        self.assertEqual([connection.calls for connection in others], [["close", "abort"]] * 3)
        self.assertEqual(len(self.flushLoggedErrors(ArithmeticError)), 7)
