"""Tests of the reactor that reads from signald's connections directly, on pairs of sockets without a network."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.python.context import get as context_value
from twisted.python.log import ILogContext
from twisted.trial.unittest import SynchronousTestCase

from signald.server.direct_reactor import DirectReactor, install_direct_reactor, round_caller
from tests.support.accepted import Accepted, HalfCloseable, Recorder, reset_pair


class ReactorCase(SynchronousTestCase):
    """A test with a reactor that runs one iteration after another, and never waits."""

    def setUp(self) -> None:
        """Create the reactor."""
        self.reactor: Any = DirectReactor()
        self.addCleanup(self.end_reactor)

    def end_reactor(self) -> None:
        """Close what the reactor holds."""
        for selectable in self.reactor.removeAll():
            selectable.connectionLost(None)
        self.reactor._poller.close()

    def connect(self, protocol: Any = None, **options: Any) -> Accepted:
        """Connect a recording protocol, until the end of the test."""
        accepted = Accepted(protocol or Recorder(), reactor=self.reactor, **options)
        self.addCleanup(accepted.close)
        return accepted

    def iterate(self) -> None:
        """Run one iteration."""
        self.reactor.iterate(0)


class ReadTests(ReactorCase):
    """Events reach the transports."""

    def test_read(self) -> None:
        """Bytes reach the protocol without the context of Twisted's older log."""
        accepted = self.connect()
        prefixes: list[str] = []
        accepted.protocol.on_data = lambda data: prefixes.append(context_value(ILogContext)["system"])
        accepted.peer.sendall(b"x")
        self.iterate()
        self.assertEqual(accepted.protocol.received, [b"x"])
        self.assertEqual(prefixes, ["-"])

    def test_write(self) -> None:
        """What the kernel did not take is written when the peer has read."""
        accepted = self.connect()
        accepted.transport.write(b"x" * 1_000_000)
        received = 0
        for _ in range(100):
            received += sum(map(len, accepted.take()))
            self.iterate()
        self.assertEqual(received, 1_000_000)

    def test_end(self) -> None:
        """The peer's orderly end, a reset, and an end that its protocol makes during a read close the connection."""
        accepted = self.connect()
        accepted.peer.shutdown(socket.SHUT_WR)
        self.iterate()
        self.assertEqual(accepted.protocol.ended, [ConnectionDone])
        accepted = self.connect(pair=reset_pair())
        accepted.peer.close()
        self.iterate()
        self.assertEqual(accepted.protocol.ended, [ConnectionLost])
        accepted = self.connect()
        accepted.protocol.on_data = lambda data: accepted.transport.loseConnection()
        accepted.peer.sendall(b"x")
        self.iterate()
        self.assertEqual(accepted.protocol.ended, [ConnectionDone])

    def test_end_of_ours_with_half_closed_connections(self) -> None:
        """A protocol that supports half-closed connections and closes during a read is not told of the peer's end."""
        accepted = self.connect(HalfCloseable())
        accepted.protocol.on_data = lambda data: accepted.transport.loseConnection()
        accepted.peer.sendall(b"x")
        self.iterate()
        self.assertEqual((accepted.protocol.halves, accepted.protocol.ended), (0, [ConnectionDone]))

    def test_exception(self) -> None:
        """An exception of a protocol is logged and ends its connection alone, in the same iteration too."""
        failing, other = self.connect(), self.connect()
        failing.protocol.on_data = lambda data: 1 // 0
        failing.peer.sendall(b"x")
        other.peer.sendall(b"y")
        self.iterate()
        self.assertEqual(failing.protocol.ended, [ZeroDivisionError])
        self.assertEqual((other.protocol.received, other.protocol.ended), ([b"y"], []))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_event_of_a_closed_connection(self) -> None:
        """A connection that an earlier event of the same iteration stopped reading from is not read from."""
        pair = [self.connect(), self.connect()]
        for one, other in (pair, pair[::-1]):
            one.protocol.on_data = lambda data, other=other: other.transport.pauseProducing()
            one.peer.sendall(b"x")
        self.iterate()
        self.assertEqual(sorted(accepted.protocol.received for accepted in pair), [[], [b"x"]])

    def test_waits(self) -> None:
        """Without a timeout the reactor waits for an event, such as the one of its waker."""
        self.reactor.wakeUp()
        self.reactor.doIteration(None)


