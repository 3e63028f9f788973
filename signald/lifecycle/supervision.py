"""Reads what a service manager provides: listening sockets (sd_listen_fds(3)), a watchdog, a notification socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import field, frozen

from signald.lifecycle.handover_channel import Start
from signald.lifecycle.sd_notify import Notifier, watchdog_seconds
from signald.server.socket_activation import FIRST_DESCRIPTOR, PAGE, adopt_named_sockets, adopt_sockets

__all__ = ["Supervision", "started_with"]


@frozen
class Supervision:
    """The interface of the service manager to the daemon; by default there is no service manager.

    Attributes:
        sockets: the listening sockets by name, which the service manager keeps open while the daemon restarts.
        notifier: the sender of sd_notify messages.
        watchdog: the seconds without a heartbeat after which the service manager restarts the daemon; None for never.
        queues: whether the sockets outlive this process, so that connections wait in their queues during a restart.
        is_successor: whether a running process handed the sockets over. Then no other socket is bound, and nothing is
            reported to the service manager before it knows this process as the main one.
        lock: the descriptor of the lock of the data directory that this process handed over; None if it did not.

    """

    sockets: Mapping[str, tuple[socket.socket, ...]] = field(factory=dict)
    notifier: Notifier = field(factory=Notifier)
    watchdog: float | None = None
    queues: bool = False
    is_successor: bool = False
    lock: int | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str], process: int, first: int = FIRST_DESCRIPTOR) -> Supervision:
        """Read the environment and adopt the sockets that the service manager hands over.

        Arguments:
            environment: the environment that the process was started with.
            process: the ID of this process; variables that are meant for another process are ignored.
            first: the first file descriptor of the sockets.

        Raises:
            ConfigError: the name of a socket is unknown, or the socket is not listening for TCP connections.

        """
        sockets = adopt_sockets(environment, process, first)
        return cls(
            sockets, Notifier.of(environment), watchdog_seconds(environment, process), queues=bool(sockets.get(PAGE))
        )

    @classmethod
    def of_successor(
        cls, environment: Mapping[str, str], process: int, start: Start, descriptors: Sequence[int]
    ) -> Supervision:
        """Adopt the sockets that the running process hands over, and read the environment that it passed on.

        Arguments:
            environment: the environment that the process was started with.
            process: the ID of this process.
            start: the message that describes the sockets.
            descriptors: the sockets, and the lock of the data directory where there is one.

        Raises:
            ConfigError: the name of a socket is unknown, or the socket is not listening for TCP connections.

        """
        count = len(start.sockets)
        return cls(
            adopt_named_sockets(start.sockets, descriptors[:count]),
            Notifier.of(environment),
            watchdog_seconds(environment, process),
            queues=start.queues,
            is_successor=True,
            lock=descriptors[count] if start.has_lock else None,
        )

    def handed_over(self, name: str) -> tuple[socket.socket, ...]:
        """Return the sockets of that name."""
        return self.sockets.get(name, ())


def started_with() -> dict[str, str]:
    """Return the environment that this process was started with; empty if there is no /proc.

    `os.environ` cannot be used: `twisted.internet.endpoints` deletes the variables of the sockets from it at its
    import, which under twistd happens before the import of any module of signald.
    """
    try:
        content = Path("/proc/self/environ").read_bytes()
    except OSError:
        return {}
    variables = (os.fsdecode(variable).partition("=") for variable in content.split(b"\0"))
    return {name: value for name, _, value in variables}
