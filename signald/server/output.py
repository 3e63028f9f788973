"""Between a protocol and its transport: output that a slow reader has not taken, bounded in bytes and in time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from zope.interface import implementer

__all__ = ["BoundedOutput", "StallWatch", "is_sent"]

_TRANSPORT_BYTES = 65536
"""What a Twisted transport buffers before it pauses its producer (`abstract.FileDescriptor.bufferSize`)."""


class StallWatch:
    """Notices that a transport which is full gets rid of nothing."""

    def __init__(self, transport: Any, clock: IReactorTime, seconds: float, stalled: Callable[[], None]) -> None:
        """Watch nothing yet.

        Arguments:
            transport: that is watched.
            clock: measures the waiting.
            seconds: for which output may wait without any of it being taken.
            stalled: called when it did.

        """
        self._transport = transport
        self._clock = clock
        self._seconds = seconds
        self._stalled = stalled
        self._deadline: IDelayedCall | None = None
        self._position: object = None

    def start(self) -> None:
        """The transport is full."""
        if self._deadline is None:
            self._position = _position(self._transport)
            self._deadline = self._clock.callLater(self._seconds, self._look)

    def stop(self) -> None:
        """It is empty again, or gone."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _look(self) -> None:
        self._deadline = None
        before, self._position = self._position, _position(self._transport)
        if self._position is None or self._position == before:
            self._stalled()
        else:
            self._deadline = self._clock.callLater(self._seconds, self._look)


@implementer(IPushProducer)
class BoundedOutput:
    """The way of a protocol's bytes to its transport, whose producer it is.

    A Twisted transport takes whatever is written to it, so a peer that does not read would grow it for ever. Here the
    bytes wait while the transport is full, and when too many wait, or wait too long, the protocol is told to give up.
    """

    def __init__(
        self,
        transport: Any,
        clock: IReactorTime,
        most_bytes: int,
        seconds: float,
        give_up: Callable[[str], None],
    ) -> None:
        """Take over as the transport's producer.

        Arguments:
            transport: an `ITransport` and `IConsumer`.
            clock: measures the waiting.
            most_bytes: that may wait, here and in the transport together.
            seconds: for which output may wait without any of it being taken.
            give_up: called with the limit's name when either is exceeded; it has to abort the connection and to call
                `stop`.

        """
        self._transport = transport
        self._most_bytes = most_bytes
        self._give_up = give_up
        self._watch = StallWatch(transport, clock, seconds, partial(give_up, "output_seconds"))
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._last_write = 0
        self._paused = False
        # Under Site the HTTP channel is the transport's producer still, and a second one would be an error.
        transport.unregisterProducer()
        transport.registerProducer(self, True)

    @property
    def waiting_bytes(self) -> int:
        """What waits here, for the transport to be empty."""
        return self._waiting_bytes

    def write(self, data: bytes) -> None:
        """Send the bytes after all earlier ones, or give up."""
        if not self._paused:
            self._last_write = len(data)
            self._transport.write(data)
            return
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        # The transport paused at its own limit, with one write on top.
        if _TRANSPORT_BYTES + self._last_write + self._waiting_bytes > self._most_bytes:
            self._give_up("output_bytes")

    def finish(self) -> None:
        """Hand everything to the transport, full or not, and from now on watch it get rid of that.

        For the end of a connection, after which nothing is added: a peer that does not read, or does not answer TLS's
        closing alert, would hold the socket for ever.
        """
        while self._waiting:
            self._transport.write(self._waiting.popleft())
        self._watch.stop()
        self._watch.start()

    @property
    def is_sent(self) -> bool:
        """Whether the kernel has taken everything; what is on its way to the peer is out of this process's hands."""
        return not self._waiting and is_sent(self._transport)

    def stop(self) -> None:
        """Forget what waits: the connection is going, or gone."""
        self._waiting.clear()
        self._waiting_bytes = 0
        self._watch.stop()

    def pauseProducing(self) -> None:
        """The transport is full."""
        self._paused = True
        self._watch.start()

    def resumeProducing(self) -> None:
        """The transport is empty again."""
        self._paused = False
        self._watch.stop()
        while self._waiting and not self._paused:
            data = self._waiting.popleft()
            self._waiting_bytes -= len(data)
            self.write(data)

    def stopProducing(self) -> None:
        """The transport is gone."""
        self.stop()


def is_sent(transport: Any) -> bool:
    """Whether a transport has nothing left to give to the kernel; under TLS, the one below."""
    while getattr(transport, "dataBuffer", None) is None:
        transport = getattr(transport, "transport", None)
        if transport is None:
            return False
    return len(transport.dataBuffer) == transport.offset and not getattr(transport, "_tempDataBuffer", None)


def _position(transport: Any) -> tuple[int, int] | None:
    """Where a transport is in sending its buffer, so that two looks tell whether it got on; None if it cannot be told.

    Under TLS it is the wrapped socket's. A reader that takes a little at a time is slow, not gone.
    """
    while getattr(transport, "dataBuffer", None) is None:
        transport = getattr(transport, "transport", None)
        if transport is None:
            return None
    return len(transport.dataBuffer), transport.offset
