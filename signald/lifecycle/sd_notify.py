"""Notifies the service manager of the daemon's state with sd_notify(3), the protocol of systemd and others.

A notification is a datagram of `NAME=VALUE` lines to the socket that `$NOTIFY_SOCKET` names. A lost notification must
not harm the daemon: no function of this module raises an exception or blocks for long.
"""

from __future__ import annotations

import os
import socket
from array import array
from collections.abc import Mapping
from contextlib import suppress

from attrs import frozen

__all__ = ["Notifier", "watchdog_seconds"]

SEND_TIMEOUT_SECONDS = 0.2
"""The timeout of a send if the queue of the service manager is full.

The daemon waits at all because the service manager would kill a healthy daemon if READY were lost.
"""

STATUS_LETTERS = 200
"""The maximum length of a status in characters; service managers show the status in one line."""


@frozen
class Notifier:
    """Sends notifications to the service manager, if there is one.

    Attributes:
        address: the address of the service manager's socket, in the form of the socket module; None if no service
            manager expects notifications.

    """

    address: str | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Notifier:
        """Read `$NOTIFY_SOCKET`: a path, or an abstract name after `@` (unix(7)); any other address is ignored."""
        name = environment.get("NOTIFY_SOCKET", "")
        if name.startswith("@") and len(name) > 1:
            return cls(f"\0{name[1:]}")
        return cls(name) if name.startswith("/") else cls()

    def ready(self) -> None:
        """Report that the daemon accepts connections, after its start or after a reload."""
        self._send("READY=1")

    def reloading(self, monotonic: float) -> None:
        """Report that a reload began at this monotonic time; `ready` reports the end of the reload."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={_microseconds(monotonic)}")

    def stopping(self, seconds: float) -> None:
        """Report that the daemon stops, and extend the time after which the service manager kills it to `seconds`."""
        self._send("STOPPING=1", f"EXTEND_TIMEOUT_USEC={_microseconds(seconds)}")

    def alive(self) -> None:
        """Send a heartbeat to the watchdog."""
        self._send("WATCHDOG=1", timeout=0.0)

    def status(self, text: str) -> None:
        """Report in one line what the daemon is doing."""
        self._send(f"STATUS={' '.join(text.split())[:STATUS_LETTERS]}", timeout=0.0)

    def main_process(self, process: int) -> None:
        """Report that another process is the main process of the service from now on (`MAINPID=`).

        With `NotifyAccess=main`, the service manager believes no later notification of this process, and none of the
        other one that it reads before this.
        """
        self._send(f"MAINPID={process}")

    def barrier(self) -> int | None:
        """Send a descriptor that the service manager closes once it has processed all earlier notifications.

        This is sd_notify_barrier(3), without the wait: the result is the non-blocking descriptor of a pipe, which ends
        at that time, and which the caller closes. It is None if there is nothing to wait for.
        """
        if self.address is None:
            return None
        try:
            reader, writer = os.pipe()
        except OSError:
            return None
        os.set_blocking(reader, False)
        try:
            is_sent = self._send("BARRIER=1", descriptor=writer)
        finally:
            os.close(writer)
        if is_sent:
            return reader
        os.close(reader)
        return None

    def _send(self, *lines: str, timeout: float = SEND_TIMEOUT_SECONDS, descriptor: int | None = None) -> bool:
        """Send lines, and a copy of a descriptor if there is one; return whether they were sent."""
        if self.address is None:
            return False
        # `socket.send_fds` ignores its argument `address`.
        rights = [] if descriptor is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [descriptor]))]
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(timeout)
            sender.sendmsg(["\n".join(lines).encode()], rights, 0, self.address)
            return True
        return False


def watchdog_seconds(environment: Mapping[str, str], process: int) -> float | None:
    """Return the timeout of the watchdog (sd_watchdog_enabled(3)); None if no watchdog supervises this process."""
    text = environment.get("WATCHDOG_USEC", "")
    watched = environment.get("WATCHDOG_PID", str(process))
    if not (text.isascii() and text.isdigit()) or len(text) > 18 or int(text) == 0 or watched != str(process):
        return None
    return int(text) / 1_000_000


def _microseconds(seconds: float) -> int:
    return int(seconds * 1_000_000)
