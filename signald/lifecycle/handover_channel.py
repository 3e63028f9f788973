"""The channel between a running process and its successor: messages in frames over a pair of Unix sockets.

A frame is its length in four bytes, most significant first, a JSON object in one line, and what belongs to the message
besides. Both processes may be of different versions: unknown keys are ignored, and each key that a later version adds
has a default. What a reader must not ignore needs another number in `PROTOCOL`.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from attrs import field, frozen
from cattrs.preconf.orjson import make_converter
from cattrs.strategies import configure_tagged_union
from twisted.internet.abstract import FileDescriptor
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.python.failure import Failure

from signald.core.messages import UserId

__all__ = [
    "MOST_BYTES",
    "PROTOCOL",
    "Accepting",
    "Channel",
    "FrameReader",
    "HandoverError",
    "Loaded",
    "Message",
    "Refused",
    "Start",
    "State",
    "Supervised",
    "decode",
    "encode",
    "receive_start",
    "send_start",
]

PROTOCOL = 1
"""The version of this protocol."""

MOST_BYTES = 1 << 30
"""The largest frame. Full outboxes (128 MiB by `outboxes_bytes`, of which JSON makes six times as much if they hold
control characters alone) and 40,000 users make less."""

_MOST_DESCRIPTORS = 253
"""The most descriptors that the kernel passes with one message (unix(7), SCM_MAX_FD)."""

_READ_BYTES = 1 << 20
_LENGTH = struct.Struct(">I")


class HandoverError(Exception):
    """The other process sent something that this one does not understand; the text says what."""


@frozen
class Start:
    """From the running process, with the descriptors of its sockets, which the kernel copies (unix(7), SCM_RIGHTS).

    Attributes:
        protocol: the version of this protocol.
        version: the version of signald.
        formats: the formats in which the running process can write its state.
        sockets: the purpose of each listening socket, in the order of the descriptors.
        queues: whether a service manager keeps these sockets open while no process runs.
        has_lock: whether the last descriptor is that of the lock of the data directory; the sockets come before it.

    """

    protocol: int
    version: str
    formats: list[int]
    sockets: list[str]
    queues: bool
    has_lock: bool = False


@frozen
class Loaded:
    """From the successor: its code is imported, its configuration can be used, and it waits for the state.

    Attributes:
        version: the version of signald.
        format: the format in which the state is wanted.

    """

    version: str
    format: int


@frozen
class Refused:
    """From the successor: it cannot take over, and ends.

    Attributes:
        reason: a sentence for the operator.

    """

    reason: str


@frozen
class State:
    """From the running process, which processes nothing any more: the users and sessions, as `snapshot.dump` has them.

    Attributes:
        taken: when the snapshot was taken, in seconds of the machine's monotonic clock, which all processes share.
        resume_seconds: the processor time that a client's resume takes (`reconnect_window.ResumeCost`).

    """

    taken: float
    resume_seconds: float


@frozen
class Accepting:
    """From the successor: it has the state and accepts connections; the running process is to end."""


@frozen
class Supervised:
    """From the process that ends: the service manager knows that its successor is the main process.

    Attributes:
        left: the users whose clients have ended their identity since the state was taken.

    """

    left: list[UserId] = field(factory=list)


Message = Start | Loaded | Refused | State | Accepting | Supervised


def encode(message: Message, body: bytes = b"") -> bytes:
    """Encode a message as a frame.

    Raises:
        HandoverError: the frame would be longer than `MOST_BYTES`.

    """
    payload = b"%b\n%b" % (_converter.dumps(message, unstructure_as=Message), body)
    if len(payload) > MOST_BYTES:
        raise HandoverError(f"a message of {len(payload)} bytes is longer than {MOST_BYTES}")
    return _LENGTH.pack(len(payload)) + payload


def decode(payload: bytes) -> tuple[Message, bytes]:
    """Read the content of a frame; returns the message and what belongs to it.

    Raises:
        HandoverError: it is not a message of this protocol.

    """
    head, _, body = payload.partition(b"\n")
    try:
        message: Message = _converter.loads(head, Message)
    except Exception:  # noqa: BLE001 # cattrs raises groups of whatever its hooks raise
        raise HandoverError("the other process sent a message that this version does not know") from None
    return message, body


class FrameReader:
    """Cuts a stream of bytes into the contents of its frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def receive(self, data: bytes) -> Iterator[bytes]:
        """Add bytes of the stream, and yield the content of each frame that is complete.

        Raises:
            HandoverError: a frame is longer than `MOST_BYTES`.

        """
        self._buffer += data
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > MOST_BYTES:
                raise HandoverError(f"the other process sends a message of {length} bytes")
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[_LENGTH.size : end])
            del self._buffer[:end]
            yield payload


