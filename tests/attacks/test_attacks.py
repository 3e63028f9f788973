"""Each attack for two seconds from twenty connections, plain and over TLS: memory, and a neighbour's wait."""

from __future__ import annotations

import resource
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.lines import CONTINUATION, PING, TEXT, frame, frame_header, request, upgrade_request

SECONDS = 2.0
CONNECTIONS = 20

MOST_MIB = 16
"""That an attack may take above the idle server."""

MOST_WAIT = 1.0
"""Seconds that a neighbour may wait for its echo meanwhile; a stalled server takes many."""

HOST = {"Host": "localhost"}
RUBBISH = b"x" * 65536


def pings() -> Iterator[bytes]:
    """Pings whose pongs are not read."""
    yield upgrade_request()
    while True:
        yield frame(PING, b"x" * 125) * 400


def echoes() -> Iterator[bytes]:
    """Messages whose answers are not read."""
    yield upgrade_request()
    while True:
        yield frame(TEXT, RUBBISH[:60_000])


def empty_fragments() -> Iterator[bytes]:
    """A message of pieces of no bytes."""
    yield upgrade_request()
    yield frame(TEXT, fin=False)
    while True:
        yield frame(CONTINUATION, fin=False) * 5000


def endless_frame() -> Iterator[bytes]:
    """A frame of a terabyte."""
    yield upgrade_request()
    yield frame_header(TEXT, 1 << 40) + b"mask"
    while True:
        yield RUBBISH


def endless_ping() -> Iterator[bytes]:
    """A control frame of a terabyte."""
    yield upgrade_request()
    yield frame_header(PING, 1 << 40) + b"mask"
    while True:
        yield RUBBISH


def requests_ahead() -> Iterator[bytes]:
    """Requests for the largest asset, whose responses are not read."""
    while True:
        yield request("/assets/big", HOST) * 500


def unread_response() -> Iterator[bytes]:
    """One of them."""
    yield request("/assets/big", HOST)


def endless_body() -> Iterator[bytes]:
    """A request with a body of gigabytes."""
    yield request("/", {**HOST, "Content-Length": "9999999999"}, method="POST")
    while True:
        yield RUBBISH


def endless_header() -> Iterator[bytes]:
    """A header that does not end."""
    yield request("/", HOST)[:-2] + b"X: "
    while True:
        yield RUBBISH


def endless_headers() -> Iterator[bytes]:
    """Headers that do not end."""
    yield request("/", HOST)[:-2]
    while True:
        yield b"X: x\r\n" * 1000


