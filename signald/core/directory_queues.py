"""Messages to clients of the directory that are not connected: they wait for a while, within bounds."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define, field, frozen

from signald.core.budgets import address_buckets
from signald.core.directory_messages import ClientId, Envelope
from signald.core.limits import AddressKey, Limits

__all__ = ["MESSAGE_BYTES", "WaitingMessage", "WaitingMessages"]

EXPIRED_AT_ONCE = 1024
"""Messages that expire in one call, so that a flood of messages to nobody takes milliseconds each second. One address
may have as many by default, and so delays the others by one call at most."""

MESSAGE_BYTES = 1024
"""Bytes that a waiting message counts in addition to its text: its objects, and those of a queue with one message."""


@frozen
class WaitingMessage:
    """A message that waits.

    Attributes:
        sender: the id of its sender.
        address: the address of its sender.
        envelope: the message.

    """

    sender: ClientId
    address: AddressKey
    envelope: Envelope

    @property
    def size(self) -> int:
        """The bytes that it counts."""
        return len(self.envelope.frame) + MESSAGE_BYTES


@define
class _Queue:
    """The messages to one client, and when they expire, in monotonic seconds."""

    expires_at: float
    messages: list[WaitingMessage] = field(factory=list)
    size: int = 0


@define
class WaitingMessages:
    """The messages to clients that are not connected, by receiver, within the limits of receivers and addresses.

    Attributes:
        limits: all limits.
        size: the bytes of all messages.
        refused: how many messages were not kept, by the name of the limit that they exceeded.

    """

    limits: Limits
    size: int = field(default=0, init=False)
    refused: dict[str, int] = field(factory=dict, init=False)
    _queues: dict[ClientId, _Queue] = field(factory=dict, init=False)
    """In the order in which they began, in which they expire too."""

    _address_sizes: dict[AddressKey, int] = field(factory=dict, init=False)
    """The bytes of the messages of each address, and of each IPv6 /48 network."""

    def __len__(self) -> int:
        return sum(len(queue.messages) for queue in self._queues.values())

    @property
    def messages(self) -> Iterable[WaitingMessage]:
        """All messages; those to one client are in their order."""
        return [message for queue in self._queues.values() for message in queue.messages]

    def keep(self, message: WaitingMessage, now: float) -> bool:
        """Keep a message for its receiver; False, and keep nothing, where that would exceed a limit."""
        limits, size, receiver = self.limits, message.size, message.envelope.receiver
        queue = self._queues.get(receiver)
        count, queue_size = (0, 0) if queue is None else (len(queue.messages), queue.size)
        buckets = address_buckets(message.address, limits.network_factor)
        for name, after, factor in (
            ("directory_waiting_messages", count + 1, 1),
            ("directory_waiting_bytes", queue_size + size, 1),
            *(("address_directory_bytes", self._address_sizes.get(key, 0) + size, share) for key, share in buckets),
            ("directory_bytes", self.size + size, 1),
        ):
            if after > getattr(limits, name) * factor:
                self.refused[name] = self.refused.get(name, 0) + 1
                return False
        if queue is None:
            queue = self._queues[receiver] = _Queue(now + limits.directory_waiting_seconds)
        queue.messages.append(message)
        queue.size += size
        self.size += size
        for key, _ in buckets:
            self._address_sizes[key] = self._address_sizes.get(key, 0) + size
        return True

    def take(self, receiver: ClientId) -> list[WaitingMessage]:
        """Remove the messages to a client, and return them in their order."""
        queue = self._queues.pop(receiver, None)
        if queue is None:
            return []
        self.size -= queue.size
        for message in queue.messages:
            for key, _ in address_buckets(message.address, self.limits.network_factor):
                self._address_sizes[key] -= message.size
                if not self._address_sizes[key]:
                    del self._address_sizes[key]
        return queue.messages

    def take_expired(self, now: float) -> list[WaitingMessage]:
        """Remove the messages that have waited for too long, and return one for each pair of sender and receiver.

        The messages to one receiver expire together. Those beyond `EXPIRED_AT_ONCE` are left to the next calls.
        """
        expired: list[ClientId] = []
        count = 0
        for receiver, queue in self._queues.items():
            count += len(queue.messages)
            if queue.expires_at > now or (expired and count > EXPIRED_AT_ONCE):
                break
            expired.append(receiver)
        first = {
            (message.envelope.receiver, message.sender): message
            for receiver in expired
            for message in reversed(self.take(receiver))
        }
        return list(first.values())
