"""Exchanges messages between the pages of a call over data channels, without the server.

Messages are JSON objects with a `type`. A page sends `hello` first when a channel opens: without it nobody knows
whether the program at the other end understands messages. Malformed messages, and those of an unknown type, are
ignored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .token_bucket import TokenBucket

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    class Codec(Protocol):
        """A JSON codec with `dumps` and `loads` as in Python's `json`."""

        def dumps(self, __value: Any) -> str: ...

        def loads(self, __text: str) -> Any: ...


__all__ = ["MAX_CHARACTERS", "PeerMessaging"]

VERSION = 1
"""The version of the message format."""

MAX_CHARACTERS = 16_000
"""The size limit of a message, which every browser accepts in one piece (RFC 8831 §6.6 recommends 16 KiB without
interleaving)."""

RATE = 50.0
BURST = 200.0
"""The rate limit for messages of one participant, per second and as a burst. More are dropped, so that no peer can
block the page."""


class Channel:
    """The channel to one participant.

    Attributes:
        ready: whether the other page sent `hello`.
        limit: the rate limit for the other page's messages.

    """

    def __init__(self, now: float) -> None:
        self.ready = False
        self.limit = TokenBucket(RATE, BURST, now)


class PeerMessaging:
    """Sends messages to the pages of a call, and passes received ones to handlers."""

    def __init__(self, codec: Codec, send: Callable[[str, str], bool]) -> None:
        """Start without a channel.

        Arguments:
            codec: the JSON codec.
            send: takes a user and a text; returns False if there is no open channel.

        """
        self._codec = codec
        self._send = send
        self._channels: dict[str, Channel] = {}
        self._handlers: dict[str, Callable[[str, dict[str, Any]], None]] = {}
        self._on_ready: list[Callable[[str], None]] = []
        self._on_closed: list[Callable[[str], None]] = []

    def on_message(self, kind: str, handler: Callable[[str, dict[str, Any]], None]) -> None:
        """Call `handler` with the user and the message for each message of this type."""
        self._handlers[kind] = handler

    def on_ready(self, callback: Callable[[str], None]) -> None:
        """Call `callback` with each user whose page sent `hello`; this happens again after each reconnect."""
        self._on_ready.append(callback)

    def on_closed(self, callback: Callable[[str], None]) -> None:
        """Call `callback` with each user whose channel or connection closed."""
        self._on_closed.append(callback)

    def is_ready(self, user: str) -> bool:
        """Return whether the page of this user understands messages."""
        return user in self._channels and self._channels[user].ready

    @property
    def users(self) -> list[str]:
        """The users whose pages understand messages."""
        return [user for user, channel in self._channels.items() if channel.ready]

    def send(self, user: str, message: dict[str, Any]) -> bool:
        """Send a message; return False if it cannot be sent now."""
        return self._send(user, self._codec.dumps(message))

    def broadcast(self, message: dict[str, Any]) -> None:
        """Send a message to every page that understands messages."""
        for user in self.users:
            self.send(user, message)

    def channel_opened(self, user: str, now: float) -> None:
        """Introduce this page to a user whose channel opened."""
        self._channels[user] = Channel(now)
        self.send(user, {"type": "hello", "version": VERSION})

    def channel_closed(self, user: str) -> None:
        """Forget the channel to a user, and tell the callbacks."""
        if self._channels.pop(user, None) is not None:
            for callback in self._on_closed:
                callback(user)

    def receive(self, user: str, text: str, now: float) -> None:
        """Pass a received text to its handler if it is a message within the limits."""
        channel = self._channels.get(user)
        if channel is None or len(text) > MAX_CHARACTERS or not channel.limit.admit(now):
            return
        try:
            message = self._codec.loads(text)
        except (ValueError, RuntimeError):
            # MicroPython has no RecursionError: it raises RuntimeError for JSON that is nested too deeply.
            return
        kind = message.get("type") if isinstance(message, dict) else None
        if kind == "hello":
            if not channel.ready:
                channel.ready = True
                for callback in self._on_ready:
                    callback(user)
        elif channel.ready and isinstance(kind, str) and kind in self._handlers:
            self._handlers[kind](user, message)
