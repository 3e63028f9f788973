"""Accept errors are counted, and the log has one summary line a minute."""

from __future__ import annotations

from typing import cast

from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, Logger, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from signald.server.accept_errors import SUMMARY_SECONDS, AcceptErrorLog


class AcceptErrorLogTests(SynchronousTestCase):
    """The tests emit the log events that Twisted's `tcp.Port` emits when accept(2) fails."""

    def setUp(self) -> None:
        """Record the lines of the log."""
        self.clock = Clock()
        self.closed = 0
        self.log = Logger(observer=AcceptErrorLog(self.clock, self.count))
        self.events: list[LogEvent] = []
        observer = cast(ILogObserver, self.events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def count(self) -> None:
        """Count one connection that was closed because no descriptor was free."""
        self.closed += 1

    def out_of_descriptors(self) -> None:
        """Emit the log event that Twisted emits when accept(2) fails for want of descriptors."""
        self.log.info("EMFILE encountered; releasing reserved file descriptor.")
        self.log.info("EMFILE recovery: Closed socket from {address}", address=("192.0.2.7", 40000))
        self.log.info("Re-reserving EMFILE recovery file descriptor.")

    def log_lines(self) -> list[str]:
        """Return the recorded log lines."""
        return [formatEvent(event) for event in self.events]

    def test_a_flood(self) -> None:
        """Each closed connection is counted, and the log has one line a minute, which contains no address."""
        for _ in range(1000):
            self.out_of_descriptors()
        self.assertEqual(self.closed, 1000)
        self.clock.advance(SUMMARY_SECONDS)
        self.out_of_descriptors()
        first, second = self.log_lines()
        self.assertIn("EMFILE); 1 were closed", first)
        self.assertIn("EMFILE); 1000 were closed", second)
        self.assertNotIn("192.0.2.7", first + second)
        self.assertEqual({event["event"] for event in self.events}, {"accept-failed"})

    def test_another_error(self) -> None:
        """Another error of accept(2) closes no connection; it is logged by its name, at most once a minute."""
        for _ in range(2):
            self.log.info("Could not accept new connection ({acceptError})", acceptError="ENFILE")
        [line] = self.log_lines()
        self.assertIn("ENFILE); 0 were closed", line)
        self.assertEqual(self.closed, 0)
