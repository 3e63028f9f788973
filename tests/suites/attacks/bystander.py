"""A bystander: a few connections that have nothing to do with an attack, and how long they wait for their answers."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence

from tests.suites.attacks.target import Target
from tests.support.native_client import NativeClient

#: Connections, in turn; each has a budget of messages of its own.
COUNT = 8

#: Seconds between two questions.
PAUSE = 0.0015


class Bystander:
    """Asks a daemon for a sign of life, again and again."""

    def __init__(self, target: Target) -> None:
        """Connect from addresses of its own."""
        self._clients = [
            NativeClient(target.port, tls=target.tls, socket=connection(f"127.0.9.{number + 1}", target))
            for number in range(COUNT)
        ]
        for client in self._clients:
            client.greet()

    def waits(self, seconds: float) -> list[float]:
        """Ask for so many seconds; each wait in seconds."""
        found = list[float]()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for client in self._clients:
                found.append(client.round_trip())
                time.sleep(PAUSE)
        return found

    def close(self) -> None:
        """Go."""
        for client in self._clients:
            client.close()


def connection(source: str, target: Target) -> socket.socket:
    """A TCP connection from another address of the loopback network."""
    plain = socket.create_connection(("127.0.0.1", target.port), timeout=10, source_address=(source, 0))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return target.wrap(plain)


def quantile(waits: Sequence[float], share: float) -> float:
    """The wait that this share of all does not exceed, in milliseconds."""
    ordered = sorted(waits)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000
