"""A signaling server of the tests' own, which says what a test wants it to say."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol

from signald_client.transport import Address

__all__ = ["Double"]

ME = "0K3PB4X7WQ2M9RT6ZC8HNJVDYA"
WELCOME = {
    "type": "welcome",
    "version": 1,
    "server": "double",
    "user": ME,
    "features": [],
    "limits": {"message-bytes": 65536, "messages-per-second": 100, "messages-burst": 500, "session-members": 8},
    "ice-servers": [],
}


class _Protocol(WebSocketServerProtocol):
    """One connection."""

    double: Double

    def onConnect(self, request: Any) -> str | None:
        """Choose the subprotocol that the test wants."""
        self.double.connections.append(self)
        return self.double.subprotocol

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Hand the message to the test."""
        message = json.loads(payload)
        self.double.messages.append(message)
        self.double.script(message)


class Double:
    """The server.

    Attributes:
        messages: what it received.
        script: is called with each message.
        connections: the connections that there were.
        subprotocol: what it chooses.

    """

    def __init__(self, reactor: Any, subprotocol: str | None = "signald.1") -> None:
        self.messages: list[dict[str, Any]] = []
        self.connections: list[Any] = []
        self.script: Callable[[dict[str, Any]], None] = self.welcome
        self.subprotocol = subprotocol
        factory: Any = WebSocketServerFactory(reactor=reactor)
        factory.noisy = False
        factory.protocol = type("Protocol", (_Protocol,), {"double": self})
        self.port = reactor.listenTCP(0, factory, interface="127.0.0.1")

    @property
    def address(self) -> Address:
        """Where it is."""
        return Address.parse(f"ws://127.0.0.1:{self.port.getHost().port}/ws")

    def welcome(self, message: dict[str, Any]) -> None:
        """Welcome whoever says hello."""
        if message["type"] == "hello":
            self.say(WELCOME)

    def say(self, message: dict[str, Any]) -> None:
        """Send a message on the last connection."""
        self.connections[-1].sendMessage(json.dumps(message).encode())

    def stop(self) -> Any:
        """Close everything."""
        for connection in self.connections:
            connection.dropConnection(abort=True)
        return self.port.stopListening()
