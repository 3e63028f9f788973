"""WebSockets of the load generator."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSParsedURL, WSTransport, ws_connect

__all__ = ["PATIENCE", "Client", "LoadError", "open_client"]

PATIENCE = 30.0
"""Seconds to wait for a message."""

CLIENTS_AN_ADDRESS = 50
"""Clients that share a source address, which is below each limit of signald for one address."""

TEXT, CLOSE = WSMsgType.TEXT, WSMsgType.CLOSE


class LoadError(Exception):
    """The server did not do what a client expected."""


class Client(WSListener):
    """One WebSocket.

    Attributes:
        number: the client's number, from which its source address follows.
        transport: the connection; there is none before `open_client` has returned.
        id: the id that the server gave to it.
        session: the session that it is a member of.
        offerer: the id of the client that makes the first offer of the pair: the guest, who joined later.
        on_text: called with each text message; by default messages are stored for `receive`.
        failure: why the server refused something; None if it did not.

    """

    def __init__(self, number: int = 0) -> None:
        """Create a client that is not connected."""
        self.number = number
        self.id = ""
        self.transport: WSTransport
        self.session = ""
        self.offerer = ""
        self.failure: str | None = None
        self._texts: deque[bytes] = deque()
        self._waiting: asyncio.Future[None] | None = None
        self._opened = False
        self.on_text: Callable[[bytes], None] = self.store

    @property
    def is_closed(self) -> bool:
        """Whether the connection was opened, and is closed or closing."""
        return self._opened and (self.transport.is_close_frame_sent or self.transport.is_disconnected)

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Keep the transport."""
        self.transport = transport
        self._opened = True

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Handle a frame; picows answers pings."""
        if frame.msg_type is TEXT:
            self.on_text(frame.get_payload_as_bytes())
        elif frame.msg_type is CLOSE:
            self.close_received(transport, frame)

    def close_received(self, transport: WSTransport, frame: WSFrame) -> None:
        """Answer a close frame; it is a failure if the client did not send one first."""
        if not transport.is_close_frame_sent:
            reason = (frame.get_close_message() or b"").decode("utf-8", "replace")
            self.fail(f"closed by the server with {frame.get_close_code()} {reason}")
            transport.send_close(WSCloseCode.OK)
        transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Wake up who waits for a message."""
        if not transport.is_close_frame_sent:
            self.fail("the connection was lost")

    def fail(self, reason: str) -> None:
        """Note a failure, and wake up who waits for a message."""
        self.failure = self.failure or reason
        self._wake()

    def store(self, text: bytes) -> None:
        """Store a message for `receive`."""
        self._texts.append(text)
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def send(self, text: bytes) -> None:
        """Send a text message."""
        self.transport.send(TEXT, text)

    async def receive(self) -> bytes:
        """Return the next message.

        Raises:
            LoadError: the server refused something, closed the connection, or sent nothing for `PATIENCE` seconds.

        """
        while not self._texts:
            if self.failure is not None:
                raise LoadError(self.failure)
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._waiting
            except TimeoutError:
                raise LoadError(f"no message for {PATIENCE:g} s") from None
        return self._texts.popleft()

    async def receive_beginning(self, *prefixes: bytes) -> bytes:
        """Return the next message that begins like this; drop the messages before it."""
        while True:
            text = await self.receive()
            if text.startswith(prefixes):
                return text

    async def close(self) -> None:
        """Close the WebSocket with 1000, and wait until the TCP connection is closed."""
        self.transport.send_close(WSCloseCode.OK)
        try:
            async with asyncio.timeout(PATIENCE):
                await self.transport.wait_disconnected()
        except TimeoutError:
            raise LoadError("the server did not answer a close frame") from None


C = TypeVar("C", bound=Client)


def _source_address(number: int) -> str:
    """Return the loopback address of a client: each address has so many clients as few limits allow."""
    host = number // CLIENTS_AN_ADDRESS
    return f"127.1.{host // 250}.{host % 250 + 1}"


async def open_client(client: C, url: str, context: ssl.SSLContext | None, protocols: Sequence[str]) -> C:
    """Connect a client from its source address.

    Raises:
        LoadError: the server refused the connection.

    """

    def bound_socket(_url: WSParsedURL) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.bind((_source_address(client.number), 0))
        return made

    headers = [("Sec-WebSocket-Protocol", ", ".join(protocols))] if protocols else None
    options: dict[str, Any] = {"ssl_context": context} if context is not None else {}
    try:
        await ws_connect(
            lambda: client,
            url,
            extra_headers=headers,
            socket_factory=bound_socket,
            websocket_handshake_timeout=PATIENCE,
            **options,
        )
    except Exception as error:
        # picows, ssl and the event loop raise errors of many classes.
        raise LoadError(f"{type(error).__name__}: {error}") from error
    return client
