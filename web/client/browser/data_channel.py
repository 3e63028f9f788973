"""The data channel to another page, beside picture and sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model.peer_messaging import MOST_CHARACTERS
from .bridge import BrowserError, call, get, short_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .bridge import Listeners

__all__ = ["DataChannel", "proposed"]

LABEL = "signald"
STREAM = 0
"""Both pages open the same stream (RFC 8832 §6.1: negotiated by the application), so that either may come first."""

MOST_WAITING = 1_000_000
"""Bytes that wait to be sent; with more, the other side does not keep up."""


def proposed(sdp: str) -> bool:
    """Return whether a description has data channels (RFC 8841 §4)."""
    return "\r\nm=application " in sdp


class DataChannel:
    """One channel."""

    def __init__(
        self,
        connection: Any,
        listeners: Listeners,
        opened: Callable[[], None],
        received: Callable[[str], None],
        closed: Callable[[], None],
    ) -> None:
        """Make the channel.

        Args:
            connection: an `RTCPeerConnection`.
            listeners: hear what happens to it.
            opened: called when texts can be sent.
            received: called with each text.
            closed: called when the channel is over.

        """
        self._channel = call(connection, "createDataChannel", LABEL, {"negotiated": True, "id": STREAM})
        listeners.listen(self._channel, "open", lambda event: opened())
        listeners.listen(self._channel, "message", lambda event: _came(event, received))
        listeners.listen(self._channel, "close", lambda event: closed())

    def send(self, text: str) -> bool:
        """Send a text; False when the channel is not open, or too much waits already."""
        if get(self._channel, "readyState") != "open" or get(self._channel, "bufferedAmount") > MOST_WAITING:
            return False
        try:
            call(self._channel, "send", text)
        except BrowserError:
            return False
        return True


def _came(event: Any, received: Callable[[str], None]) -> None:
    text = short_text(event, MOST_CHARACTERS)
    if text is not None:
        received(text)
