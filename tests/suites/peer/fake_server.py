"""A fake signaling server that sends whatever a test scripts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol

from signald_client.server import Address

__all__ = ["FakeServer"]

ME = "0K3PB4X7WQ2M9RT6ZC8HNJVDYA"
WELCOME = {
    "type": "welcome",
    "version": 1,
    "server": "fake",
    "user": ME,
    "features": [],
    "limits": {"message-bytes": 65536, "messages-per-second": 100, "messages-burst": 500, "session-members": 8},
    "ice-servers": [],
    "secret": "secret",
    "grace": 30,
}
UNCOUNTED = ("hello", "resume", "ack", "ping")


class _Protocol(WebSocketServerProtocol):
    """One WebSocket of the fake server."""

    fake_server: FakeServer

    def onConnect(self, request: Any) -> str | None:
        """Choose the subprotocol that the test has set."""
        self.fake_server.connections.append(self)
        return self.fake_server.subprotocol

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Record the message, and call the script with it."""
        message = json.loads(payload)
        self.fake_server.messages.append(message)
        self.fake_server.script(message)


class FakeServer:
    """A WebSocket server on a port of the loopback interface.

    Attributes:
        messages: the received messages.
        script: called with each received message; by default `welcome`.
        connections: all connections so far.
        subprotocol: the subprotocol that the server chooses; None for none.

    """

    def __init__(self, reactor: Any, subprotocol: str | None = "signald.1", port: int = 0) -> None:
        self.messages: list[dict[str, Any]] = []
        self.connections: list[Any] = []
        self.script: Callable[[dict[str, Any]], None] = self.welcome
        self.subprotocol = subprotocol
        factory: Any = WebSocketServerFactory(reactor=reactor)
        factory.noisy = False
        factory.protocol = type("Protocol", (_Protocol,), {"fake_server": self})
        self.port = reactor.listenTCP(port, factory, interface="127.0.0.1")

    @property
    def address(self) -> Address:
        """The server's address."""
        return Address.parse(f"ws://127.0.0.1:{self.port.getHost().port}/ws")

    def welcome(self, message: dict[str, Any]) -> None:
        """Reply to `hello`, and reply to `resume` as a server that lost nothing and has received all messages."""
        if message["type"] == "hello":
            self.send_message(WELCOME)
        elif message["type"] == "resume":
            received = len([type_ for type_ in self.types() if type_ not in UNCOUNTED])
            self.send_message(WELCOME | {"resumed": "everything", "received": received})

    def send_message(self, message: dict[str, Any]) -> None:
        """Send a message on the latest WebSocket."""
        self.connections[-1].sendMessage(json.dumps(message).encode())

    def types(self) -> list[str]:
        """Return the types of the received messages."""
        return [message["type"] for message in self.messages]

    async def wait_for_message(self, type_: str) -> None:
        """Wait until a message of this type was received."""
        while type_ not in self.types():
            await asyncio.sleep(0.01)

    def stop(self) -> Any:
        """Close all WebSockets and the port."""
        for connection in self.connections:
            connection.dropConnection(abort=True)
        return self.port.stopListening()
