"""The data channel to another page, over which the pages exchange messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model.peer_messaging import MAX_CHARACTERS
from .bridge import BrowserError, call, get, short_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .bridge import Listeners

__all__ = ["DataChannel", "proposed"]

LABEL = "signald"
STREAM = 0
"""The stream id that both pages use.

The application negotiates it (RFC 8832 §6.1), so that no page waits for the other page to open the channel.
"""

MAX_BUFFERED = 1_000_000
"""The maximum number of buffered bytes. Above it the other page is too slow, and texts are refused."""


def proposed(sdp: str) -> bool:
    """Return whether a session description offers data channels (RFC 8841 §4)."""
    return "\r\nm=application " in sdp


class DataChannel:
    """A data channel that is negotiated by the application."""

    def __init__(
        self,
        connection: Any,
        listeners: Listeners,
        opened: Callable[[], None],
        received: Callable[[str], None],
        closed: Callable[[], None],
    ) -> None:
        """Create the channel.

        Arguments:
            connection: an `RTCPeerConnection`.
            listeners: registers the event listeners, and removes them when the connection is closed.
            opened: called when texts can be sent.
            received: called with each received text.
            closed: called when the channel has closed.

        """
        self._channel = call(connection, "createDataChannel", LABEL, {"negotiated": True, "id": STREAM})
        listeners.listen(self._channel, "open", lambda event: opened())
        listeners.listen(self._channel, "message", lambda event: _message_received(event, received))
        listeners.listen(self._channel, "close", lambda event: closed())

    def send(self, text: str) -> bool:
        """Send a text; return False if the channel is not open, or if too many bytes are buffered."""
        if get(self._channel, "readyState") != "open" or get(self._channel, "bufferedAmount") > MAX_BUFFERED:
            return False
        try:
            call(self._channel, "send", text)
        except BrowserError:
            return False
        return True


def _message_received(event: Any, received: Callable[[str], None]) -> None:
    text = short_text(event, MAX_CHARACTERS)
    if text is not None:
        received(text)
