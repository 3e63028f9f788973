"""Tests of `signald.lifecycle.predecessor`, the successor's side of an upgrade."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald import __version__
from signald.config.values import ConfigError
from signald.core.messages import UserId
from signald.core.snapshot import FORMATS, Snapshot, dump
from signald.lifecycle.data_directory import acquire, adopt
from signald.lifecycle.handover_channel import (
    PROTOCOL,
    Accepting,
    FrameReader,
    Loaded,
    Message,
    Refused,
    Start,
    State,
    Supervised,
    decode,
    encode,
    send_start,
)
from signald.lifecycle.predecessor import WAIT_SECONDS, Predecessor, Takeover
from signald.lifecycle.successor import HANDOVER_VARIABLE
from tests.support.select_clock import SelectClock

SNAPSHOT = Snapshot(FORMATS[-1], [], [], [])


class TakeoverCase(SynchronousTestCase):
    """The test is the running process."""

    def setUp(self) -> None:
        """Create the channel, whose other end seems to be that of the parent process."""
        self.reactor = SelectClock()
        self.here, self.there = socket.socketpair()
        self.addCleanup(self.here.close)
        self.patch(os, "getppid", os.getpid)
        self.environment = {HANDOVER_VARIABLE: str(self.there.detach()), "WATCHDOG_USEC": "9000000"}

    def begin(self, formats: list[int] | None = None, protocol: int = PROTOCOL) -> Predecessor:
        """Send the first message with a listening socket, and return what the successor makes of it."""
        listening = socket.create_server(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        with listening:
            start = Start(protocol, "0.0.9", list(FORMATS) if formats is None else formats, ["page"], True)
            send_start(self.here, start, [listening.fileno()])
        predecessor = Predecessor.of(self.environment)
        assert predecessor is not None
        for adopted in predecessor.supervision.handed_over("page"):
            self.addCleanup(adopted.close)
        return predecessor

    def heard(self) -> list[Message]:
        """Return what the running process has received."""
        self.reactor.settle()
        self.here.setblocking(False)
        try:
            data = self.here.recv(1 << 16)
        except BlockingIOError:
            return []
        return [decode(payload)[0] for payload in FrameReader().receive(data)]


class PredecessorTests(TakeoverCase):
    """Tests of the first message."""

    def test_nobody(self) -> None:
        """A process that was not started for an upgrade has no predecessor."""
        self.assertIsNone(Predecessor.of({"PATH": "/bin"}))
        os.close(int(self.environment[HANDOVER_VARIABLE]))

    def test_the_sockets(self) -> None:
        """The sockets are adopted, none else may be bound, and the watchdog holds for this process."""
        predecessor = self.begin()
        supervision = predecessor.supervision
        (page,) = supervision.handed_over("page")
        self.assertEqual(page.getsockname()[1], self.port)
        self.assertEqual((supervision.is_successor, supervision.queues, supervision.watchdog), (True, True, 9.0))
        self.assertEqual(predecessor.format, FORMATS[-1])
        predecessor.refuse("the configuration is wrong")
        self.assertEqual(self.heard(), [Refused("the configuration is wrong")])

    def test_the_lock(self) -> None:
        """The last descriptor is that of the data directory's lock, where the running process says so."""
        self.assertIsNone(self.begin().supervision.lock)
        self.here, self.there = socket.socketpair()
        self.addCleanup(self.here.close)
        self.environment[HANDOVER_VARIABLE] = str(self.there.detach())
        directory = acquire(Path(self.mktemp()))
        self.addCleanup(directory.release)
        assert directory.descriptor is not None
        send_start(self.here, Start(PROTOCOL, "0.0.9", list(FORMATS), [], True, has_lock=True), [directory.descriptor])
        predecessor = Predecessor.of(self.environment)
        assert predecessor is not None
        assert predecessor.supervision.lock is not None
        adopted = adopt(directory.path, predecessor.supervision.lock)
        adopted.release()
        predecessor.refuse("")

    def test_neighbouring_versions(self) -> None:
        """Of the formats that both know the newest is wanted, whichever of the two is the newer version."""
        for formats in ([FORMATS[-1] - 1, FORMATS[-1]], [FORMATS[-1], FORMATS[-1] + 1]):
            with self.subTest(formats=formats):
                predecessor = self.begin(formats)
                self.assertEqual(predecessor.format, FORMATS[-1])
                predecessor.refuse("")
                self.here, self.there = socket.socketpair()
                self.addCleanup(self.here.close)
                self.environment[HANDOVER_VARIABLE] = str(self.there.detach())
        os.close(int(self.environment[HANDOVER_VARIABLE]))

    def test_unknown_formats(self) -> None:
        """A running process whose formats or protocol are unknown is told so before it stops serving anybody."""
        with self.assertRaisesRegex(ConfigError, "restart the server instead"):
            self.begin([FORMATS[-1] + 1])
        (refused,) = self.heard()
        assert isinstance(refused, Refused)
        self.assertIn(f"signald 0.0.9 hands over by protocol {PROTOCOL}", refused.reason)

    def test_an_unknown_protocol(self) -> None:
        """Another protocol is refused like another format."""
        with self.assertRaisesRegex(ConfigError, f"by protocol {PROTOCOL + 1}"):
            self.begin(protocol=PROTOCOL + 1)

    def test_another_process(self) -> None:
        """A variable that names no socket, or one that the parent did not make, is an error and no hand-over."""
        self.patch(os, "getppid", lambda: 1)
        for value in (self.environment[HANDOVER_VARIABLE], "nothing", "99999", "-1"):
            with self.assertRaisesRegex(ConfigError, HANDOVER_VARIABLE):
                Predecessor.of({HANDOVER_VARIABLE: value})


