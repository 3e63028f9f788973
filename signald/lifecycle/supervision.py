"""Reads what a service manager provides: listening sockets (sd_listen_fds(3)), a watchdog, a notification socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

from signald.lifecycle.sd_notify import Notifier, watchdog_seconds
from signald.server.socket_activation import FIRST_DESCRIPTOR, adopt_sockets

__all__ = ["Supervision", "started_with"]


@frozen
class Supervision:
    """The service manager as the daemon sees it; by default there is none.

    Attributes:
        sockets: listening already, and open while the daemon is not: by what they are for.
        notifier: a way to tell how the daemon is.
        watchdog: seconds after which the daemon is restarted unless it says that it is alive; None for never.

    """

    sockets: Mapping[str, tuple[socket.socket, ...]] = field(factory=dict)
    notifier: Notifier = field(factory=Notifier)
    watchdog: float | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str], process: int, first: int = FIRST_DESCRIPTOR) -> Supervision:
        """Take over what the environment says.

        Arguments:
            environment: that the process was started with.
            process: its id: what is meant for another one is left alone.
            first: the first descriptor.

        Raises:
            ConfigError: a socket is for nothing that is known here, or not one that connections can be accepted on.

        """
        sockets = adopt_sockets(environment, process, first)
        return cls(sockets, Notifier.of(environment), watchdog_seconds(environment, process))

    def handed_over(self, name: str) -> tuple[socket.socket, ...]:
        """The sockets for that purpose."""
        return self.sockets.get(name, ())


def started_with() -> dict[str, str]:
    """The environment that this process was started with; empty where there is no /proc.

    `twisted.internet.endpoints` takes what says which sockets are handed over out of `os.environ` when it is imported,
    which under twistd is before anything of ours.
    """
    try:
        content = Path("/proc/self/environ").read_bytes()
    except OSError:
        return {}
    variables = (os.fsdecode(variable).partition("=") for variable in content.split(b"\0"))
    return {name: value for name, _, value in variables}
