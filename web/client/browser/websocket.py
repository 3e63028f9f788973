"""The WebSocket to the server, through the browser's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .bridge import BrowserError, Listeners, call, construct, get

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["BrowserWebSocket"]

OPEN = 1
"""`WebSocket.readyState` while frames can be sent."""


class BrowserWebSocket:
    """One connection. After `closed` was called it is of no more use."""

    def __init__(
        self,
        address: str,
        subprotocol: str,
        opened: Callable[[], None],
        received: Callable[[str], None],
        closed: Callable[[int, str], None],
    ) -> None:
        """Begin to connect.

        Args:
            address: `ws:` or `wss:` URL.
            subprotocol: what to speak.
            opened: called when frames can be sent.
            received: called with each text message.
            closed: called once with the close code and its reason, also when the connection could not be made.

        """
        self._closed = closed
        self._received = received
        self._over = False
        self._socket = construct("WebSocket", address, subprotocol)
        self._listeners = Listeners()
        self._listeners.listen(self._socket, "open", lambda event: None if self._over else opened())
        self._listeners.listen(self._socket, "message", self._message_came)
        self._listeners.listen(self._socket, "close", self._close_came)

    def send(self, text: str) -> None:
        """Send a text message; on a closing connection nothing happens."""
        if get(self._socket, "readyState") == OPEN:
            call(self._socket, "send", text)

    def drop(self, code: int, reason: str) -> None:
        """Close, and say nothing more of it."""
        self._end()
        try:
            call(self._socket, "close", code, reason)
        except BrowserError:
            # A code that a page may not send: the connection closes all the same.
            call(self._socket, "close")

    def _end(self) -> None:
        self._over = True
        self._listeners.end()

    def _message_came(self, event: Any) -> None:
        text = get(event, "data")
        # Signald sends no binary messages; anything else between might.
        if isinstance(text, str) and not self._over:
            self._received(text)

    def _close_came(self, event: Any) -> None:
        if not self._over:
            self._end()
            self._closed(get(event, "code"), get(event, "reason"))
