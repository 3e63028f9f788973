"""Binds the server's listening sockets before the service starts, and has the reactor accept connections on them.

A port that is in use is then reported in one sentence instead of a traceback.
"""

from __future__ import annotations

import resource
import socket
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IReactorSocket, IReactorTime
from twisted.logger import Logger

from signald.config.settings import Config
from signald.config.values import ConfigError
from signald.server.accept_errors import AcceptErrorLog
from signald.server.direct_transport import DirectTransport
from signald.server.socket_activation import PAGE, WS

BACKLOG = 1024
"""Connections that may wait to be accepted; the kernel lowers the number to net.core.somaxconn."""

ACCEPTS_PER_ROUND = 8
"""Connections that a port accepts in one round of the reactor, which are the points of one round
(`signald.server.costs`). Twisted accepts 100 at first, and 20 more each time: 200 connections at once take 14 ms."""

SPARE_DESCRIPTORS = 64
"""Descriptors reserved for files and the reactor; half of all where there are few."""

_log = Logger()


class BindError(ConfigError):
    """An address or a port cannot be used, for instance because another program uses it, perhaps for a moment."""


def open_sockets(
    config: Config, handed_over: Mapping[str, tuple[socket.socket, ...]], *, can_bind: bool = True
) -> list[tuple[str, socket.socket]]:
    """Bind the listening sockets that were not handed over; returns all with their purpose, the page's first.

    Arguments:
        config: the ports.
        handed_over: the sockets that another process has opened, by purpose.
        can_bind: whether a socket may be bound; if not, a port without a socket is left out, and that is logged.

    Raises:
        BindError: an address or a port cannot be used, and no socket stays bound.

    """
    ports = {PAGE: config.port, WS: config.ws_port}
    found = [(name, adopted) for name in ports for adopted in handed_over.get(name, ())]
    given = {name for name, _ in found}
    try:
        for name, port in ports.items():
            if port is None or name in given:
                continue
            if can_bind:
                found.append((name, bind(config.interface, port)))
            else:
                _log.warn("a restart is needed to open the port for: {name}", event="port-needs-restart", name=name)
    except BindError:
        for _, bound in found:
            bound.close()
        raise
    return sorted(found, key=lambda one: one[0] != PAGE)


def bind(interface: str | None, port: int) -> socket.socket:
    """Bind a listening socket; without an interface, to every IPv4 and IPv6 address.

    Raises:
        BindError: the address or the port cannot be used.

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
        raise BindError(f"Cannot listen on {where}: {reason}.") from None
    bound.setblocking(False)  # the reactor does not change it, and a blocking accept would block the reactor
    return bound


def accept_connections(
    reactor: IReactorTime, bound: socket.socket, factory: IProtocolFactory, on_accept_error: Callable[[], None]
) -> IListeningPort:
    """Accept connections on a listening socket from now on; the socket is the reactor's afterwards.

    Arguments:
        reactor: accepts the connections.
        bound: the socket, which is closed here after the reactor has duplicated its descriptor.
        factory: makes the connections' protocols.
        on_accept_error: called for each connection that had to be closed because no descriptor was left.

    """
    port: IListeningPort = IReactorSocket(reactor).adoptStreamPort(
        bound.fileno(),
        bound.family,
        factory,  # type: ignore[arg-type] # any IProtocolFactory will do
    )
    bound.close()
    _bound_accepts(port)
    port.transport = DirectTransport  # type: ignore[attr-defined] # a `tcp.Port`, made by a reactor that reads sockets
    # Twisted offers no other way to what a port alone logs, and a flood of accept errors would flood the log.
    port._logger = Logger(observer=AcceptErrorLog(reactor, on_accept_error))  # type: ignore[attr-defined]
    return port


def _bound_accepts(port: Any) -> None:
    """Have a port accept `ACCEPTS_PER_ROUND` connections at a time; Twisted adapts the number after each time."""
    accept = port.doRead

    def accept_some() -> None:
        port.numberAccepts = ACCEPTS_PER_ROUND
        accept()

    port.doRead = accept_some


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open files to the hard one; returns how many connections that leaves room for."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return room(hard) if hard != resource.RLIM_INFINITY else 2**31 - 1


def room(descriptors: int) -> int:
    """The number of connections for which so many descriptors leave room."""
    return max(1, descriptors - min(SPARE_DESCRIPTORS, descriptors // 2))
