"""One user's outbox and inbox: counting, acknowledging and replaying messages (docs/protocol.md, "Resume")."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attrs import define, field

from signald.core.limits import Limits
from signald.core.message_sizes import message_size
from signald.core.messages import CountedEvent
from signald.core.outbox_quotas import ByteQuota


def _decode_nothing(_frame: bytes) -> CountedEvent:
    raise NotImplementedError


@define(eq=False)
class Outbox:
    """The counted events to one user that it has not acknowledged, kept for a replay after a resume.

    Messages from other members are only added while `has_room` allows it. The server's own events are added in
    any case; at twice the limit the outbox overflows, discards everything, and the next resume is not a complete one.

    Attributes:
        limits: the bounds of the outbox.
        quota: the bytes that this outbox shares with others.
        acknowledged: how many events need no replay: they were acknowledged, or never kept.
        unacknowledged: the events after those, each with its size in bytes; one that was encoded when it was forwarded
            (`append_frame`) is kept as its frame. A list, since an empty deque takes 760 bytes, and to remove the first
            of 512 elements costs nothing.
        size: the sum of these sizes.
        complete: whether every event that may be needed for a replay is here.
        decode: decodes those frames.

    """

    limits: Limits
    quota: ByteQuota
    acknowledged: int = 0
    unacknowledged: list[tuple[CountedEvent | bytes, int]] = field(factory=list)
    size: int = 0
    complete: bool = True
    decode: Callable[[bytes], CountedEvent] = field(default=_decode_nothing)

    @property
    def sent(self) -> int:
        """The number of counted events there have been in all."""
        return self.acknowledged + len(self.unacknowledged)

    @property
    def events(self) -> list[CountedEvent]:
        """The events that are not acknowledged, decoded where they are kept as frames."""
        return [self.decode(event) if isinstance(event, bytes) else event for event, _ in self.unacknowledged]

    def has_room(self, bytes: int) -> bool:
        """Whether a message of this size from another member fits into the limits and the quota."""
        return (
            len(self.unacknowledged) < self.limits.outbox_messages
            and self.size + bytes <= self.limits.outbox_bytes
            and self.quota.fits(bytes)
        )

    def append(self, event: CountedEvent) -> None:
        """Keep an event until it is acknowledged."""
        if not self.complete:
            return
        if len(self.unacknowledged) >= 2 * self.limits.outbox_messages:
            self.discard()
            return
        bytes = message_size(event)
        self.unacknowledged.append((event, bytes))
        self._resize(bytes)

    def append_frame(self, frame: bytes, bytes: int, decode: Callable[[bytes], CountedEvent]) -> None:
        """Keep an event, for which there is room, as the frame that its receiver is sent.

        Arguments:
            frame: the frame.
            bytes: the event's size, as `message_size` gives it.
            decode: decodes the frame; the same function for all frames of an outbox, whose user keeps its dialect.

        """
        if self.complete:
            self.decode = decode
            # A copy: what orjson returns keeps the space that it was encoded in, 4 KiB for 250 bytes, 124 KiB for 16.
            self.unacknowledged.append((b"%b" % frame, bytes))
            self._resize(bytes)

    def count_unkept(self) -> None:
        """Count an event without keeping it, for a user that cannot resume."""
        self.acknowledged += 1

    def acknowledge(self, received: int) -> bool:
        """Remove the events that the user has received; False when it claims more than were sent."""
        if self.complete and received > self.sent:
            return False
        count = min(received - self.acknowledged, len(self.unacknowledged))
        if count > 0:
            freed = sum(bytes for _, bytes in self.unacknowledged[:count])
            del self.unacknowledged[:count]
            self.acknowledged += count
            self._resize(-freed)
        return True

    def can_replay_from(self, received: int) -> bool:
        """Whether all events after the first `received` ones are here."""
        return self.complete and self.acknowledged <= received <= self.sent

    def discard(self) -> None:
        """Discard all events and mark the outbox as incomplete until it is reset."""
        self.clear()
        self.complete = False

    def reset(self) -> None:
        """Start over: the outbox is empty and complete, and counts from 0."""
        self.clear()
        self.acknowledged = 0
        self.complete = True

    def restore(self, acknowledged: int, waiting: Iterable[tuple[CountedEvent, int]], whole: bool) -> None:
        """Restore the state that a snapshot holds."""
        self.acknowledged = acknowledged
        self.complete = whole
        for event, bytes in waiting:
            self.unacknowledged.append((event, bytes))
            self._resize(bytes)

    def clear(self) -> None:
        """Remove all events and free their share of the quota."""
        self.unacknowledged.clear()
        self._resize(-self.size)

    def _resize(self, bytes: int) -> None:
        self.size += bytes
        self.quota.add(bytes)


@define
class Inbox:
    """Counts the messages from one user and decides when to acknowledge them.

    Attributes:
        limits: the numbers, bytes and seconds after which an acknowledgement is due.
        received: how many counted messages have arrived.
        acknowledged: how many of them were acknowledged.
        size: the bytes of the others.
        ack_due: when the oldest of the others has to be acknowledged, monotonic seconds; None when there are none.

    """

    limits: Limits
    received: int = 0
    acknowledged: int = 0
    size: int = 0
    ack_due: float | None = None

    def count_message(self, bytes: int, now: float) -> bool:
        """Count one message; return whether an acknowledgement is due."""
        limits, due = self.limits, self.ack_due
        self.received += 1
        self.size += bytes
        if due is None:
            self.ack_due = due = now + limits.ack_seconds
        return self.received - self.acknowledged >= limits.ack_messages or self.size >= limits.ack_bytes or due <= now

    def acknowledge(self) -> int:
        """Mark all messages as acknowledged and return their number."""
        self.acknowledged = self.received
        self.size = 0
        self.ack_due = None
        return self.received

    def reset(self) -> None:
        """Start over and count from 0."""
        self.received = 0
        self.acknowledge()
