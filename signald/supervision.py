"""What a service manager gives to the daemon: listening sockets (sd_listen_fds(3)), a watchdog, somebody to tell."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from attrs import field, frozen

from signald.sd_notify import Notifier, watchdog_seconds
from signald.values import ConfigError

__all__ = ["FIRST_DESCRIPTOR", "OPERATIONS", "PAGE", "WS", "Supervision", "started_with"]

PAGE, WS, OPERATIONS = "page", "ws", "operations"
"""What a socket may be for: the `FileDescriptorName=` of its unit (systemd.socket(5))."""

FIRST_DESCRIPTOR = 3
"""Where the descriptors begin that are handed over."""


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
        sockets = _sockets(environment, process, first)
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


def _sockets(environment: Mapping[str, str], process: int, first: int) -> dict[str, tuple[socket.socket, ...]]:
    count = environment.get("LISTEN_FDS", "")
    if environment.get("LISTEN_PID") != str(process) or not (count.isascii() and count.isdigit()) or len(count) > 4:
        return {}
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    found: dict[str, list[socket.socket]] = {}
    for number in range(int(count)):
        name = _purpose(names[number] if number < len(names) else "")
        found.setdefault(name, []).append(_adopted(first + number, name))
    return {name: tuple(sockets) for name, sockets in found.items()}


def _purpose(name: str) -> str:
    """What a socket of that name is for; one that nobody named, which has its unit's name, is the page's.

    Raises:
        ConfigError: nothing.

    """
    if name in (PAGE, WS, OPERATIONS):
        return name
    if name in ("", "unknown") or name.endswith(".socket"):
        return PAGE
    raise ConfigError(f"A socket was handed over as {name:.40}; name it {PAGE}, {WS} or {OPERATIONS}.")


def _adopted(descriptor: int, name: str) -> socket.socket:
    """The socket behind a descriptor.

    Raises:
        ConfigError: connections cannot be accepted on it.

    """
    adopted: socket.socket | None = None
    with suppress(OSError):
        adopted = socket.socket(fileno=descriptor)
    if adopted is None or not _listens(adopted):
        raise ConfigError(f"The socket that was handed over as {name} is no listening TCP socket (Accept=no).")
    adopted.setblocking(False)  # a blocking accept would stop the reactor
    adopted.set_inheritable(False)
    return adopted


def _listens(adopted: socket.socket) -> bool:
    return (
        adopted.family in (socket.AF_INET, socket.AF_INET6)
        and adopted.type == socket.SOCK_STREAM
        and adopted.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
    )
