"""Messages that are counted, kept until they are acknowledged, and sent again (docs/protocol.md, "Resume")."""

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
)

_ENVELOPE_BYTES = 256


def weight(message: Request | Event) -> int:
    """About how many bytes a message is: what is free text in it, and its envelope."""
    match message:
        case Offer() | Answer() | ForwardedOffer() | ForwardedAnswer():
            text = _bytes(message.sdp)
        case Candidates() | ForwardedCandidates():
            text = sum(_bytes(candidate.candidate) + _ENVELOPE_BYTES for candidate in message.candidates)
        case IceError() | ForwardedIceError():
            text = _bytes(message.text)
        case AppMessage() | ForwardedMessage():
            text = _bytes(message.content)
        case _:
            text = 0
    return _ENVELOPE_BYTES + text


def _bytes(text: str) -> int:
    """How long a text is in UTF-8; what is sent most is ASCII, which is known at once."""
    return len(text) if text.isascii() else len(text.encode())


@define
class ByteQuota:
    """What several outboxes hold together.

    Attributes:
        most: bytes.
        whole: the room that this one is a part of; None for that of all.
        address: whose users' outboxes they are; None for all.
        used: bytes.
        outboxes: how many there are.

    """

    most: int
    whole: ByteQuota | None = None
    address: AddressKey | None = None
    used: int = 0
    outboxes: int = 0

    def fits(self, bytes: int) -> bool:
        """Whether so many more would be within the bounds."""
        return self.used + bytes <= self.most and (self.whole is None or self.whole.fits(bytes))

    def take(self, bytes: int) -> None:
        """Take so many, or give them back."""
        self.used += bytes
        if self.whole is not None:
            self.whole.take(bytes)


@define
class Outbox:
    """Events to one user that are not acknowledged.

    A message of another member is only put in when `has_room`; an event of the server is put in anyhow, and past twice
    the bound all of it is lost.

    Attributes:
        limits: its bounds.
        room: shared with the others of its address, and of all.
        acknowledged: how many events the user has said that it has, or could not be sent again.
        waiting: the events after those, each with its weight in bytes.
        size: the sum of the weights.
        whole: whether nothing was lost.

    """

    limits: Limits
    room: ByteQuota
    acknowledged: int = 0
    waiting: deque[tuple[CountedEvent, int]] = field(factory=deque)
    size: int = 0
    whole: bool = True

    @property
    def sent(self) -> int:
        """How many events there were in all."""
        return self.acknowledged + len(self.waiting)

    def has_room(self, event: CountedEvent) -> bool:
        """Whether a message of another member may be put in."""
        bytes = weight(event)
        return (
            len(self.waiting) < self.limits.outbox_messages
            and self.size + bytes <= self.limits.outbox_bytes
            and self.room.fits(bytes)
        )

    def put(self, event: CountedEvent) -> None:
        """Keep an event that is sent, or is to be sent when the user is back."""
        if not self.whole:
            return
        if len(self.waiting) >= 2 * self.limits.outbox_messages:
            self.spoil()
            return
        bytes = weight(event)
        self.waiting.append((event, bytes))
        self._add(bytes)

    def skip(self) -> None:
        """Count an event that is not kept, since the user cannot come back for it."""
        self.acknowledged += 1

    def acknowledge(self, received: int) -> bool:
        """Drop what the user has; False when it cannot have so many."""
        if self.whole and received > self.sent:
            return False
        while self.waiting and self.acknowledged < received:
            _, bytes = self.waiting.popleft()
            self.acknowledged += 1
            self._add(-bytes)
        return True

    def can_continue(self, received: int) -> bool:
        """Whether all that comes after so many events is still here."""
        return self.whole and self.acknowledged <= received <= self.sent

    def spoil(self) -> None:
        """Lose all that is kept, until a restart."""
        self.clear()
        self.whole = False

    def restart(self) -> None:
        """Count from 0 again, with nothing kept."""
        self.clear()
        self.acknowledged = 0
        self.whole = True

    def restore(self, acknowledged: int, waiting: Iterable[tuple[CountedEvent, int]], whole: bool) -> None:
        """Be as an outbox was in another process."""
        self.acknowledged = acknowledged
        self.whole = whole
        for event, bytes in waiting:
            self.waiting.append((event, bytes))
            self._add(bytes)

    def clear(self) -> None:
        """Drop all that is kept, and give its room back."""
        self.waiting.clear()
        self._add(-self.size)

    def _add(self, bytes: int) -> None:
        self.size += bytes
        self.room.take(bytes)


@define
class Inbox:
    """The countable messages of one user.

    Attributes:
        limits: when they have to be acknowledged.
        received: how many there were.
        acknowledged: how many the user was told of.
        size: bytes of those that it was not told of.
        due: when the oldest of these has to be acknowledged, monotonic seconds; None when there are none.

    """

    limits: Limits
    received: int = 0
    acknowledged: int = 0
    size: int = 0
    due: float | None = None

    def take(self, bytes: int, now: float) -> bool:
        """Count one message; whether it is time to acknowledge."""
        self.received += 1
        self.size += bytes
        if self.due is None:
            self.due = now + self.limits.ack_seconds
        return (
            self.received - self.acknowledged >= self.limits.ack_messages
            or self.size >= self.limits.ack_bytes
            or self.due <= now
        )

    def acknowledge(self) -> int:
        """Take note that the user is told, and return how many there were."""
        self.acknowledged = self.received
        self.size = 0
        self.due = None
        return self.received

    def restart(self) -> None:
        """Count from 0 again."""
        self.received = 0
        self.acknowledge()
