"""Tests of `signald.lifecycle.successor`, the running process's side of an upgrade."""

from __future__ import annotations

import errno
import os
import secrets
import socket
import sys
from pathlib import Path
from typing import cast
from unittest.mock import patch

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from signald import __version__
from signald.core.messages import UserId
from signald.core.snapshot import FORMATS, Snapshot, load
from signald.lifecycle.handover_channel import (
    Accepting,
    FrameReader,
    HandoverError,
    Loaded,
    Message,
    Refused,
    State,
    Supervised,
    decode,
    encode,
    receive_start,
)
from signald.lifecycle.sd_notify import Notifier
from signald.lifecycle.successor import (
    BARRIER_SECONDS,
    HANDOVER_VARIABLE,
    LOAD_SECONDS,
    POLL_SECONDS,
    SETTLE_SECONDS,
    TAKE_SECONDS,
    RunningDaemon,
    StartedProcess,
    Upgrade,
    launch,
    successor_command,
)
from tests.support.select_clock import SelectClock

SNAPSHOT = Snapshot(FORMATS[-1], [], [], [])


class FakeProcess:
    """A successor's process.

    Attributes:
        status: its exit status; that of SIGKILL as long as it runs.

    """

    pid = 4711

    def __init__(self, calls: list[str]) -> None:
        self.status = -9
        self._calls = calls

    def kill(self) -> None:
        """Record that the process was killed."""
        self._calls.append("kill")

    def wait(self) -> int:
        """Record that the end of the process was waited for."""
        self._calls.append("wait")
        return self.status


