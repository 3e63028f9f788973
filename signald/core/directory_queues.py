"""Messages to clients of the directory that are not connected: they wait for a while, within bounds."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice, takewhile

from attrs import define, field, frozen

from signald.core.directory_messages import ClientId, Envelope
from signald.core.limits import AddressKey, Limits

__all__ = ["MESSAGE_BYTES", "WaitingMessage", "WaitingMessages"]

EXPIRED_AT_ONCE = 512
"""Receivers whose messages expire in one call, so that a flood of messages to nobody takes milliseconds each second."""

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
        address_size = self._address_sizes.get(message.address, 0)
        count, queue_size = (0, 0) if queue is None else (len(queue.messages), queue.size)
        for name, after in (
            ("directory_waiting_messages", count + 1),
            ("directory_waiting_bytes", queue_size + size),
            ("address_directory_bytes", address_size + size),
            ("directory_bytes", self.size + size),
        ):
            if after > getattr(limits, name):
                self.refused[name] = self.refused.get(name, 0) + 1
                return False
        if queue is None:
            queue = self._queues[receiver] = _Queue(now + limits.directory_waiting_seconds)
        queue.messages.append(message)
        queue.size += size
        self.size += size
        self._address_sizes[message.address] = address_size + size
        return True

    def take(self, receiver: ClientId) -> list[WaitingMessage]:
        """Remove the messages to a client, and return them in their order."""
        queue = self._queues.pop(receiver, None)
        if queue is None:
            return []
        self.size -= queue.size
        for message in queue.messages:
            left = self._address_sizes[message.address] - message.size
            if left:
                self._address_sizes[message.address] = left
            else:
                del self._address_sizes[message.address]
        return queue.messages

    def take_expired(self, now: float) -> list[WaitingMessage]:
        """Remove the messages that have waited for too long, and return one for each pair of sender and receiver.

        Those of more than `EXPIRED_AT_ONCE` receivers are left to the next calls.
        """
        oldest = islice(self._queues.items(), EXPIRED_AT_ONCE)
        expired = [receiver for receiver, _ in takewhile(lambda item: item[1].expires_at <= now, oldest)]
        first = {
            (message.envelope.receiver, message.sender): message
            for receiver in expired
            for message in reversed(self.take(receiver))
        }
        return list(first.values())
