"""Gathers the frames that one read brings for one receiver, so that they leave in one write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from attrs import define, field

from signald.core.messages import CountedEvent
from signald.core.users import PeerId
from signald.monitoring.metrics import Metrics
from signald.server.text_frames import text_frame

__all__ = ["MOST_BYTES", "ForwardBatch", "Receiver"]


MOST_BYTES = 65536
"""Bytes of frames that leave in one write, unless one frame is larger. A transport that is not full takes all of a
write, which then counts as output that waits: several large messages at once would bring a slow reader to its bound."""


class Receiver(Protocol):
    """A connection that frames are forwarded to."""

    def send_frames(self, frames: bytes) -> None:
        """Send whole frames; a closing connection sends nothing more."""


@define(eq=False)
class ForwardBatch:
    """The forwarded frames of the present read.

    Attributes:
        metrics: counts the events.
        fail: ends the connection of a receiver whose `send_frames` raised.

    """

    metrics: Metrics
    fail: Callable[[PeerId], None]
    _peer: PeerId | None = field(default=None, init=False)
    _receiver: Receiver | None = field(default=None, init=False)
    _frames: list[bytes] = field(factory=list, init=False)
    _size: int = field(default=0, init=False)

    def add(self, peer: PeerId, receiver: Receiver, frame: bytes, kind: type[CountedEvent]) -> None:
        """Send an encoded event soon, after all that was added before."""
        data = text_frame(frame)
        if self._receiver is not receiver or self._size + len(data) > MOST_BYTES:
            if self._receiver is not None:
                self.flush()
            self._peer, self._receiver = peer, receiver
        self.metrics.sent[kind] += 1
        self._frames.append(data)
        self._size += len(data)

    def flush(self) -> None:
        """Send what is left; an exception ends its receiver's connection alone."""
        peer, receiver, frames = self._peer, self._receiver, self._frames
        if peer is None or receiver is None:
            return
        self._peer = self._receiver = None
        self._frames, self._size = [], 0
        try:
            receiver.send_frames(frames[0] if len(frames) == 1 else b"".join(frames))
        except Exception:  # noqa: BLE001 # whatever it is, it ends one connection
            self.fail(peer)
