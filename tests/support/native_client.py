"""A blocking client of the native dialect on a real socket, for the suites with real daemons."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

import websocket

SUBPROTOCOL = "signald.1"

#: Seconds to wait for a message.
RECEIVE_SECONDS = 10.0

Body = dict[str, Any]


class NativeClient:
    """A WebSocket that speaks the native dialect.

    Attributes:
        socket: the WebSocket.
        welcome: the server's reply to `hello`; None before the reply.

    """

    def __init__(
        self, port: int, *, tls: bool, address: str = "localhost", headers: dict[str, str] | None = None, **options: Any
    ) -> None:
        """Connect to a port of this machine, and accept any certificate.

        Arguments:
            port: the page's port.
            tls: whether the port speaks TLS.
            address: the server's name or address.
            headers: additional headers of the opening handshake.
            options: options of `websocket.create_connection`, such as `host` or `timeout`.

        Raises:
            OSError: the connection could not be made.
            websocket.WebSocketException: the handshake was refused.

        """
        self.socket: Any = websocket.create_connection(
            f"{'wss' if tls else 'ws'}://{address}:{port}/ws",
            **{
                "timeout": RECEIVE_SECONDS,
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
        """Send `hello`, and return the welcome."""
        self.welcome = self.request("hello", version=1, **keys)
        return self.welcome

    @property
    def user(self) -> str:
        """The client's user id, which the welcome contained."""
        assert self.welcome is not None
        user: str = self.welcome["user"]
        return user

    def send(self, type: str, **keys: Any) -> None:
        """Send a message; an underscore in a key stands for a hyphen."""
        body = {"type": type, **{key.replace("_", "-"): value for key, value in keys.items()}}
        self.socket.send(json.dumps(body))

    def receive(self) -> Body:
        """Return the next message; pings from the server are answered meanwhile.

        Raises:
            websocket.WebSocketTimeoutException: no message arrived in time.
            websocket.WebSocketConnectionClosedException: the connection is closed.

        """
        deadline = time.monotonic() + self.socket.gettimeout()
        while True:
            # recv() is not used, since each ping of the server would restart its timeout.
            opcode, frame = self.socket.recv_data_frame(control_frame=True)
            if opcode == websocket.ABNF.OPCODE_TEXT:
                body: Body = json.loads(frame.data)
                return body
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                raise websocket.WebSocketConnectionClosedException(frame.data)
            if time.monotonic() > deadline:
                raise websocket.WebSocketTimeoutException("only pings arrived")

    def receive_until(self, wanted: Callable[[Body], bool]) -> Body:
        """Return the first message that fulfils a condition; drop the messages before it."""
        deadline = time.monotonic() + RECEIVE_SECONDS
        while True:
            body = self.receive()
            if wanted(body):
                return body
            if time.monotonic() > deadline:
                raise AssertionError(f"not received within {RECEIVE_SECONDS:g} s; last message: {body['type']}")

    def receive_type(self, *types: str) -> Body:
        """Return the next message of one of these types; drop the messages before it."""
        return self.receive_until(lambda body: body["type"] in types)

    def request(self, type: str, **keys: Any) -> Body:
        """Send a request, and return its reply or error."""
        self.send(type, id="request", **keys)
        return self.receive_until(lambda body: body.get("id") == "request")

    def round_trip(self) -> float:
        """Send a `ping`, and return the seconds until its `pong`."""
        started_at = time.monotonic()
        self.request("ping")
        return time.monotonic() - started_at

    def close(self) -> None:
        """Close the TCP connection at once, without a close frame."""
        self.socket.shutdown()
