"""A WebSocket to the server, implemented with the browser's `WebSocket`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .bridge import BrowserError, Listeners, call, construct, get

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["BrowserWebSocket"]

OPEN = 1
"""The `WebSocket.readyState` in which frames can be sent."""


class BrowserWebSocket:
    """One WebSocket; after `closed` was called, it cannot be used again."""

    def __init__(
        self,
        address: str,
        subprotocol: str,
        opened: Callable[[], None],
        received: Callable[[str], None],
        closed: Callable[[int, str], None],
    ) -> None:
        """Start to connect.

        Arguments:
            address: the `ws:` or `wss:` URL.
            subprotocol: the WebSocket subprotocol to request.
            opened: called when frames can be sent.
            received: called with each text message.
            closed: called once with the close code and its reason, even if the WebSocket failed to open.

        """
        self._closed = closed
        self._received = received
        self._discarded = False
        self._socket = construct("WebSocket", address, subprotocol)
        self._listeners = Listeners()
        self._listeners.listen(self._socket, "open", lambda event: None if self._discarded else opened())
        self._listeners.listen(self._socket, "message", self._message_received)
        self._listeners.listen(self._socket, "close", self._close_received)

    def send(self, text: str) -> None:
        """Send a text message; a WebSocket that is closing discards it."""
        if get(self._socket, "readyState") == OPEN:
            call(self._socket, "send", text)

    def discard(self, code: int, reason: str) -> None:
        """Close the WebSocket without calling `closed`."""
        self._stop_listening()
        try:
            call(self._socket, "close", code, reason)
        except BrowserError:
            # The browser refused a code that pages may not send, so the WebSocket is closed without a code.
            call(self._socket, "close")

    def _stop_listening(self) -> None:
        self._discarded = True
        self._listeners.end()

    def _message_received(self, event: Any) -> None:
        text = get(event, "data")
        # Signald sends no binary messages, but a proxy in between might.
        if isinstance(text, str) and not self._discarded:
            self._received(text)

    def _close_received(self, event: Any) -> None:
        if not self._discarded:
            self._stop_listening()
            self._closed(get(event, "code"), get(event, "reason"))
