"""The daemon's public ports: their listening sockets, from the start through a hand-over to the stop."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Any, cast

from attrs import define, field, frozen
from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IReactorTime
from twisted.logger import Logger

from signald.server.listening import accept_connections

__all__ = ["Listener", "Ports"]

_log = Logger()


@frozen
class Listener:
    """A listening socket with the factory of the protocols for its TCP connections.

    Attributes:
        name: its purpose, as in `socket_activation`.
        socket: the socket, which is already listening; the service becomes its owner.
        factory: the factory, which creates the protocol of each TCP connection.
        scheme: `https`, `http` or `ws`.
        port: the TCP port.

    """

    name: str
    socket: socket.socket
    factory: IProtocolFactory
    scheme: str
    port: int


@define
class Ports:
    """The listening sockets of the public ports.

    Attributes:
        listeners: the sockets, that of the page first.

    """

    listeners: Sequence[Listener]
    _reactor: IReactorTime
    _on_accept_error: Callable[[], None]
    _ports: list[tuple[str, IListeningPort]] = field(init=False, factory=list)

    def open(self) -> None:
        """Accept connections on all sockets from now on."""
        for listener in self.listeners:
            port = accept_connections(self._reactor, listener.socket, listener.factory, self._on_accept_error)
            self._ports.append((listener.name, port))
            _log.info(
                "listening: {scheme} on port {port}", event="listening", scheme=listener.scheme, port=listener.port
            )

    def descriptors(self) -> list[tuple[str, int]]:
        """Return the purpose and the descriptor of each socket that is open."""
        return [(name, _reader(port).fileno()) for name, port in self._ports]

    def pause(self) -> None:
        """Accept no connection until `resume`; new ones wait in the queues of the sockets."""
        for _, port in self._ports:
            _reader(port).stopReading()

    def resume(self) -> None:
        """Accept connections again."""
        for _, port in self._ports:
            _reader(port).startReading()

    async def close(self) -> None:
        """Close the sockets of this process; copies in other processes stay open."""
        ports, self._ports = self._ports, []
        for _, port in ports:
            await maybeDeferred(port.stopListening)


def _reader(port: IListeningPort) -> Any:
    """Return a port as what the reactor reads: Twisted's ports are `FileDescriptor`s, which their interface omits."""
    return cast(Any, port)
