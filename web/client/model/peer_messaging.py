"""What the pages of a call say to each other over their data channels, apart from the server: pure.

Messages are JSON objects with a `type`. A page that has the channel says `hello` first: without it nobody knows whether
the program at the other end understands anything. What is no message, or of a type that nobody hears, is left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    class Codec(Protocol):
        """JSON: `dumps` and `loads` as of Python's `json`."""

        def dumps(self, __value: Any) -> str: ...

        def loads(self, __text: str) -> Any: ...


__all__ = ["MAX_CHARACTERS", "PeerMessaging"]

VERSION = 1
"""Of the messages."""

MAX_CHARACTERS = 16_000
"""Of a message: what every browser takes in one piece (RFC 8831 §6.6 has 16 KiB for those without interleaving)."""

RATE = 50.0
BURST = 200.0
"""Messages a second, and at once, that somebody may send; more are dropped, so that nobody can stop the page."""


class PeerChannel:
    """With one other person.

    Attributes:
        speaks: whether the other page said `hello`.

    """

    def __init__(self, now: float) -> None:
        self.ready = False
        self._tokens = BURST
        self._refilled_at = now

    def admit(self, now: float) -> bool:
        """Whether one more message is taken at this time."""
        self._tokens = min(BURST, self._tokens + (now - self._refilled_at) * RATE)
        self._refilled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class PeerMessaging:
    """With everybody in the call."""

    def __init__(self, codec: Codec, send: Callable[[str, str], bool]) -> None:
        """Begin with nobody.

        Args:
            codec: JSON.
            send: takes a user and a text; False where there is no open channel.

        """
        self._codec = codec
        self._send = send
        self._channels: dict[str, PeerChannel] = {}
        self._handlers: dict[str, Callable[[str, dict[str, Any]], None]] = {}
        self._on_ready: list[Callable[[str], None]] = []
        self._on_closed: list[Callable[[str], None]] = []

    def on_message(self, kind: str, handler: Callable[[str, dict[str, Any]], None]) -> None:
        """Call `heard` with the user and the message for each message of this type."""
        self._handlers[kind] = handler

    def on_ready(self, callback: Callable[[str], None]) -> None:
        """Call `told` with each user whose page said `hello`, also each time that the connection begins anew."""
        self._on_ready.append(callback)

    def on_closed(self, callback: Callable[[str], None]) -> None:
        """Call `told` with each user whose channel, or connection, is closed."""
        self._on_closed.append(callback)

    def is_ready(self, user: str) -> bool:
        """Return whether the page of this user understands messages."""
        return user in self._channels and self._channels[user].ready

    @property
    def ready_users(self) -> list[str]:
        """Those whose pages understand messages."""
        return [user for user, channel in self._channels.items() if channel.ready]

    def send(self, user: str, message: dict[str, Any]) -> bool:
        """Send a message; False when it cannot be sent now."""
        return self._send(user, self._codec.dumps(message))

    def broadcast(self, message: dict[str, Any]) -> None:
        """Send a message to everybody whose page understands it."""
        for user in self.ready_users:
            self.send(user, message)

    def channel_opened(self, user: str, now: float) -> None:
        """The channel to somebody is open."""
        self._channels[user] = PeerChannel(now)
        self.send(user, {"type": "hello", "version": VERSION})

    def channel_closed(self, user: str) -> None:
        """The channel to somebody is closed."""
        if self._channels.pop(user, None) is not None:
            for callback in self._on_closed:
                callback(user)

    def text_received(self, user: str, text: str, now: float) -> None:
        """A text came from somebody."""
        channel = self._channels.get(user)
        if channel is None or len(text) > MAX_CHARACTERS or not channel.admit(now):
            return
        try:
            message = self._codec.loads(text)
        except (ValueError, RuntimeError):
            # RuntimeError: it is nested too deeply. MicroPython has no RecursionError.
            return
        kind = message.get("type") if isinstance(message, dict) else None
        if kind == "hello":
            if not channel.ready:
                channel.ready = True
                for callback in self._on_ready:
                    callback(user)
        elif channel.ready and isinstance(kind, str) and kind in self._handlers:
            self._handlers[kind](user, message)
