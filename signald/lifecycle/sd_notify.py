"""Tells the service manager how the daemon is: sd_notify(3), as systemd and others that speak its protocol read it.

A notification is one datagram of `NAME=VALUE` lines to the socket that `$NOTIFY_SOCKET` names. Whether it arrives must
not matter to the daemon: nothing here raises, and nothing waits for long.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress

from attrs import frozen

__all__ = ["Notifier", "watchdog_seconds"]

PATIENCE_SECONDS = 0.2
"""For a manager whose queue is full to make room. A lost READY would have it kill a daemon that is well."""

STATUS_LETTERS = 200
"""The most of a status line; a manager shows it in one line."""


@frozen
class Notifier:
    """A way to the service manager, or none.

    Attributes:
        address: of its socket, as the socket module wants it; None where nobody asked to be told.

    """

    address: str | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Notifier:
        """Read `$NOTIFY_SOCKET`: a path, or with `@` an abstract name (unix(7)); nothing else is spoken here."""
        name = environment.get("NOTIFY_SOCKET", "")
        if name.startswith("@") and len(name) > 1:
            return cls(f"\0{name[1:]}")
        return cls(name) if name.startswith("/") else cls()

    def ready(self) -> None:
        """The daemon accepts connections: after its start, or after a reload."""
        self._tell("READY=1")

    def reloading(self, monotonic: float) -> None:
        """The configuration is being read again, since so many monotonic seconds; `ready` ends it."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={_microseconds(monotonic)}")

    def stopping(self, seconds: float) -> None:
        """The daemon is on its way out, and asks for so long before it is killed."""
        self._tell("STOPPING=1", f"EXTEND_TIMEOUT_USEC={_microseconds(seconds)}")

    def alive(self) -> None:
        """Keep the manager's watchdog quiet."""
        self._tell("WATCHDOG=1", patience=0.0)

    def status(self, text: str) -> None:
        """Say in one line what the daemon is doing."""
        self._tell(f"STATUS={' '.join(text.split())[:STATUS_LETTERS]}", patience=0.0)

    def _tell(self, *lines: str, patience: float = PATIENCE_SECONDS) -> None:
        if self.address is None:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(patience)
            sender.sendto("\n".join(lines).encode(), self.address)


def watchdog_seconds(environment: Mapping[str, str], process: int) -> float | None:
    """How long the manager waits for a sign of life (sd_watchdog_enabled(3)); None where it does not watch this one."""
    text = environment.get("WATCHDOG_USEC", "")
    watched = environment.get("WATCHDOG_PID", str(process))
    if not (text.isascii() and text.isdigit()) or len(text) > 18 or int(text) == 0 or watched != str(process):
        return None
    return int(text) / 1_000_000


def _microseconds(seconds: float) -> int:
    return int(seconds * 1_000_000)
