"""The client's outbox and its count of received messages, for replay and acknowledgement (docs/protocol.md, "Resume").

The server's side of the same rules is `signald`'s module of the same name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .wire import Message

__all__ = ["ACK_BYTES", "ACK_MESSAGES", "ACK_SECONDS", "OUTBOX_BYTES", "OUTBOX_MESSAGES", "Mailbox"]

ACK_MESSAGES = 16
"""Received messages after which the client acknowledges at once."""

ACK_BYTES = 32 * 1024
"""Bytes of received messages after which the client acknowledges at once."""

ACK_SECONDS = 4.0
"""Age at which a received message is acknowledged; the protocol asks for 5 s, and the clock ticks once a second."""

OUTBOX_MESSAGES = 256
"""Most messages that wait for a connection."""

OUTBOX_BYTES = 256 * 1024
"""Most bytes of messages that wait for a connection."""


class Mailbox:
    """The countable messages of one identity, in both directions.

    Attributes:
        received_count: how many messages of the server have arrived.
        sent_count: how many messages this client has sent, those that wait for a connection included.

    """

    def __init__(self) -> None:
        """Create the mailbox of a new identity, which stores nothing until `restart` says so."""
        self.restart(False)

    def restart(self, resumable: bool) -> None:
        """Empty the outbox and count from 0; `resumable`: whether the server can resume, and so acknowledges."""
        self.received_count = 0
        self.sent_count = 0
        self._resumable = resumable
        self._outbox: list[tuple[Message, str, int]] = []  # message, frame, bytes; in the order of sending
        self._outbox_bytes = 0
        self._acknowledged_count = 0  # of the server's messages
        self._unacknowledged_bytes = 0
        self._first_unacknowledged_at: float | None = None

    # The outbox

    def is_full(self, size: int) -> bool:
        """Whether the outbox cannot take another message of so many bytes while there is no connection."""
        return len(self._outbox) >= OUTBOX_MESSAGES or self._outbox_bytes + size > OUTBOX_BYTES

    def record_sent(self, message: Message, frame: str, size: int) -> None:
        """Count a message that is sent now or later, and store its frame of so many bytes for a replay."""
        self.sent_count += 1
        if self._resumable:
            self._outbox.append((message, frame, size))
            self._outbox_bytes += size

    def remove_acknowledged(self, count: int) -> list[Message] | None:
        """Remove and return the messages that the server has received, so many in all; None when fewer were sent."""
        if count > self.sent_count:
            return None
        covered = max(0, count - (self.sent_count - len(self._outbox)))
        removed = self._outbox[:covered]
        self._outbox = self._outbox[covered:]
        self._outbox_bytes -= sum([size for _, _, size in removed])
        return [message for message, _, _ in removed]

    def unacknowledged_frames(self) -> list[str]:
        """Return the frames to replay, in their order."""
        return [frame for _, frame, _ in self._outbox]

    def unacknowledged_messages(self) -> list[Message]:
        """Return the messages whose frames would be replayed, in their order."""
        return [message for message, _, _ in self._outbox]

    # The server's messages

    def record_received(self, size: int, now: float) -> bool:
        """Count a received message of so many bytes; return whether an acknowledgement is due at once."""
        self.received_count += 1
        self._unacknowledged_bytes += size
        if self._first_unacknowledged_at is None:
            self._first_unacknowledged_at = now
        unacknowledged = self.received_count - self._acknowledged_count
        return unacknowledged >= ACK_MESSAGES or self._unacknowledged_bytes >= ACK_BYTES

    def is_ack_overdue(self, now: float) -> bool:
        """Whether a received message is old enough to be acknowledged."""
        return self._first_unacknowledged_at is not None and now - self._first_unacknowledged_at >= ACK_SECONDS

    def take_ack_count(self) -> int:
        """Return the count for an `ack` that is sent now, and restart the timer."""
        self._acknowledged_count = self.received_count
        self._unacknowledged_bytes = 0
        self._first_unacknowledged_at = None
        return self.received_count
