"""The connection to the server: the signaling client with one WebSocket after the other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from signald_client.signaling import client, events

from .bridge import BrowserJson, now, random_float, random_text, spawn
from .websocket import BrowserWebSocket

if TYPE_CHECKING:
    from collections.abc import Callable

    from signald_client.signaling.wire import Value

__all__ = ["SignalingConnection"]


class SignalingConnection:
    """Carries out what the signaling client wants of the browser, and tells all else.

    Attributes:
        client: the signaling client.
        kept: what has to be known to come back after a reload; empty where that cannot be.
        heard: when the server said something last, in seconds of the page's clock; 0.0 before.

    """

    def __init__(self, address: str, happened: Callable[[Value], None], kept: str, token: str) -> None:
        """Begin without a connection.

        Args:
            address: of the server's WebSocket.
            happened: told each event of the client, and each `Negotiate`.
            kept: as the attribute was before the page was loaded anew; empty for none.
            token: what the person may do; empty for none.

        """
        self.client = client.SignalingClient(
            BrowserJson(),
            random_float,
            random_text(),
            "signald-page",
            [client.RELAY_ONLY],
            kept or None,
            token or None,
        )
        self.kept = kept
        self.heard = 0.0
        self._address = address
        self._happened = happened
        self._socket: BrowserWebSocket | None = None
        self._attempts = 0

    def perform(self, effects: list[Value]) -> None:
        """Carry out what a method of the client returned."""
        for effect in effects:
            if isinstance(effect, events.SendFrame):
                if self._socket is not None:
                    self._socket.send(effect.text)
            elif isinstance(effect, events.CloseSocket):
                self._drop(effect.code, effect.reason)
            elif isinstance(effect, events.ConnectAfter):
                self._drop(1000, "")
                spawn(self._connect_after(effect.seconds, self._attempts))
            elif isinstance(effect, events.StoreIdentity):
                self.kept = effect.text or ""
            else:
                self._happened(effect)

    def _drop(self, code: int, reason: str) -> None:
        """Close the socket that there is, and give up the one that is planned."""
        self._attempts += 1
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.drop(code, reason)

    async def _connect_after(self, seconds: float, attempt: int) -> None:
        await asyncio.sleep(seconds)
        if attempt == self._attempts:
            self._socket = BrowserWebSocket(
                self._address, client.SUBPROTOCOL, self._opened, self._received, self._closed
            )

    def _opened(self) -> None:
        self.perform(self.client.socket_opened(now()))

    def _received(self, text: str) -> None:
        self.heard = now()
        self.perform(self.client.frame_received(text, self.heard))

    def _closed(self, code: int, reason: str) -> None:
        self._socket = None
        self.perform(self.client.socket_closed(code, reason, now()))
