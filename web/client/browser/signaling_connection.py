"""The signaling connection: runs the signaling client over a sequence of WebSockets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from signald_client.signaling import client, events

from .bridge import BrowserJson, now, random_float, random_hex, spawn
from .websocket import BrowserWebSocket

if TYPE_CHECKING:
    from collections.abc import Callable

    from signald_client.signaling.wire import Value

__all__ = ["SignalingConnection"]

INSTANCE_BYTES = 16
"""The length of the random id of this client."""


class SignalingConnection:
    """Carries out the effects of the signaling client, and passes its events on.

    Attributes:
        client: the signaling client.
        identity: the text with which the client resumes after a reload (`events.StoreIdentity`); empty if it cannot
            resume.
        received_at: the time of the server's last message, in seconds of the page's clock; 0.0 before the first.

    """

    def __init__(
        self,
        address: str,
        handle: Callable[[Value], None],
        identity: str,
        token: str,
        connected: Callable[[], list[str]],
    ) -> None:
        """Start without a WebSocket.

        Arguments:
            address: the URL of the server's WebSocket.
            handle: called with each event of the client, and with each `Negotiate`.
            identity: the stored text with which the client resumes after a reload; empty for a new identity.
            token: the person's access token; empty for none.
            connected: returns the users with whom there still is a peer connection.

        """
        self.client = client.SignalingClient(
            BrowserJson(),
            random_float,
            random_hex(INSTANCE_BYTES),
            "signald-page",
            [client.RELAY_ONLY],
            identity or None,
            token or None,
            connected,
        )
        self.identity = identity
        self.received_at = 0.0
        self._address = address
        self._handle = handle
        self._socket: BrowserWebSocket | None = None
        self._attempts = 0

    def perform(self, effects: list[Value]) -> None:
        """Carry out the effects that a method of the client returned."""
        for effect in effects:
            if isinstance(effect, events.SendFrame):
                if self._socket is not None:
                    self._socket.send(effect.text)
            elif isinstance(effect, events.CloseSocket):
                self._discard_socket(effect.code, effect.reason)
            elif isinstance(effect, events.ConnectAfter):
                self._discard_socket(1000, "")
                spawn(self._connect_after(effect.seconds, self._attempts))
            elif isinstance(effect, events.StoreIdentity):
                self.identity = effect.text or ""
            else:
                self._handle(effect)

    def _discard_socket(self, code: int, reason: str) -> None:
        """Close the current WebSocket, and cancel a scheduled connection attempt."""
        self._attempts += 1
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.discard(code, reason)

    async def _connect_after(self, seconds: float, attempt: int) -> None:
        await asyncio.sleep(seconds)
        if attempt == self._attempts:
            self._socket = BrowserWebSocket(
                self._address,
                client.SUBPROTOCOL,
                opened=self._opened,
                received=self._received,
                closed=self._closed,
            )

    def _opened(self) -> None:
        self.perform(self.client.socket_opened(now()))

    def _received(self, text: str) -> None:
        self.received_at = now()
        self.perform(self.client.frame_received(text, self.received_at))

    def _closed(self, code: int, reason: str) -> None:
        self._socket = None
        self.perform(self.client.socket_closed(code, reason, now()))