class Channel(FileDescriptor):
    """One end of the pair of sockets, read and written by the reactor."""

    def __init__(
        self,
        reactor: Any,
        end: socket.socket,
        on_message: Callable[[Message, bytes], None],
        on_end: Callable[[str], None],
    ) -> None:
        """Read from the socket from now on; the channel is its owner.

        Arguments:
            reactor: reads and writes.
            end: the socket.
            on_message: called with each message, and with what belongs to it.
            on_end: called once when the other process closes its end or sends nonsense, with a sentence about it.

        """
        super().__init__(reactor)
        end.setblocking(False)
        self._socket = end
        self._on_message = on_message
        self._on_end = on_end
        self._reader = FrameReader()
        self._problem = "the other process ended"
        self.connected = 1
        self.startReading()

    def fileno(self) -> int:
        """Return the descriptor of the socket; -1 once it is closed."""
        return self._socket.fileno()

    def send(self, message: Message, body: bytes = b"") -> None:
        """Send a message; it is dropped if the other end is closed.

        Raises:
            HandoverError: the message is too long.

        """
        self.write(encode(message, body))

    def close(self) -> None:
        """Close the socket at once, without a call of `on_end`."""
        if self.connected:
            self._on_end = lambda _: None
            self.connectionLost(Failure(CONNECTION_DONE))

    def doRead(self) -> Exception | None:  # Twisted's name
        """Read what has arrived, and report each complete message."""
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if not data:
            return CONNECTION_DONE
        try:
            for payload in self._reader.receive(data):
                self._on_message(*decode(payload))
                if not self.connected:
                    break
        except HandoverError as error:
            self._problem = str(error)
            return CONNECTION_LOST
        return None

    def writeSomeData(self, data: bytes) -> int:  # Twisted's name
        """Write as much as the socket takes."""
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            # The other process has ended. What it sent before is still to be read, and its end is reported after that.
            return len(data)

    def connectionLost(self, reason: Failure) -> None:  # Twisted's name
        """Close the socket, and report the end once."""
        super().connectionLost(reason)
        self._socket.close()
        on_end, self._on_end = self._on_end, lambda _: None
        on_end(self._problem)


def send_start(end: socket.socket, start: Start, descriptors: Sequence[int]) -> None:
    """Send the first message of a running process, with descriptors, over a blocking socket.

    Raises:
        OSError: the other end is closed.

    """
    socket.send_fds(end, [encode(start)], list(descriptors))


def receive_start(end: socket.socket) -> tuple[Start, list[int]]:
    """Wait for the first message of a running process; returns it with copies of the descriptors.

    Raises:
        HandoverError: it is not one of this protocol.
        OSError: the socket failed.

    """
    reader, descriptors = FrameReader(), list[int]()
    while True:
        data, received, _, _ = socket.recv_fds(end, _READ_BYTES, _MOST_DESCRIPTORS)
        for descriptor in received:
            os.set_inheritable(descriptor, False)
        descriptors += received
        if not data:
            raise HandoverError("the running process closed the connection")
        for payload in reader.receive(data):
            message, _ = decode(payload)
            if not isinstance(message, Start) or len(descriptors) != len(message.sockets) + message.has_lock:
                raise HandoverError("the running process did not begin with its sockets")
            return message, descriptors


def _make_converter() -> Any:
    converter = make_converter(detailed_validation=False)
    configure_tagged_union(Message, converter, tag_name="type")
    return converter


_converter = _make_converter()
