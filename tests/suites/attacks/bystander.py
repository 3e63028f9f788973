"""A bystander: a few clients that take no part in an attack, whose waits for responses are measured."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.suites.attacks.target import Target
from tests.support.native_client import NativeClient

#: The number of connections, used in turn; each connection has its own budget of messages.
COUNT = 8

#: The seconds between two requests.
PAUSE = 0.0015


@dataclass(frozen=True)
class Wait:
    """The wait for one reply.

    Attributes:
        wall: the seconds between request and reply.
        cpu: the seconds of processor time that the daemon used meanwhile. Unlike the others they do not depend on what
            else the machine does: they are what the daemon did for others before it replied.

    """

    wall: float
    cpu: float


class Bystander:
    """Sends `ping` messages to a daemon repeatedly."""

    def __init__(self, target: Target) -> None:
        """Connect from addresses that no attacker uses."""
        self._clients = [
            NativeClient(target.port, tls=target.tls, socket=connection(f"127.0.9.{number + 1}", target))
            for number in range(COUNT)
        ]
        for client in self._clients:
            client.greet()
        # The clock of another process's processor time (clock_getcpuclockid(3)).
        self._cpu_clock = (~target.daemon.program.process.pid << 3) | 2

    def waits(self, seconds: float) -> list[Wait]:
        """Send `ping` messages for so many seconds; return the wait of each for its reply."""
        found = list[Wait]()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for client in self._clients:
                cpu = time.clock_gettime(self._cpu_clock)
                wall = client.round_trip()
                found.append(Wait(wall, time.clock_gettime(self._cpu_clock) - cpu))
                time.sleep(PAUSE)
        return found

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients:
            client.close()


def connection(source: str, target: Target) -> socket.socket:
    """Open a TCP connection from another address of the loopback network."""
    plain = socket.create_connection(("127.0.0.1", target.port), timeout=10, source_address=(source, 0))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return target.wrap(plain)


def walls(waits: Iterable[Wait]) -> list[float]:
    """Return the seconds of waits."""
    return [wait.wall for wait in waits]


def cpus(waits: Iterable[Wait]) -> list[float]:
    """Return the seconds of processor time of waits."""
    return [wait.cpu for wait in waits]


def quantile(waits: Sequence[float], share: float) -> float:
    """Return a quantile of the waits in milliseconds."""
    ordered = sorted(waits)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000
