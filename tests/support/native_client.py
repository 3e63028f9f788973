"""A client of the native dialect on a real socket, one step at a time: for the suites with real daemons."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

import websocket

SUBPROTOCOL = "signald.1"

#: Seconds for an answer.
PATIENCE = 10.0

Body = dict[str, Any]


class NativeClient:
    """A WebSocket of the native dialect.

    Attributes:
        socket: the WebSocket.
        welcome: what the server said to the greeting; None before it.

    """

    def __init__(
        self, port: int, *, tls: bool, address: str = "localhost", headers: dict[str, str] | None = None, **options: Any
    ) -> None:
        """Connect to a port of this machine, whatever certificate it shows.

        Arguments:
            port: of the page.
            tls: whether it speaks TLS.
            address: of the server.
            headers: further ones of the opening handshake.
            options: of `websocket.create_connection`, such as `host` or `timeout`.

        Raises:
            OSError: there is no connection.
            websocket.WebSocketException: the handshake was refused.

        """
        self.socket: Any = websocket.create_connection(
            f"{'wss' if tls else 'ws'}://{address}:{port}/ws",
            **{
                "timeout": PATIENCE,
                "subprotocols": [SUBPROTOCOL],
                "sslopt": {"cert_reqs": ssl.CERT_NONE, "check_hostname": False},
                "sockopt": ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),),
                "suppress_origin": True,
                "header": headers or {},
                **options,
            },
        )
        self.welcome: Body | None = None

    def greet(self, **keys: Any) -> Body:
        """Say hello, and return the welcome."""
        self.welcome = self.ask("hello", version=1, **keys)
        return self.welcome

    @property
    def user(self) -> str:
        """Its user id."""
        assert self.welcome is not None
        user: str = self.welcome["user"]
        return user

    def say(self, type: str, **keys: Any) -> None:
        """Send a message; an underscore in a key stands for a hyphen."""
        body = {"type": type, **{key.replace("_", "-"): value for key, value in keys.items()}}
        self.socket.send(json.dumps(body))

    def hear(self) -> Body:
        """Return the next message; pings of the server are answered on the way.

        Raises:
            websocket.WebSocketTimeoutException: there is none in time.
            websocket.WebSocketConnectionClosedException: there will be none.

        """
        deadline = time.monotonic() + self.socket.gettimeout()
        while True:
            # Not recv(), in which each ping of the server would begin the waiting anew.
            opcode, frame = self.socket.recv_data_frame(control_frame=True)
            if opcode == websocket.ABNF.OPCODE_TEXT:
                body: Body = json.loads(frame.data)
                return body
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                raise websocket.WebSocketConnectionClosedException(frame.data)
            if time.monotonic() > deadline:
                raise websocket.WebSocketTimeoutException("only pings came")

    def hear_until(self, wanted: Callable[[Body], bool]) -> Body:
        """Return the first message that is wanted; the others are forgotten."""
        deadline = time.monotonic() + PATIENCE
        while True:
            body = self.hear()
            if wanted(body):
                return body
            if time.monotonic() > deadline:
                raise AssertionError(f"not said within {PATIENCE:g} s; last: {body['type']}")

    def hear_type(self, *types: str) -> Body:
        """Return the next message of one of these types."""
        return self.hear_until(lambda body: body["type"] in types)

    def ask(self, type: str, **keys: Any) -> Body:
        """Send a request, and return its reply or error."""
        self.say(type, id="asked", **keys)
        return self.hear_until(lambda body: body.get("id") == "asked")

    def round_trip(self) -> float:
        """Seconds from a `ping` to its `pong`."""
        begin = time.monotonic()
        self.ask("ping")
        return time.monotonic() - begin

    def close(self) -> None:
        """Close the connection at once."""
        self.socket.shutdown()
