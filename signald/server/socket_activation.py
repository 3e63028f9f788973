"""Socket activation: takes over listening sockets that a service manager has opened (sd_listen_fds(3))."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress

from signald.config.values import ConfigError

__all__ = ["FIRST_DESCRIPTOR", "OPERATIONS", "PAGE", "WS", "adopt_named_sockets", "adopt_sockets"]

PAGE, WS, OPERATIONS = "page", "ws", "operations"
"""The purposes of a listening socket, as in `FileDescriptorName=` of its unit (systemd.socket(5))."""

FIRST_DESCRIPTOR = 3
"""The first descriptor that is handed over (sd_listen_fds(3), `SD_LISTEN_FDS_START`)."""


def adopt_sockets(
    environment: Mapping[str, str], process: int, first: int = FIRST_DESCRIPTOR
) -> dict[str, tuple[socket.socket, ...]]:
    """Take over the listening sockets that the service manager passed to this process; returns them by purpose.

    Arguments:
        environment: the environment variables that the process was started with.
        process: the process id; sockets for another process are ignored.
        first: the first descriptor that is passed.

    Raises:
        ConfigError: a socket's name is unknown, or it is not a listening TCP socket.

    """
    count = environment.get("LISTEN_FDS", "")
    if environment.get("LISTEN_PID") != str(process) or not (count.isascii() and count.isdigit()) or len(count) > 4:
        return {}
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    numbers = range(int(count))
    return adopt_named_sockets([names[n] if n < len(names) else "" for n in numbers], [first + n for n in numbers])


def adopt_named_sockets(names: Sequence[str], descriptors: Sequence[int]) -> dict[str, tuple[socket.socket, ...]]:
    """Take over listening sockets with these names, in the order of the descriptors; returns them by purpose.

    Raises:
        ConfigError: a socket's name is unknown, or it is not a listening TCP socket.

    """
    found: dict[str, list[socket.socket]] = {}
    for given, descriptor in zip(names, descriptors, strict=True):
        name = _purpose(given)
        found.setdefault(name, []).append(_adopted(descriptor, name))
    return {name: tuple(sockets) for name, sockets in found.items()}


def _purpose(name: str) -> str:
    """The purpose of a socket by its name; an unnamed one, which has its unit's name, is the page's.

    Raises:
        ConfigError: the name is unknown.

    """
    if name in (PAGE, WS, OPERATIONS):
        return name
    if name in ("", "unknown") or name.endswith(".socket"):
        return PAGE
    raise ConfigError(f"The service manager passed a socket named {name:.40}; name it {PAGE}, {WS} or {OPERATIONS}.")


def _adopted(descriptor: int, name: str) -> socket.socket:
    """The socket behind a descriptor.

    Raises:
        ConfigError: it is not a listening TCP socket.

    """
    adopted: socket.socket | None = None
    with suppress(OSError):
        adopted = socket.socket(fileno=descriptor)
    if adopted is None or not _listens(adopted):
        raise ConfigError(
            f"The service manager passed a socket named {name} that is not a listening TCP socket; set Accept=no."
        )
    adopted.setblocking(False)  # a blocking accept would stop the reactor
    adopted.set_inheritable(False)
    return adopted


def _listens(adopted: socket.socket) -> bool:
    return (
        adopted.family in (socket.AF_INET, socket.AF_INET6)
        and adopted.type == socket.SOCK_STREAM
        and adopted.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
    )