def memory(process: int, field: str) -> int:
    """A process's memory in MiB: `VmRSS` now, `VmHWM` at most."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) >> 10
    raise AssertionError(field)


def send_some(sock: socket.socket, data: bytes) -> bytes:
    """Send what goes at once; the rest."""
    try:
        return data[sock.send(data) :]
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return data


class Attacker:
    """A client that sends whatever its attack consists of, and reads nothing."""

    def __init__(self, sock: socket.socket, attack: Iterator[bytes]) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._attack = attack
        self._rest = b""

    def go_on(self) -> bool:
        """Send some more; whether there is anyone to send to."""
        self._rest = self._rest or next(self._attack, b"")
        try:
            self._rest = send_some(self._socket, self._rest)
        except OSError:
            return False
        return True


class AttackCase(SynchronousTestCase):
    """A server in a process of its own."""

    tls = False

    def setUp(self) -> None:
        """Start it, and learn its ports."""
        if not Path("/proc/self/status").exists():
            self.skipTest("the memory of a process is read from /proc")
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)
        self.start()

    def start(self, descriptors: int | None = None) -> None:
        """Start it, with so many descriptors at most."""
        # -P: what is tested is the installed signald, also where the sources lie beside the script.
        command = [sys.executable, "-P", str(Path(__file__).with_name("server.py"))]
        limit = None if descriptors is None else (descriptors, descriptors)
        self.server = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=None if limit is None else lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limit),
        )
        self.stack.callback(self.stop)
        assert self.server.stdout is not None
        plain, over_tls = map(int, self.server.stdout.readline().split())
        self.port = over_tls if self.tls else plain

    def stop(self) -> None:
        """End it; it has written nothing."""
        self.server.terminate()
        _, errors = self.server.communicate(timeout=10)
        self.assertEqual(errors, "")

    def connect(self) -> socket.socket:
        """Make a connection."""
        plain = self.stack.enter_context(socket.create_connection(("127.0.0.1", self.port), timeout=20))
        if not self.tls:
            return plain
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return self.stack.enter_context(context.wrap_socket(plain))

    def neighbour(self) -> socket.socket:
        """Open a WebSocket."""
        sock = self.connect()
        sock.sendall(upgrade_request())
        self.assertIn(b" 101 ", sock.recv(4096))
        return sock

    def wait(self, neighbour: socket.socket) -> float:
        """Seconds from a message to its echo."""
        begin = time.monotonic()
        neighbour.sendall(frame(TEXT, b"still there?"))
        received = b""
        while not received.endswith(b"still there?"):
            piece = neighbour.recv(4096)
            assert piece, "the neighbour was closed"
            received += piece
        return time.monotonic() - begin


class AttackTests(AttackCase):
    """Memory, and a neighbour."""

    def attack(self, name: str) -> None:
        """Carry an attack out, and assert what it costs."""
        neighbour = self.neighbour()
        idle = memory(self.server.pid, "VmRSS")
        attackers = [Attacker(self.connect(), globals()[name]()) for _ in range(CONNECTIONS)]
        longest, begin = 0.0, time.monotonic()
        asked = begin
        while time.monotonic() < begin + SECONDS:
            attackers = [attacker for attacker in attackers if attacker.go_on()]
            if time.monotonic() > asked + 0.2:
                asked = time.monotonic()
                longest = max(longest, self.wait(neighbour))
        self.assertLess(memory(self.server.pid, "VmHWM") - idle, MOST_MIB)
        self.assertLess(longest, MOST_WAIT)

    def test_pings(self) -> None:
        """Pongs wait within bounds, and pings are few."""
        self.attack("pings")

    def test_echoes(self) -> None:
        """Output waits within bounds."""
        self.attack("echoes")

    def test_empty_fragments(self) -> None:
        """A message has so many pieces."""
        self.attack("empty_fragments")

    def test_endless_frame(self) -> None:
        """A message has so many bytes."""
        self.attack("endless_frame")

    def test_endless_ping(self) -> None:
        """What follows a failure is not kept."""
        self.attack("endless_ping")

    def test_requests_ahead(self) -> None:
        """Are not answered while a response waits."""
        self.attack("requests_ahead")

    def test_unread_response(self) -> None:
        """It is not copied whole."""
        self.attack("unread_response")

    def test_endless_body(self) -> None:
        """Is not read."""
        self.attack("endless_body")

    def test_endless_header(self) -> None:
        """Is cut off."""
        self.attack("endless_header")

    def test_endless_headers(self) -> None:
        """Are cut off."""
        self.attack("endless_headers")


class TLSAttackTests(AttackTests):
    """The same over TLS."""

    tls = True


class DescriptorTests(AttackCase):
    """More connections than there are descriptors."""

    def start(self, descriptors: int | None = None) -> None:
        """With few of them."""
        super().start(descriptors or 60)

    def test_recovery(self) -> None:
        """The server lives through it, its connections too; when there is room again others come in."""
        neighbour = self.neighbour()
        flood = [socket.create_connection(("127.0.0.1", self.port), timeout=20) for _ in range(200)]
        self.assertLess(self.wait(neighbour), MOST_WAIT)
        for sock in flood:
            sock.close()
        self.assertLess(self.wait(self.next_neighbour()), MOST_WAIT)
        self.assertLess(self.wait(neighbour), MOST_WAIT)

    def next_neighbour(self) -> socket.socket:
        """Open a WebSocket as soon as the server has noticed that there is room again; until then it refuses."""
        deadline = time.monotonic() + 10.0
        while True:
            try:
                return self.neighbour()
            except (OSError, self.failureException):
                if time.monotonic() > deadline:
                    raise

    def stop(self) -> None:
        """End it; what it wrote of its distress is short."""
        self.server.terminate()
        _, errors = self.server.communicate(timeout=10)
        self.assertLess(len(errors), 10_000)
