"""A signaling server of the tests' own, which says what a test wants it to say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol

from signald_client.server import Address

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
    "secret": "secret",
    "grace": 30,
}
UNCOUNTED = ("hello", "resume", "ack", "ping")


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

    def __init__(self, reactor: Any, subprotocol: str | None = "signald.1", port: int = 0) -> None:
        self.messages: list[dict[str, Any]] = []
        self.connections: list[Any] = []
        self.script: Callable[[dict[str, Any]], None] = self.welcome
        self.subprotocol = subprotocol
        factory: Any = WebSocketServerFactory(reactor=reactor)
        factory.noisy = False
        factory.protocol = type("Protocol", (_Protocol,), {"double": self})
        self.port = reactor.listenTCP(port, factory, interface="127.0.0.1")

    @property
    def address(self) -> Address:
        """Where it is."""
        return Address.parse(f"ws://127.0.0.1:{self.port.getHost().port}/ws")

    def welcome(self, message: dict[str, Any]) -> None:
        """Welcome whoever says hello, and whoever comes back: nothing was lost, the double has got all there was."""
        if message["type"] == "hello":
            self.say(WELCOME)
        elif message["type"] == "resume":
            received = len([said for said in self.types() if said not in UNCOUNTED])
            self.say(WELCOME | {"resumed": "everything", "received": received})

    def say(self, message: dict[str, Any]) -> None:
        """Send a message on the last connection."""
        self.connections[-1].sendMessage(json.dumps(message).encode())

    def types(self) -> list[str]:
        """The types of what it received."""
        return [message["type"] for message in self.messages]

    async def heard(self, type_: str) -> None:
        """Wait until it has received a message of a type."""
        while type_ not in self.types():
            await asyncio.sleep(0.01)

    def stop(self) -> Any:
        """Close everything."""
        for connection in self.connections:
            connection.dropConnection(abort=True)
        return self.port.stopListening()
