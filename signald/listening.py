"""The server's listening sockets: bound before the service starts, so that a port in use is told in one sentence."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterable

from signald.values import ConfigError

BACKLOG = 1024
"""Connections that may wait to be accepted; the kernel lowers it to net.core.somaxconn."""

SPARE_DESCRIPTORS = 64
"""Descriptors that are kept for files and the reactor; where there are few, half of them."""


def bind_all(interface: str | None, ports: Iterable[int]) -> list[socket.socket]:
    """Bind a listening socket to each port, or none at all.

    Raises:
        ConfigError: the address or a port cannot be used.

    """
    sockets: list[socket.socket] = []
    try:
        for port in ports:
            sockets.append(bind(interface, port))
    except ConfigError:
        for bound in sockets:
            bound.close()
        raise
    return sockets


def bind(interface: str | None, port: int) -> socket.socket:
    """Bind a listening socket; without an interface, to every IPv4 and IPv6 address.

    Raises:
        ConfigError: the address or the port cannot be used.

    """
    everywhere = interface is None
    host = interface or "::"
    if everywhere and not socket.has_dualstack_ipv6():
        host = "0.0.0.0"  # noqa: S104 # serving every interface is what was asked for
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        bound = socket.create_server(
            (host, port), family=family, backlog=BACKLOG, dualstack_ipv6=everywhere and family == socket.AF_INET6
        )
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (while")[0]
        where = f"port {port}" if everywhere else f"port {port} of {interface}"
        raise ConfigError(f"Cannot listen on {where}: {reason}.") from None
    bound.setblocking(False)  # an adopted socket stays as it is, and a blocking accept would stop the reactor
    return bound


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open files to the hard one; return how many connections that leaves room for."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return room(hard) if hard != resource.RLIM_INFINITY else 2**31 - 1


def room(descriptors: int) -> int:
    """How many of so many descriptors are for connections."""
    return max(1, descriptors - min(SPARE_DESCRIPTORS, descriptors // 2))