class TakeoverTests(TakeoverCase):
    """Tests of the state's restore."""

    def setUp(self) -> None:
        """Create a successor that is loaded."""
        super().setUp()
        self.calls: list[object] = []
        self.takeover = Takeover(self.reactor, self.begin(), self.serve, self.calls.append,
                                 lambda: self.calls.append("stop"))  # fmt: skip
        self.takeover.begin()

    def serve(self, snapshot: Snapshot, resume_seconds: float) -> None:
        """Record the state."""
        self.calls.append((snapshot, resume_seconds))

    def say(self, message: Message, body: bytes = b"") -> None:
        """Send a message as the running process."""
        self.here.setblocking(True)
        self.here.sendall(encode(message, body))
        self.reactor.settle()

    def state(self) -> None:
        """Send the state."""
        self.say(State(time.monotonic(), 0.003), dump(SNAPSHOT))

    def test_the_order(self) -> None:
        """It says that it is loaded, serves once it has the state, says so, and then reports to the service manager."""
        self.assertEqual(self.heard(), [Loaded(__version__, FORMATS[-1])])
        self.assertEqual(self.calls, [])
        self.state()
        self.assertEqual(self.calls, [(SNAPSHOT, 0.003)])
        self.assertEqual(self.heard(), [Accepting()])
        self.say(Supervised([UserId("ANN")]))
        self.assertEqual(self.calls[1:], [["ANN"]])
        self.here.close()
        self.reactor.settle()
        self.reactor.advance(WAIT_SECONDS)
        self.assertEqual((self.calls[2:], self.takeover.status), ([], 0))

    def test_the_running_process_ends_before(self) -> None:
        """Without the whole state it ends, so that a service manager's next process is the only one."""
        self.here.sendall(encode(State(time.monotonic(), 0.003), dump(SNAPSHOT))[:-1])
        self.here.close()
        self.reactor.settle()
        self.assertEqual((self.calls, self.takeover.status), (["stop"], 1))

    def test_the_running_process_ends_after(self) -> None:
        """With the whole state it serves, even if the running process ended before it knew that."""
        self.here.sendall(encode(State(time.monotonic(), 0.003), dump(SNAPSHOT)))
        self.here.close()
        self.reactor.settle()
        self.assertEqual((self.calls, self.takeover.status), ([(SNAPSHOT, 0.003), ()], 0))

    def test_a_silent_process(self) -> None:
        """A running process that never sends its state is not waited for without end."""
        self.reactor.advance(WAIT_SECONDS)
        self.assertEqual((self.calls, self.takeover.status), (["stop"], 1))

    def test_a_state_that_cannot_be_used(self) -> None:
        """An error in the restore is told to the running process, which goes on, and ends this one."""
        self.heard()
        self.say(State(0.0, 0.003), b"{}")
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(self.heard(), [Refused("the state cannot be used: ValueError")])
        self.assertEqual((self.calls, self.takeover.status), (["stop"], 1))

    def test_out_of_turn(self) -> None:
        """A message out of turn ends the channel: before the state, nothing is taken over."""
        self.say(Supervised())
        self.assertEqual((self.calls, self.takeover.status), (["stop"], 1))

    def test_a_second_state(self) -> None:
        """A second state is not restored over the first, and ends the channel as the running process's end does."""
        self.state()
        self.state()
        self.assertEqual(self.calls, [(SNAPSHOT, 0.003), ()])
