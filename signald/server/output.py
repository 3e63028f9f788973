"""The socket's side of sending: output that a slow reader has not taken is queued, bounded in bytes and in time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from zope.interface import implementer

__all__ = ["MAX_DISCARDED_BYTES", "OutputQueue", "StallDetector", "is_sent"]

MAX_DISCARDED_BYTES = 131072
"""Bytes of input that are discarded while the last output, such as a close frame, is sent. A peer that sends more is
aborted."""

_TRANSPORT_BYTES = 65536
"""Bytes that a Twisted transport buffers before it pauses its producer (`abstract.FileDescriptor.bufferSize`)."""


class StallDetector:
    """Detects that a transport with a full buffer sends nothing for a given time."""

    def __init__(self, transport: Any, clock: IReactorTime, seconds: float, stalled: Callable[[], None]) -> None:
        """Make a detector that is not started.

        Arguments:
            transport: the transport that is watched.
            clock: measures the time.
            seconds: how long output may wait without any of it being sent.
            stalled: called when output has waited for longer.

        """
        self._transport = transport
        self._clock = clock
        self._seconds = seconds
        self._stalled = stalled
        self._deadline: IDelayedCall | None = None
        self._position: object = None

    def start(self) -> None:
        """Start to watch: the transport's buffer is full."""
        if self._deadline is None:
            self._position = _position(self._transport)
            self._deadline = self._clock.callLater(self._seconds, self._check)

    def stop(self) -> None:
        """Stop to watch: the buffer is empty again, or the transport is closed."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _check(self) -> None:
        self._deadline = None
        before, self._position = self._position, _position(self._transport)
        if self._position is None or self._position == before:
            self._stalled()
        else:
            self._deadline = self._clock.callLater(self._seconds, self._check)


@implementer(IPushProducer)
class OutputQueue:
    """Queues a protocol's output while its transport is full, as the transport's producer.

    A Twisted transport buffers whatever is written to it, so its memory would grow for ever for a peer that does not
    read. When too many bytes wait here, or wait too long, the protocol is told to abort.
    """

    # Most connections never need these, and an empty deque alone takes 760 bytes.
    _waiting: deque[bytes] | None = None
    _stall_detector: StallDetector | None = None

    def __init__(
        self,
        transport: Any,
        clock: IReactorTime,
        max_bytes: int,
        seconds: float,
        give_up: Callable[[str], None],
    ) -> None:
        """Take over as the transport's producer.

        Arguments:
            transport: an `ITransport` and `IConsumer`.
            clock: measures the time.
            max_bytes: how many bytes may wait, here and in the transport together.
            seconds: how long output may wait without any of it being sent.
            give_up: called with the limit's name when either is exceeded; it has to abort the connection and to call
                `stop`.

        """
        self._transport = transport
        self._max_bytes = max_bytes
        self._give_up = give_up
        self._clock = clock
        self._seconds = seconds
        self._waiting_bytes = 0
        self._last_write = 0
        self._paused = False
        # Under Site the HTTP channel is still the transport's producer, and to register a second one is an error.
        transport.unregisterProducer()
        transport.registerProducer(self, True)

    @property
    def waiting_bytes(self) -> int:
        """Bytes that wait in this queue."""
        return self._waiting_bytes

    @property
    def is_half_full(self) -> bool:
        """Whether more than half of the bytes that may wait do, so that nothing is to be added that can be left out."""
        return self._paused and 2 * self._held_bytes > self._max_bytes

    def write(self, data: bytes) -> None:
        """Send bytes after all earlier ones, or give up when too many wait."""
        if not self._paused:
            self._last_write = len(data)
            self._transport.write(data)
            return
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._held_bytes > self._max_bytes:
            self._give_up("output_bytes")

    def finish(self) -> None:
        """Write everything to the transport, full or not, and watch it from now on.

        To be called at the end of a connection, after which nothing is added: a peer that does not read, or does not
        answer TLS's closing alert, would hold the socket for ever.
        """
        while self._waiting:
            self._transport.write(self._waiting.popleft())
        self._waiting_bytes = 0
        self._stop_watching()
        self._watch()

    @property
    def is_sent(self) -> bool:
        """Whether the kernel has taken everything; this process cannot tell whether the peer has."""
        return not self._waiting and is_sent(self._transport)

    def stop(self) -> None:
        """Discard what waits: the connection is aborted or closed."""
        self._waiting = None
        self._waiting_bytes = 0
        self._stop_watching()

    def pauseProducing(self) -> None:
        """Queue output from now on: the transport's buffer is full."""
        self._paused = True
        self._watch()

    def resumeProducing(self) -> None:
        """Write what waits: the transport's buffer is empty again."""
        self._paused = False
        self._stop_watching()
        while self._waiting and not self._paused:
            data = self._waiting.popleft()
            self._waiting_bytes -= len(data)
            self.write(data)

    def stopProducing(self) -> None:
        """Discard what waits: the transport is closed."""
        self.stop()

    @property
    def _held_bytes(self) -> int:
        """The most bytes that wait here and in the transport together, while the transport's buffer is full."""
        # The transport pauses its producer only after the write that exceeds its own limit.
        return _TRANSPORT_BYTES + self._last_write + self._waiting_bytes

    def _watch(self) -> None:
        """Detect from now on that the transport sends nothing."""
        if self._stall_detector is None:
            stalled = partial(self._give_up, "output_seconds")
            self._stall_detector = StallDetector(self._transport, self._clock, self._seconds, stalled)
        self._stall_detector.start()

    def _stop_watching(self) -> None:
        if self._stall_detector is not None:
            self._stall_detector.stop()


def is_sent(transport: Any) -> bool:
    """Whether the kernel has taken everything from a transport; under TLS, from the transport below."""
    lowest = _lowest(transport)
    return (
        lowest is not None and len(lowest.dataBuffer) == lowest.offset and not getattr(lowest, "_tempDataBuffer", None)
    )


def _position(transport: Any) -> tuple[int, int] | None:
    """A transport's position in sending its buffer; the same value twice means that nothing was sent. None if unknown.

    Under TLS it is the position of the transport below. A reader that takes a little at a time is slow, not gone.
    """
    lowest = _lowest(transport)
    return None if lowest is None else (len(lowest.dataBuffer), lowest.offset)


def _lowest(transport: Any) -> Any:
    """The transport that writes to the socket: under TLS, the one below; None if there is none with a buffer."""
    while transport is not None and getattr(transport, "dataBuffer", None) is None:
        transport = getattr(transport, "transport", None)
    return transport
