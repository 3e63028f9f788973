"""What has arrived: both sides count, keep what is not acknowledged, and acknowledge (docs/protocol.md, "Resume")."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .wire import Message

__all__ = ["ACK_BYTES", "ACK_MESSAGES", "ACK_SECONDS", "KEPT_BYTES", "KEPT_MESSAGES", "Delivery"]

ACK_MESSAGES = 16
"""Messages of the server that are not acknowledged, at most."""

ACK_BYTES = 32 * 1024
"""Bytes of such messages, at most."""

ACK_SECONDS = 4.0
"""Seconds after which a message is acknowledged; the protocol asks for 5, and the clock ticks once a second."""

KEPT_MESSAGES = 256
"""Messages of this client that wait for a connection, at most."""

KEPT_BYTES = 256 * 1024
"""Bytes of such messages, at most."""


class Delivery:
    """The countable messages of one identity, in both directions.

    Attributes:
        received: how many of the server's have come.
        sent: how many of this client's there were, those that wait for a connection included.

    """

    def __init__(self) -> None:
        """Begin as a new identity does, which keeps nothing until `begin` says so."""
        self.begin(False)

    def begin(self, keeps: bool) -> None:
        """Count from 0; `keeps`: whether the server can resume, and so acknowledges."""
        self.received = 0
        self.sent = 0
        self._keeps = keeps
        self._kept: list[tuple[Message, str, int]] = []  # the last ones sent: message, frame, bytes
        self._kept_bytes = 0
        self._acknowledged = 0  # of the server's messages
        self._bytes = 0  # not yet acknowledged
        self._first: float | None = None  # when the first of these came

    # The client's messages

    def full(self, size: int) -> bool:
        """Whether a message of so many bytes is too much to be kept until there is a connection."""
        return len(self._kept) >= KEPT_MESSAGES or self._kept_bytes + size > KEPT_BYTES

    def sending(self, message: Message, frame: str, size: int) -> None:
        """Count a message that is sent, or will be, and keep it: its frame, and the frame's bytes."""
        self.sent += 1
        if self._keeps:
            self._kept.append((message, frame, size))
            self._kept_bytes += size

    def acknowledged(self, count: int) -> list[Message] | None:
        """The server has so many: return those that it had not acknowledged before; None when they were never sent."""
        if count > self.sent:
            return None
        covered = max(0, count - (self.sent - len(self._kept)))
        gone = self._kept[:covered]
        self._kept = self._kept[covered:]
        self._kept_bytes -= sum([size for _, _, size in gone])
        return [message for message, _, _ in gone]

    def frames(self) -> list[str]:
        """Return the frames of what is kept, to be sent again in their order."""
        return [frame for _, frame, _ in self._kept]

    def messages(self) -> list[Message]:
        """Return what is kept."""
        return [message for message, _, _ in self._kept]

    # The server's

    def arrived(self, size: int, now: float) -> bool:
        """A countable message of so many bytes came; whether that is to be acknowledged now."""
        self.received += 1
        self._bytes += size
        if self._first is None:
            self._first = now
        return self.received - self._acknowledged >= ACK_MESSAGES or self._bytes >= ACK_BYTES

    def overdue(self, now: float) -> bool:
        """Whether something has to be acknowledged because of its age."""
        return self._first is not None and now - self._first >= ACK_SECONDS

    def acknowledging(self) -> int:
        """Return the count for an `ack` that is sent now."""
        self._acknowledged = self.received
        self._bytes = 0
        self._first = None
        return self.received
