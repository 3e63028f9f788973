"""One user's outbox and inbox: counting, acknowledging and replaying messages (docs/protocol.md, "Resume")."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from attrs import define, field

from signald.core.limits import AddressKey, Limits
from signald.core.messages import (
    Answer,
    AppMessage,
    Candidates,
    CountedEvent,
    Event,
    ForwardedAnswer,
    ForwardedCandidates,
    ForwardedIceError,
    ForwardedMessage,
    ForwardedOffer,
    IceError,
    Offer,
    Request,
    Source,
)

_ENVELOPE_BYTES = 256
"""The size that is assumed for the parts of a message other than free text."""


def message_size(message: Request | Event) -> int:
    """The approximate size of a message in bytes: its free text, a source (`messages.Source`) and its envelope."""
    match message:
        case Offer() | Answer() | ForwardedOffer() | ForwardedAnswer():
            text = _utf8_length(message.sdp)
        case Candidates() | ForwardedCandidates():
            text = sum(_utf8_length(candidate.candidate) + _ENVELOPE_BYTES for candidate in message.candidates)
            text += source_length(message.source)
        case IceError() | ForwardedIceError():
            text = _utf8_length(message.text) + source_length(message.source)
        case AppMessage() | ForwardedMessage():
            text = _utf8_length(message.content)
        case _:
            text = 0
    return _ENVELOPE_BYTES + text


def source_length(source: Source | None) -> int:
    """The length of a source's text in UTF-8; 0 without a source."""
    return 0 if source is None else _utf8_length(source.text)


def _utf8_length(text: str) -> int:
    """The length of a text in UTF-8. Most texts are ASCII, for which it needs no encoding."""
    return len(text) if text.isascii() else len(text.encode())


@define
class ByteQuota:
    """A limit on the bytes that several outboxes hold together.

    Attributes:
        limit: the most bytes.
        parent: the quota that this one counts against too; None for the server-wide one.
        address: the address whose users share this quota; None for the server-wide one.
        used: the bytes in use.
        outboxes: how many outboxes share this quota.

    """

    limit: int
    parent: ByteQuota | None = None
    address: AddressKey | None = None
    used: int = 0
    outboxes: int = 0

    def fits(self, bytes: int) -> bool:
        """Whether so many more bytes fit into this quota and its parent."""
        return self.used + bytes <= self.limit and (self.parent is None or self.parent.fits(bytes))

    def add(self, bytes: int) -> None:
        """Count bytes as used; a negative number frees them."""
        self.used += bytes
        if self.parent is not None:
            self.parent.add(bytes)


@define
class Outbox:
    """The counted events to one user that it has not acknowledged, kept for a replay after a resume.

    Messages from other members are only added while `has_room_for` allows it. The server's own events are added in
    any case; at twice the limit the outbox overflows, discards everything, and the next resume is not a complete one.

    Attributes:
        limits: the bounds of the outbox.
        quota: the bytes that this outbox shares with others.
        acknowledged: how many events need no replay: they were acknowledged, or never kept.
        unacknowledged: the events after those, each with its size in bytes.
        size: the sum of these sizes.
        complete: whether every event that may be needed for a replay is here.

    """

    limits: Limits
    quota: ByteQuota
    acknowledged: int = 0
    unacknowledged: deque[tuple[CountedEvent, int]] = field(factory=deque)
    size: int = 0
    complete: bool = True

    @property
    def sent(self) -> int:
        """The number of counted events there have been in all."""
        return self.acknowledged + len(self.unacknowledged)

    def has_room_for(self, event: CountedEvent) -> bool:
        """Whether a message from another member fits into the limits and the quota."""
        bytes = message_size(event)
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

    def count_unkept(self) -> None:
        """Count an event without keeping it, for a user that cannot resume."""
        self.acknowledged += 1

    def acknowledge(self, received: int) -> bool:
        """Remove the events that the user has received; False when it claims more than were sent."""
        if self.complete and received > self.sent:
            return False
        while self.unacknowledged and self.acknowledged < received:
            _, bytes = self.unacknowledged.popleft()
            self.acknowledged += 1
            self._resize(-bytes)
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
        self.received += 1
        self.size += bytes
        if self.ack_due is None:
            self.ack_due = now + self.limits.ack_seconds
        return (
            self.received - self.acknowledged >= self.limits.ack_messages
            or self.size >= self.limits.ack_bytes
            or self.ack_due <= now
        )

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
