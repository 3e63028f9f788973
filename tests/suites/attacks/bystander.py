"""A bystander: a few clients that take no part in an attack, whose waits for responses are measured."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence

from tests.suites.attacks.target import Target
from tests.support.native_client import NativeClient

#: The number of connections, used in turn; each connection has its own budget of messages.
COUNT = 8

#: The seconds between two requests.
PAUSE = 0.0015


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

    def waits(self, seconds: float) -> list[float]:
        """Send `ping` messages for so many seconds; return the seconds that each waited for its reply."""
        found = list[float]()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for client in self._clients:
                found.append(client.round_trip())
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


def quantile(waits: Sequence[float], share: float) -> float:
    """Return a quantile of the waits in milliseconds."""
    ordered = sorted(waits)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000
