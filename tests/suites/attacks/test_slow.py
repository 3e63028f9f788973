"""Clients that take their time: each begins something and does not go on."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable

from tests.suites.attacks.bystander import Bystander, Wait
from tests.suites.attacks.case import MOST_MIB, AttackTestCase, next_source
from tests.suites.attacks.raw import dial
from tests.suites.attacks.report import add_threat, in_full
from tests.suites.attacks.target import Target
from tests.support.endpoints import CONTINUATION, TEXT, frame, request, upgrade_request

#: Seconds that a connection may be slow, and a little more: the defaults, or less in a run of all tests.
DEADLINE, SLACK = 10.0 if in_full() else 2.0, 2.0

#: The limits that set the deadline.
LIMITS = tuple(word for name in ("header", "hello", "fragments") for word in ("--limit", f"{name}-seconds={DEADLINE}"))

#: Seconds for the answer to a close frame.
CLOSING = 5.0

#: Seconds between two bytes.
PACE = 0.5


class Slow:
    """A connection of which a byte goes now and then.

    Attributes:
        begun: when it was made, monotonic seconds.
        ended: when the server ended it; None while it has not.

    """

    def __init__(self, sock: socket.socket, rest: bytes) -> None:
        self.socket = sock
        self.begun = time.monotonic()
        self.ended: float | None = None
        self._rest = rest

    def go_on(self) -> None:
        """Send a byte, and look whether it is over."""
        try:
            if self._rest:
                self.socket.send(self._rest[:1])
                self._rest = self._rest[1:]
            while select.select([self.socket], [], [], 0)[0]:
                if not self.socket.recv(65536):
                    raise ConnectionResetError
        except OSError:
            self.ended = time.monotonic()
            self.socket.close()

    @property
    def seconds(self) -> float:
        """The seconds for which the connection was open."""
        return (self.ended or time.monotonic()) - self.begun


def nothing(victim: Target) -> Slow:
    """Connect, and say nothing; with TLS not even that much."""
    return Slow(socket.create_connection(("127.0.0.1", victim.port), source_address=(next_source(), 0)), b"")


def handshake_of_tls(victim: Target) -> Slow:
    """A ClientHello, byte by byte; without TLS it is a request that is none."""
    hello = b"\x16\x03\x01\x00\xf0\x01\x00\x00\xec\x03\x03" + bytes(300)
    return Slow(socket.create_connection(("127.0.0.1", victim.port), source_address=(next_source(), 0)), hello)


def request_headers(victim: Target) -> Slow:
    """A request whose headers come byte by byte."""
    return Slow(dial(victim, next_source()), request("/", {"Host": "localhost"})[:-2] + b"X: x\r\n" * 100)


def opening_handshake(victim: Target) -> Slow:
    """The opening handshake of a WebSocket, whose headers come byte by byte."""
    return Slow(dial(victim, next_source()), upgrade_request()[:-2] + b"X: x\r\n" * 100)


def no_hello(victim: Target) -> Slow:
    """An open WebSocket on which nothing is said."""
    return _opened(victim, b"")


def pieces_of_a_message(victim: Target) -> Slow:
    """A message that comes byte by byte, in frames."""
    return _opened(victim, frame(TEXT, b"x" * 100) * 10)


def fragments(victim: Target) -> Slow:
    """A message of fragments without end."""
    slow = _opened(victim, frame(CONTINUATION, b"x", fin=False) * 50)
    slow.socket.sendall(frame(TEXT, b"x", fin=False))
    return slow


def _opened(victim: Target, rest: bytes) -> Slow:
    sock = dial(victim, next_source())
    sock.sendall(upgrade_request(sec_websocket_protocol="signald.1"))
    sock.recv(4096)
    return Slow(sock, rest)


KINDS: tuple[tuple[str, Callable[[Target], Slow], float], ...] = (
    ("nothing at all", nothing, DEADLINE),
    ("slow TLS handshake", handshake_of_tls, DEADLINE),
    ("slow HTTP headers", request_headers, DEADLINE),
    ("slow WebSocket handshake", opening_handshake, DEADLINE),
    ("no hello", no_hello, DEADLINE + CLOSING),
    ("message byte by byte", pieces_of_a_message, DEADLINE + CLOSING),
    ("slow fragments", fragments, DEADLINE + CLOSING),
)
"""Each kind of slow client: its name, its connection, and the seconds within which the server has to close it."""


class SlowTests(AttackTestCase):
    """All kinds at once, over ws and wss."""

    def test_slow(self) -> None:
        """Each is over at its absolute deadline, which no byte extends, and nobody else is slower for it."""
        count = 20 if in_full() else 3
        victims = tuple(Target(tls, *LIMITS) for tls in (False, True))
        bystanders = [Bystander(victim) for victim in victims]
        for bystander in bystanders:
            self.addCleanup(bystander.close)
        before = [bystander.waits(1.0) for bystander in bystanders]
        for victim in victims:
            victim.forget_peak()
        slow = [{name: [make(victim) for _ in range(count)] for name, make, _ in KINDS} for victim in victims]
        everyone = [one for kinds in slow for kind in kinds.values() for one in kind]
        during: list[list[Wait]] = [[], []]
        end = time.monotonic() + DEADLINE + CLOSING + SLACK
        while time.monotonic() < end and any(one.ended is None for one in everyone):
            for one in everyone:
                if one.ended is None:
                    one.go_on()
            for bystander, waits in zip(bystanders, during, strict=True):
                waits += bystander.waits(PACE / 2)
        for victim, kinds, early, late in zip(victims, slow, before, during, strict=True):
            mib = victim.above_idle()
            for name, _, most in KINDS:
                longest = max(one.seconds for one in kinds[name])
                self.assertTrue(all(one.ended for one in kinds[name]), name)
                self.assertLess(longest, most + SLACK, name)
                add_threat(
                    name,
                    "wss" if victim.tls else "ws",
                    f"{count} connections, a byte each half second",
                    f"over after {longest:.1f} s at most",
                    mib,
                    early,
                    late,
                )
            self.assertLess(mib, MOST_MIB)
