"""Carries out the hub's actions: connections, decisions, clock, log."""

from __future__ import annotations

from typing import NewType, Protocol

from signald.dialects.dialect import Dialect
from signald.limits import AddressKey

PeerId = NewType("PeerId", int)


class Connection(Protocol):
    """One peer's socket, as the switchboard sees it."""

    def send(self, frame: bytes) -> None:
        """Send a text message; `frame` is UTF-8."""

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake (RFC 6455 §7.1.2) and drop the connection when it takes too long."""


class Switchboard:
    """Between the connections and the hub."""

    def opened(self, connection: Connection, dialect: Dialect, address: AddressKey) -> PeerId:
        """A WebSocket is open; the id is what its later facts are told under."""
        raise NotImplementedError

    def received(self, peer: PeerId, frame: bytes) -> None:
        """A text message came."""
        raise NotImplementedError

    def closed(self, peer: PeerId) -> None:
        """The connection is gone."""
        raise NotImplementedError
