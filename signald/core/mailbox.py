"""One user's outbox and inbox: counting, acknowledging and replaying messages (docs/protocol.md, "Resume")."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attrs import define, field

from signald.core.limits import AddressKey, Limits, network_key
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

ENVELOPE_BYTES = 256
"""The size that is assumed for the parts of a message other than free text."""


def message_size(message: Request | Event) -> int:
    """The approximate size of a message in bytes: its free text, a source (`messages.Source`) and its envelope."""
    match message:
        case Offer() | Answer() | ForwardedOffer() | ForwardedAnswer():
            text = utf8_length(message.sdp)
        case Candidates() | ForwardedCandidates():
            text = sum(utf8_length(candidate.candidate) + ENVELOPE_BYTES for candidate in message.candidates)
            text += source_length(message.source)
        case IceError() | ForwardedIceError():
            text = utf8_length(message.text) + source_length(message.source)
        case AppMessage() | ForwardedMessage():
            text = utf8_length(message.content)
        case _:
            text = 0
    return ENVELOPE_BYTES + text


def source_length(source: Source | None) -> int:
    """The length of a source's text in UTF-8; 0 without a source."""
    return 0 if source is None else utf8_length(source.text)


def utf8_length(text: str) -> int:
    """The length of a text in UTF-8. Most texts are ASCII, for which it needs no encoding."""
    return len(text) if text.isascii() else len(text.encode())


OWN_PART = 32
"""One of so many parts of what an address may hold is its own, and never counts against others."""


@define(eq=False)
class NetworkUse:
    """What the outboxes of an IPv4 address hold, or of an IPv6 /48, whose addresses count together.

    Attributes:
        used: the bytes in use.
        quotas: the quotas of its addresses.

    """

    used: int = 0
    quotas: dict[AddressKey, ByteQuota] = field(factory=dict, repr=False)


@define(eq=False)
class TotalQuota:
    """The limits on the bytes that all outboxes hold together. What would exceed them is not refused.

    Instead, the address with the most bytes has its outboxes discarded, so that nobody else is refused for what that
    address keeps. Two limits hold: one of all bytes, and one of those by which addresses exceed their own parts. The
    latter keeps a few addresses from filling what thousands may need: they hold together what one of them may hold,
    and their own parts.

    Attributes:
        limit: the most bytes.
        address_limit: the most bytes of one address, and the most by which all together exceed their own parts.
        used: the bytes in use.
        excess: the bytes by which addresses exceed their own parts, together.
        networks: what each IPv4 address and each IPv6 /48 holds that has users.
        discarded: how many outboxes were discarded since a limit was exceeded for the first time.

    """

    limit: int
    address_limit: int
    used: int = 0
    excess: int = 0
    networks: dict[AddressKey, NetworkUse] = field(factory=dict, repr=False)
    discarded: int = 0

    def create_quota(self, address: AddressKey) -> ByteQuota:
        """Create the quota of an address."""
        network = self.networks.setdefault(network_key(address) or address, NetworkUse())
        quota = network.quotas[address] = ByteQuota(address, self.address_limit, self, network)
        return quota

    def remove_quota(self, address: AddressKey) -> None:
        """Forget the quota of an address, of which nothing is in use."""
        key = network_key(address) or address
        quotas = self.networks[key].quotas
        del quotas[address]
        if not quotas:
            del self.networks[key]

    def reload_limits(self, limit: int, address_limit: int) -> None:
        """Use other limits; what exceeds them is discarded when bytes are added."""
        self.limit, self.address_limit = limit, address_limit
        self.excess = sum(max(0, network.used - self._own_bytes) for network in self.networks.values())
        for network in self.networks.values():
            for quota in network.quotas.values():
                quota.limit = address_limit

    def add(self, network: NetworkUse, bytes: int) -> None:
        """Count bytes of an address as used; a negative number frees them."""
        own, before = self._own_bytes, network.used
        network.used = after = before + bytes
        self.used += bytes
        if after > own or before > own:
            self.excess += max(after, own) - max(before, own)
        if bytes > 0 and self._is_exceeded:
            self._discard_fullest()

    @property
    def _own_bytes(self) -> int:
        return self.address_limit // OWN_PART

    @property
    def _is_exceeded(self) -> bool:
        return self.used > self.limit or self.excess > self.address_limit

    def _discard_fullest(self) -> None:
        """Discard the outboxes of the address with the most bytes, until the limits are kept.

        An address pays only if none has more, so it has at least the mean of all. The IPv6 addresses of a /48 count
        together. The users resume with their memberships alone.
        """
        for network in sorted(self.networks.values(), key=lambda network: network.used, reverse=True):
            if not self._is_exceeded:
                return
            for quota in network.quotas.values():
                for outbox in quota.outboxes:
                    if outbox.size:
                        outbox.discard()
                        self.discarded += 1


@define(eq=False)
class ByteQuota:
    """A limit on the bytes that the outboxes of one address hold together; what would exceed it is refused.

    Attributes:
        address: the address.
        limit: the most bytes.
        total: the quota of all addresses, which this one counts against too.
        network: what the network of the address holds.
        used: the bytes in use.
        outboxes: the outboxes of the address.

    """

    address: AddressKey
    limit: int
    total: TotalQuota = field(repr=False)
    network: NetworkUse = field(repr=False)
    used: int = 0
    outboxes: dict[Outbox, None] = field(factory=dict, repr=False)

    def fits(self, bytes: int) -> bool:
        """Whether so many more bytes fit into this quota; the one of all addresses makes room for them."""
        return self.used + bytes <= self.limit

    def add(self, bytes: int) -> None:
        """Count bytes as used; a negative number frees them."""
        self.used += bytes
        self.total.add(self.network, bytes)


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