class UpgradeTests(SynchronousTestCase):
    """Tests of the steps of an upgrade; the test is the successor."""

    def setUp(self) -> None:
        """Create an upgrade whose effects on the running process are recorded."""
        self.reactor = SelectClock()
        self.calls: list[str] = []
        self.settled: Deferred[None] = Deferred()
        self.manager: socket.socket | None = None
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        self.port = listening.getsockname()[1]
        daemon = RunningDaemon(
            sockets=lambda: [("page", listening.fileno())],
            lock=lambda: None,
            settled=lambda: self.settled,
            hold=self.hold,
            release=lambda: self.calls.append("release"),
            finish=lambda: self.calls.append("finish"),
            report=lambda reason: self.calls.append(f"report: {reason}"),
            resume_seconds=lambda: 0.002,
        )
        self.notify = f"\0signald-test-{secrets.token_hex(8)}"
        self.upgrade = Upgrade(self.reactor, daemon, Notifier(self.notify), True, self.launch)
        self.process = FakeProcess(self.calls)
        self.left: list[UserId] = []
        self.events: list[LogEvent] = []
        observer = cast(ILogObserver, self.events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def hold(self) -> Snapshot:
        """Record that requests are held back."""
        self.calls.append("hold")
        return SNAPSHOT

    def launch(self, end: socket.socket) -> StartedProcess:
        """Keep the successor's end of the channel."""
        self.end = end.dup()
        self.addCleanup(self.end.close)
        return self.process

    def say(self, *messages: Message) -> None:
        """Send messages as the successor."""
        self.end.sendall(b"".join(encode(message) for message in messages))
        self.reactor.settle()

    def heard(self) -> list[tuple[Message, bytes]]:
        """Return what the successor has received."""
        self.reactor.settle()
        self.end.setblocking(False)
        try:
            data = self.end.recv(1 << 20)
        except BlockingIOError:
            return []
        return [decode(payload) for payload in FrameReader().receive(data)]

    def load(self) -> None:
        """Begin an upgrade whose successor is loaded."""
        self.upgrade.begin()
        _, descriptors = receive_start(self.end)
        for descriptor in descriptors:
            os.close(descriptor)
        self.say(Loaded("0.2.0", FORMATS[-1]))

    def hand_over(self) -> None:
        """Go on until the successor has the state."""
        self.load()
        self.settled.callback(None)

    def assertFailed(self, reason: str, *, held: bool) -> None:  # as unittest's names
        """Assert that the successor was ended, and that clients are served again only after that."""
        self.assertEqual(
            self.calls,
            [*(["hold"] if held else []), "kill", "wait", *(["release"] if held else []), f"report: {reason}"],
        )
        self.assertFalse(self.upgrade.is_under_way)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(self.events[-1]["event"], "upgrade-failed")
        self.assertEqual(self.reactor.readers, set())

    def test_the_start(self) -> None:
        """The successor gets the listening sockets and the formats at once, and clients are served meanwhile."""
        self.upgrade.begin()
        start, (descriptor,) = receive_start(self.end)
        self.assertEqual((start.version, start.formats, start.sockets), (__version__, list(FORMATS), ["page"]))
        self.assertTrue(start.queues)
        with socket.socket(fileno=descriptor) as copy:
            self.assertEqual(copy.getsockname()[1], self.port)
        self.assertEqual(self.calls, [])
        self.assertTrue(self.upgrade.is_under_way)

    def test_no_descriptor_is_left(self) -> None:
        """An upgrade that cannot begin fails at once, and the next one can begin."""

        def socketpair(*_: object) -> None:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        def sockets() -> list[tuple[str, int]]:
            raise ValueError("an error in the server")

        daemon, reasons = self.upgrade._daemon, []
        self.upgrade._daemon = evolve(daemon, sockets=sockets)
        self.upgrade.begin()
        reasons.append(self.calls[-1])
        self.upgrade._daemon = daemon
        with patch("socket.socketpair", socketpair):
            self.upgrade.begin()
        reasons.append(self.calls[-1])
        for reason, why in zip(reasons, ("ValueError", "Too many open files"), strict=True):
            self.assertEqual(reason, f"report: the successor cannot be started: {why}")
        self.load()
        self.assertTrue(self.upgrade.is_under_way)

    def test_a_successor_that_serves_already(self) -> None:
        """A stop or a deadline does not end a successor that has said that it serves, although nobody has read it."""
        self.hand_over()
        self.end.sendall(encode(Accepting()))
        self.upgrade.cancel("the server is stopping")
        self.assertTrue(self.upgrade.is_done)
        self.assertNotIn("kill", self.calls)
        self.assertNotIn("release", self.calls)

    def test_the_lock(self) -> None:
        """The successor gets the lock of the data directory with the sockets."""
        with Path(self.mktemp()).open("w") as lock:
            self.upgrade._daemon = evolve(self.upgrade._daemon, lock=lock.fileno)
            self.upgrade.begin()
            start, descriptors = receive_start(self.end)
            self.assertEqual((start.has_lock, start.sockets, len(descriptors)), (True, ["page"], 2))
            self.assertTrue(os.path.sameopenfile(lock.fileno(), descriptors[1]))
        for descriptor in descriptors:
            os.close(descriptor)

    def test_the_order(self) -> None:
        """Requests are held once decisions are made, the state follows, and the process ends once it is taken over.

        The service manager is told the new main process before anything else follows.
        """
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.bind(self.notify)
        self.load()
        self.assertEqual((self.calls, self.heard()), ([], []))
        self.settled.callback(None)
        self.assertEqual(self.calls, ["hold"])
        ((message, body),) = self.heard()
        assert isinstance(message, State)
        self.assertEqual((message.resume_seconds, load(body)), (0.002, SNAPSHOT))
        self.say(Accepting())
        self.assertEqual(self.calls, ["hold", "finish"])
        self.assertTrue(self.upgrade.is_done)
        self.assertEqual(manager.recv(100), b"MAINPID=4711")
        finished = Deferred.fromCoroutine(self.upgrade.finish_supervision(self.left))
        data, (barrier,), _, _ = socket.recv_fds(manager, 100, 4)
        self.assertEqual(data, b"BARRIER=1")
        self.reactor.advance(POLL_SECONDS)
        self.assertNoResult(finished)
        self.assertEqual(self.heard(), [])
        self.left.append(UserId("ANN"))
        os.close(barrier)
        self.reactor.advance(POLL_SECONDS)
        self.successResultOf(finished)
        self.assertEqual(self.heard(), [(Supervised([UserId("ANN")]), b"")])
        self.assertEqual([event["event"] for event in self.events if "event" in event],
                         ["upgrade-started", "upgrade-loaded", "upgrade-handing-over", "upgrade-done"])  # fmt: skip

    def test_a_silent_service_manager(self) -> None:
        """A service manager that keeps the barrier open is not waited for longer than some seconds."""
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.bind(self.notify)
        self.hand_over()
        self.say(Accepting())
        finished = Deferred.fromCoroutine(self.upgrade.finish_supervision(self.left))
        for _ in range(int(BARRIER_SECONDS / POLL_SECONDS) + 2):
            self.reactor.advance(POLL_SECONDS)
        self.successResultOf(finished)

    def test_it_cannot_load(self) -> None:
        """A successor that refuses, with its reason, changes nothing."""
        self.upgrade.begin()
        self.say(Refused("port: expected a port number"))
        self.assertFailed("port: expected a port number", held=False)

    def test_it_ends_while_loading(self) -> None:
        """A successor that ends before it is loaded changes nothing, and its exit status is logged."""
        self.upgrade.begin()
        self.process.status = 3
        self.end.close()
        self.reactor.settle()
        self.assertFailed("the successor ended with status 3", held=False)

    def test_it_is_silent(self) -> None:
        """A successor that does not load in time changes nothing."""
        self.upgrade.begin()
        self.reactor.advance(LOAD_SECONDS)
        self.assertFailed(f"the successor did not load within {LOAD_SECONDS:g} s", held=False)

    def test_it_ends_while_decisions_are_made(self) -> None:
        """A successor that ends while decisions are still pending gets no state, and nothing is held back."""
        self.load()
        self.end.close()
        self.reactor.settle()
        self.assertFailed("the successor: the other process ended", held=False)
        self.settled.callback(None)
        self.assertNotIn("hold", self.calls)

    def test_a_disk_that_hangs(self) -> None:
        """A journal that is still being written after some seconds ends the upgrade, and nothing is held back."""
        self.load()
        self.reactor.advance(SETTLE_SECONDS)
        self.assertFailed("the disk is busy: the journal is still being written", held=False)

    def test_a_late_end_of_an_earlier_upgrade(self) -> None:
        """When the disk answers at last, a later upgrade that waits for it as well goes on once."""
        self.load()
        self.upgrade.cancel("a disk that hangs")
        earlier, self.settled = self.settled, Deferred()
        self.calls.clear()
        self.load()
        earlier.callback(None)
        self.assertEqual(self.calls, [])
        self.settled.callback(None)
        self.assertEqual(self.calls, ["hold"])

    def test_it_ends_with_the_state(self) -> None:
        """When the successor ends before it accepts connections, requests that were held back are processed."""
        self.hand_over()
        self.end.close()
        self.reactor.settle()
        self.assertFailed("the successor: the other process ended", held=True)

    def test_it_is_silent_with_the_state(self) -> None:
        """A successor that hangs with the state is ended before this process goes on: never do two serve one user."""
        self.hand_over()
        self.reactor.advance(TAKE_SECONDS)
        self.assertFailed(f"the successor did not take over within {TAKE_SECONDS:g} s", held=True)

    def test_it_cannot_use_the_state(self) -> None:
        """A successor that cannot restore the state says so, and this process goes on."""
        self.hand_over()
        self.say(Refused("the state cannot be used: ValueError"))
        self.assertFailed("the state cannot be used: ValueError", held=True)

    def test_it_ends_after_it_took_over(self) -> None:
        """After the successor has taken over, this process ends in any case."""
        self.hand_over()
        self.say(Accepting())
        self.end.close()
        self.reactor.settle()
        self.upgrade.cancel("the server is stopping")
        self.assertEqual(self.calls, ["hold", "finish"])

    def test_an_unknown_format(self) -> None:
        """A successor that wants another format, or speaks out of turn, is ended, and nothing changes."""
        for message in (Loaded("9.0.0", max(FORMATS) + 1), Accepting(), Supervised()):
            self.calls.clear()
            self.upgrade.begin()
            self.say(message)
            self.assertFailed("the successor: the successor sent a message out of turn", held=False)

    def test_the_state_cannot_be_made(self) -> None:
        """An error of this process while it makes the state is logged, and this process goes on."""

        def fail() -> Snapshot:
            self.calls.append("hold")
            raise RuntimeError

        self.load()
        self.upgrade._daemon = evolve(self.upgrade._daemon, hold=fail)
        self.settled.callback(None)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertFailed("an error in the server", held=True)

    def test_one_at_a_time(self) -> None:
        """A second wish during an upgrade is refused; after a failure another upgrade may begin."""
        self.upgrade.begin()
        self.upgrade.begin()
        self.assertEqual(self.events[-1]["event"], "upgrade-refused")
        self.upgrade.cancel("the server is stopping")
        self.assertFailed("the server is stopping", held=False)
        self.calls.clear()
        self.hand_over()
        self.say(Accepting())
        self.assertTrue(self.upgrade.is_done)

    def test_it_cannot_be_started(self) -> None:
        """A program that cannot be run, and a process that has no place for a successor, are reported."""

        def fail(_end: socket.socket) -> StartedProcess:
            raise FileNotFoundError(2, "No such file or directory")

        self.upgrade.launch = fail
        self.upgrade.begin()
        self.upgrade.launch = None
        self.upgrade.begin()
        self.assertEqual(
            self.calls,
            [
                "report: the successor cannot be started: No such file or directory",
                "report: this process is the first of a container, or runs under twistd: restart it instead",
            ],
        )
        self.assertFalse(self.upgrade.is_under_way)

    def test_out_of_turn(self) -> None:
        """A message that is not the successor's to send raises HandoverError, which ends the channel."""
        self.assertRaises(HandoverError, self.upgrade._received, State(0.0, 0.1), b"")


class LaunchTests(SynchronousTestCase):
    """Tests of the successor's command and environment."""

    def test_a_script(self) -> None:
        """A script is run itself, so that its first line may name another environment's interpreter."""
        script = Path(self.mktemp())
        script.write_text("#!/usr/bin/python3\n")
        script.chmod(0o755)
        arguments = [str(script), "--port", "9001"]
        self.assertEqual(successor_command(["python3", *arguments], arguments, "/usr/bin/python3"), arguments)
        script.chmod(0o644)
        self.assertEqual(
            successor_command(["python3", *arguments], arguments, "/usr/bin/python3"), ["/usr/bin/python3", *arguments]
        )

    def test_a_module(self) -> None:
        """The successor of `python OPTIONS -m MODULE` is this process's interpreter with the same arguments."""
        original = ["python3", "-X", "dev", "-m", "signald", "--port", "9001"]
        self.assertEqual(
            successor_command(original, ["/x/signald/__main__.py", "--port", "9001"], "/usr/bin/python3"),
            ["/usr/bin/python3", *original[1:]],
        )

    def test_the_environment(self) -> None:
        """The successor gets this process's environment without what names this process, and the channel's number."""
        out = Path(self.mktemp()).resolve()
        code = f"import os; open({str(out)!r}, 'w').write(repr(dict(os.environ)))"
        self.patch(sys, "orig_argv", ["python", "-c", code])
        self.patch(sys, "argv", ["-c"])
        here, there = socket.socketpair()
        given = {"PATH": "/bin", "LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "page", "WATCHDOG_PID": "1",
                 "WATCHDOG_USEC": "5", "NOTIFY_SOCKET": "/run/notify"}  # fmt: skip
        with here, there:
            self.assertEqual(launch(there, given).wait(), 0)
            number = str(there.fileno())
        environment = eval(out.read_text())  # noqa: S307 # the child wrote it
        expected = {"PATH": "/bin", "WATCHDOG_USEC": "5", "NOTIFY_SOCKET": "/run/notify", HANDOVER_VARIABLE: number}
        self.assertEqual(environment | expected, environment)
        self.assertTrue(environment.keys().isdisjoint({"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID"}))