class RoundTests(ReactorCase):
    """What is called when the next round begins."""

    def test_before_the_next_poll(self) -> None:
        """Each function is called once, before events are handled; one that is added then is for the next round."""
        accepted, order = self.connect(), list[str]()
        accepted.protocol.on_data = lambda data: order.append("data")

        def call() -> None:
            order.append("call")
            self.reactor.call_next_round(lambda: order.append("later"))

        self.reactor.call_next_round(call)
        accepted.peer.sendall(b"x")
        # It does not wait, since another function is to be called.
        self.reactor.doIteration(60)
        self.assertEqual(order, ["call", "data"])
        self.reactor.doIteration(0)
        self.assertEqual(order, ["call", "data", "later"])

    def test_exception(self) -> None:
        """A function that raises is logged, and the others are called."""
        called: list[int] = []
        self.reactor.call_next_round(lambda: called.append(1 // 0))
        self.reactor.call_next_round(lambda: called.append(1))
        self.iterate()
        self.assertEqual(called, [1])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_delayed_calls(self) -> None:
        """A delayed call that is made in a round, or made due sooner, is not late, though nothing arrives."""
        self.reactor.running, self.reactor._stopped = True, False
        for make in (
            lambda call: self.reactor.callLater(0, list),
            lambda call: call.reset(0),
            lambda call: self.reactor.stop(),
        ):
            call = self.reactor.callLater(3600, list)
            self.reactor.runUntilCurrent()
            self.reactor.call_next_round(partial(make, call))
            began = self.reactor.seconds()
            self.reactor.doPoll(10)
            self.assertLess(self.reactor.seconds() - began, 5)
            self.reactor.runUntilCurrent()

    def test_caller(self) -> None:
        """Another reactor calls a function as soon as it can."""
        clock, called = Clock(), list[int]()
        round_caller(clock)(lambda: called.append(1))
        round_caller(self.reactor)(lambda: called.append(2))
        clock.advance(0)
        self.iterate()
        self.assertEqual(called, [1, 2])


class RunTests(ReactorCase):
    """A running reactor polls again until there is something else to do."""

    def setUp(self) -> None:
        """Let the reactor run, as far as its polls can tell, and connect two, of which the first one makes work."""
        super().setUp()
        self.reactor.running, self.reactor._stopped = True, False
        self.first, self.second = self.connect(), self.connect()
        self.first.protocol.on_data = lambda data: self.second.peer.sendall(data)
        self.first.peer.sendall(b"x")

    def poll(self, then: Callable[[], object]) -> list[bytes]:
        """Poll with a timeout, do something when the second one has received, and return what it has received."""
        self.second.protocol.on_data = lambda data: then()
        self.reactor.doPoll(60)
        received: list[bytes] = self.second.protocol.received
        return received

    def test_a_delayed_call(self) -> None:
        """A delayed call that was added needs another timeout."""
        self.assertEqual(self.poll(lambda: self.reactor.callLater(1, list)), [b"x"])

    def test_one_poll(self) -> None:
        """A poll that does not wait is the only one, as `iterate` expects it."""
        self.reactor.callLater(3600, list)
        self.reactor.runUntilCurrent()
        self.reactor.doPoll(0)
        self.assertEqual((self.first.protocol.received, self.second.protocol.received), ([b"x"], []))

    def test_a_call_of_a_thread(self) -> None:
        """So does a call that a thread asks for."""
        self.assertEqual(self.poll(lambda: self.reactor.callFromThread(list)), [b"x"])

    def test_the_end(self) -> None:
        """A reactor that is stopped polls no more."""
        self.assertEqual(self.poll(self.reactor.stop), [b"x"])

    def test_a_call_that_is_due(self) -> None:
        """A delayed call is not late, whatever arrives meanwhile; it may be one that was made due sooner."""
        for seconds in (0, 60):
            self.reactor.runUntilCurrent()
            call = self.reactor.callLater(seconds, list)
            self.reactor._insertNewDelayedCalls()
            self.first.peer.sendall(b"x")
            arrived = len(self.second.protocol.received)

            def reset_and_send(data: bytes, call: Any = call) -> None:
                self.second.peer.sendall(data)
                call.reset(0)

            self.first.protocol.on_data = reset_and_send
            self.reactor.doPoll(60)
            self.assertEqual(len(self.second.protocol.received), arrived)
            self.reactor.runUntilCurrent()
            self.assertTrue(call.called)
            self.reactor.running = False
            self.iterate()
            self.reactor.running = True

    def test_a_call_in_a_year(self) -> None:
        """A delayed call that is due beyond the longest timeout of epoll changes nothing."""
        self.reactor.callLater(365 * 86400, list)
        self.reactor.runUntilCurrent()
        self.assertEqual(self.poll(lambda: self.reactor.callLater(1, list)), [b"x"])

    def test_without_a_timeout(self) -> None:
        """Without any delayed call it goes on until there is one."""
        self.second.protocol.on_data = lambda data: self.reactor.callLater(1, list)
        self.reactor.doPoll(None)
        self.assertEqual(self.second.protocol.received, [b"x"])


class InstallTests(SynchronousTestCase):
    """A process has one reactor."""

    def setUp(self) -> None:
        """Restore this process's reactor at the end."""
        import twisted.internet.reactor  # the import installs the reactor that is to be restored

        self.addCleanup(setattr, twisted.internet, "reactor", twisted.internet.reactor)
        self.addCleanup(sys.modules.__setitem__, "twisted.internet.reactor", sys.modules["twisted.internet.reactor"])

    def test_first(self) -> None:
        """The direct reactor becomes the process's reactor if it has none."""
        del sys.modules["twisted.internet.reactor"]
        install_direct_reactor()
        installed: Any = sys.modules["twisted.internet.reactor"]
        self.assertIsInstance(installed, DirectReactor)
        for selectable in installed.removeAll():
            selectable.connectionLost(None)

    def test_later(self) -> None:
        """A reactor that the process has is kept."""
        before = sys.modules["twisted.internet.reactor"]
        install_direct_reactor()
        self.assertIs(sys.modules["twisted.internet.reactor"], before)
