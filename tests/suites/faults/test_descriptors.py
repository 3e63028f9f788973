"""A daemon that has no file descriptor left, and a daemon that is killed with SIGKILL."""

from __future__ import annotations

import contextlib
import resource
import socket
import time
from collections.abc import Iterator

from tests.suites.e2e.daemon import Daemon
from tests.suites.e2e.waiting import until
from tests.suites.faults.case import FaultTestCase, open_descriptors
from tests.suites.faults.report import add_fault, in_full
from tests.support.native_client import NativeClient

#: Lines that a daemon may add to its log while it cannot accept connections.
MOST_LINES = 20

#: Seconds between two messages, so that the rate limit of messages is not reached.
PAUSE = 0.05

#: Seconds in which the daemon has to accept connections again once it has descriptors.
RECOVERS_WITHIN = 10.0


class DescriptorTests(FaultTestCase):
    """Tests in which more TCP connections arrive than the daemon has file descriptors."""

    def flood(self, daemon: Daemon, count: int) -> contextlib.ExitStack:
        """Open `count` TCP connections, and return an `ExitStack` that closes them."""
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        for _ in range(count):
            stack.enter_context(socket.create_connection(("127.0.0.1", daemon.port), timeout=5))
        return stack

    def live_through(self, daemon: Daemon, pair: tuple[NativeClient, NativeClient, str], seconds: float) -> float:
        """Exchange messages between two members while other clients are refused; return the longest wait in seconds."""
        longest, end = 0.0, time.monotonic() + seconds
        while time.monotonic() < end:
            begin = time.monotonic()
            self.talk(*pair, "still there?")
            longest = max(longest, time.monotonic() - begin)
            self.assertTrue(self.refused(daemon))
            time.sleep(PAUSE)
        return longest

    def recover(self, daemon: Daemon, lines: int) -> tuple[float, int]:
        """Wait until the daemon accepts connections again; return the seconds and the number of new log lines."""
        begin = time.monotonic()
        until(lambda: not self.refused(daemon), RECOVERS_WITHIN, "to be let in")
        recovered = time.monotonic() - begin
        written = daemon.program.stderr.count("\n") - lines
        self.assertLessEqual(written, MOST_LINES)
        return recovered, written

    def test_flood_at_a_low_limit(self) -> None:
        """With a low limit the daemon keeps descriptors in reserve: members are served, and others are refused."""
        daemon = self.start(through=("prlimit", "--nofile=64:64"))
        pair = self.pair(daemon)
        lines = daemon.program.stderr.count("\n")
        flood = self.flood(daemon, 500)
        # Not until the flood's connections exceed `header-seconds`, which makes room for others.
        longest = self.live_through(daemon, pair, 8 if in_full() else 2)
        used = open_descriptors(daemon.program.process.pid)
        self.assertLess(used, 64)
        flood.close()
        recovered, written = self.recover(daemon, lines)
        add_fault(
            "500 connections at a limit of 64 descriptors",
            "members talk on, others refused, others come in again afterwards",
            f"longest wait {longest * 1000:.0f} ms, {used} descriptors, back after {recovered:.1f} s, {written} lines",
        )

    def test_no_descriptor_left(self) -> None:
        """While accept(2) fails with EMFILE, members are served, and the log stays short."""
        daemon = self.start()
        pair = self.pair(daemon)
        lines = daemon.program.stderr.count("\n")
        with self.no_descriptors(daemon):
            self.flood(daemon, 200)
            longest = self.live_through(daemon, pair, 10 if in_full() else 2)
        recovered, written = self.recover(daemon, lines)
        add_fault(
            "no descriptor left (EMFILE)",
            "members talk on, others refused, others come in again afterwards",
            f"longest wait {longest * 1000:.0f} ms, back after {recovered:.1f} s, {written} lines",
        )

    @contextlib.contextmanager
    def no_descriptors(self, daemon: Daemon) -> Iterator[None]:
        """Lower the limit of a running daemon to the number of descriptors that it has open."""
        process = daemon.program.process.pid
        before = resource.prlimit(process, resource.RLIMIT_NOFILE)
        resource.prlimit(process, resource.RLIMIT_NOFILE, (open_descriptors(process), before[1]))
        try:
            yield
        finally:
            resource.prlimit(process, resource.RLIMIT_NOFILE, before)


class KillTests(FaultTestCase):
    """A daemon is killed with SIGKILL."""

    def test_killed_and_started_again(self) -> None:
        """A killed daemon leaves no file that prevents the next daemon from serving from the same directory."""
        rounds = 10 if in_full() else 2
        authorities, waits = set[bytes](), list[float]()
        for _ in range(rounds):
            begin = time.monotonic()
            daemon = self.start(tls=True)
            client = self.client(daemon, tls=True)
            waits.append(time.monotonic() - begin)
            authorities.add(daemon.authority.read_bytes())
            self.assertIn("session", client.request("open"))
            daemon.kill()
        self.assertEqual(len(authorities), 1)
        add_fault(
            f"kill -9 and a new start, {rounds} times",
            "the authority is kept, nothing is left in the way",
            f"served again within {max(waits):.1f} s of the start",
        )
