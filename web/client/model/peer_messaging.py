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


__all__ = ["MOST_CHARACTERS", "PeerMessaging"]

VERSION = 1
"""Of the messages."""

MOST_CHARACTERS = 16_000
"""Of a message: what every browser takes in one piece (RFC 8831 §6.6 has 16 KiB for those without interleaving)."""

RATE = 50.0
BURST = 200.0
"""Messages a second, and at once, that somebody may send; more are dropped, so that nobody can stop the page."""


class PeerMessagingState:
    """With one other person.

    Attributes:
        speaks: whether the other page said `hello`.

    """

    def __init__(self, now: float) -> None:
        self.speaks = False
        self._tokens = BURST
        self._filled = now

    def admits(self, now: float) -> bool:
        """Whether one more message is taken at this time."""
        self._tokens = min(BURST, self._tokens + (now - self._filled) * RATE)
        self._filled = now
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
        self._with: dict[str, PeerMessagingState] = {}
        self._heard: dict[str, Callable[[str, dict[str, Any]], None]] = {}
        self._begun: list[Callable[[str], None]] = []
        self._over: list[Callable[[str], None]] = []

    def hear(self, kind: str, heard: Callable[[str, dict[str, Any]], None]) -> None:
        """Call `heard` with the user and the message for each message of this type."""
        self._heard[kind] = heard

    def begun(self, told: Callable[[str], None]) -> None:
        """Call `told` with each user whose page said `hello`, also each time that the connection begins anew."""
        self._begun.append(told)

    def over(self, told: Callable[[str], None]) -> None:
        """Call `told` with each user whose channel, or connection, is closed."""
        self._over.append(told)

    def speaks(self, user: str) -> bool:
        """Return whether the page of this user understands messages."""
        return user in self._with and self._with[user].speaks

    @property
    def speakers(self) -> list[str]:
        """Those whose pages understand messages."""
        return [user for user, conversation in self._with.items() if conversation.speaks]

    def tell(self, user: str, message: dict[str, Any]) -> bool:
        """Send a message; False when it cannot be sent now."""
        return self._send(user, self._codec.dumps(message))

    def tell_all(self, message: dict[str, Any]) -> None:
        """Send a message to everybody whose page understands it."""
        for user in self.speakers:
            self.tell(user, message)

    def opened(self, user: str, now: float) -> None:
        """The channel to somebody is open."""
        self._with[user] = PeerMessagingState(now)
        self.tell(user, {"type": "hello", "version": VERSION})

    def closed(self, user: str) -> None:
        """The channel to somebody is closed."""
        if self._with.pop(user, None) is not None:
            for told in self._over:
                told(user)

    def received(self, user: str, text: str, now: float) -> None:
        """A text came from somebody."""
        conversation = self._with.get(user)
        if conversation is None or len(text) > MOST_CHARACTERS or not conversation.admits(now):
            return
        try:
            message = self._codec.loads(text)
        except (ValueError, RuntimeError):
            # RuntimeError: it is nested too deeply. MicroPython has no RecursionError.
            return
        kind = message.get("type") if isinstance(message, dict) else None
        if kind == "hello":
            if not conversation.speaks:
                conversation.speaks = True
                for told in self._begun:
                    told(user)
        elif conversation.speaks and isinstance(kind, str) and kind in self._heard:
            self._heard[kind](user, message)
