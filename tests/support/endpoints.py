"""The peer's end of connections in memory: transports that fill up, raw HTTP and frames, a recording switchboard."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

from attrs import define, field
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IProtocolFactory, IPushProducer
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport
from zope.interface import implementer

from signald.core.errors import ErrorCode
from signald.core.limits import AddressKey
from signald.core.messages import AppMessage, Event, ForwardedMessage, Request, SessionId, Traits
from signald.core.users import PeerId
from signald.dialects.dialect import CloseFrame, Dialect
from signald.server.switchboard import Connection, Switchboard
from signald.server.websocket import SignalingProtocol

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
"""Opcodes (RFC 6455 §11.8)."""

TRANSPORT_BYTES = 65536
"""Bytes that a Twisted transport buffers before it pauses its producer."""

CLIENT = "192.0.2.1"

UPGRADE = {
    "Host": "signald.example",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}
"""The headers of a client's opening handshake (RFC 6455 §1.3)."""


@implementer(IPushProducer)
class MemoryTransport(FakeTransport):
    """A transport whose peer reads when the test says so, with the buffer and the producer of a TCP transport.

    Attributes:
        dataBuffer: bytes that were written and not yet read.
        reads: whether the server reads, which it does unless it paused the transport.
        lost: whether the server closed the connection in an orderly way.
        aborted: whether the server aborted the connection.

    """

    def __init__(self, protocol: Any, peer: IAddress) -> None:
        super().__init__(protocol, isServer=True, peerAddress=peer)
        self.dataBuffer = b""
        self.offset = 0
        self.reads = True
        self.lost = False
        self.aborted = False
        self._paused = False
        self._unread: list[bytes] = []

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Register a producer; a second one is an error, as with Twisted."""
        if self.producer is not None:
            raise RuntimeError("a producer is registered already")
        super().registerProducer(producer, streaming)

    def write(self, data: bytes) -> None:
        """Buffer, and pause the producer when that is too much."""
        if self.aborted:
            return
        self.dataBuffer += data
        if self.producer is not None and self.streamingProducer and len(self.dataBuffer) > TRANSPORT_BYTES:
            self._paused = True
            self.producer.pauseProducing()

    def deliver(self, data: bytes) -> None:
        """Deliver bytes to the server, once it reads, and until it has closed."""
        self._unread.append(data)
        while self.reads and self._unread and not self.disconnecting:
            self.protocol.dataReceived(self._unread.pop(0))

    def pauseProducing(self) -> None:
        """Pause: the server stops to read."""
        self.reads = False

    def resumeProducing(self) -> None:
        """Resume: the server reads again, from the next delivery on."""
        self.reads = True

    def take(self, count: int) -> bytes:
        """The peer reads up to that many bytes."""
        taken, self.dataBuffer = self.dataBuffer[:count], self.dataBuffer[count:]
        if not self.dataBuffer and self._paused and self.producer is not None:
            self._paused = False
            self.producer.resumeProducing()
        return taken

    def take_all(self) -> bytes:
        """The peer reads everything, including what is written while it reads."""
        taken = b""
        while self.dataBuffer:
            taken += self.take(len(self.dataBuffer))
        return taken

    def loseConnection(self) -> None:
        """Record an orderly close."""
        self.lost = self.disconnecting = True

    def abortConnection(self) -> None:
        """Record an abort, and discard the buffer."""
        self.dataBuffer = b""
        self.aborted = self.disconnecting = True


class Endpoint:
    """The peer's end of a connection to a server in memory, which sends and reads raw bytes.

    Attributes:
        transport: the server's side.

    """

    def __init__(self, factory: IProtocolFactory, address: str = CLIENT) -> None:
        peer = IPv4Address("TCP", address, 50000)
        self.transport = MemoryTransport(factory.buildProtocol(peer), peer)
        if self.transport.protocol is None:
            self.transport.abortConnection()
        else:
            self.transport.protocol.makeConnection(self.transport)

    @property
    def closed(self) -> bool:
        """Whether the server closed it or is about to."""
        return self.transport.lost or self.transport.aborted

    def send(self, *pieces: bytes) -> None:
        """Deliver each piece by itself."""
        for piece in pieces:
            self.transport.deliver(piece)

    def answer(self) -> bytes:
        """Read what the server has sent since the last time."""
        return self.transport.take_all()

    def frames(self) -> list[tuple[int, bytes]]:
        """Read whole frames: the opcode and the payload of each."""
        return parse_frames(self.answer())

    def response(self) -> tuple[int, dict[str, str], bytes]:
        """Read one response: its status, its headers by lower-case name, and all that follows them."""
        return parse_response(self.answer())

    def upgrade(self, path: str = "/ws", **changes: str | None) -> int:
        """Begin a WebSocket; the status that the server answers with."""
        self.send(upgrade_request(path, **changes))
        return self.response()[0]

    def disconnect(self) -> None:
        """Tell the server that the connection is lost."""
        self.transport.protocol.connectionLost(Failure(ConnectionDone()))


def request(path: str, headers: Mapping[str, str], method: str = "GET", version: str = "HTTP/1.1") -> bytes:
    """An HTTP request without a body."""
    lines = [f"{method} {path} {version}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def upgrade_request(path: str = "/ws", **changes: str | None) -> bytes:
    """A WebSocket's opening handshake with headers changed (`sec_websocket_version="8"`), or left out where None."""
    headers = dict(UPGRADE)
    for key, value in changes.items():
        name = next((known for known in headers if known.lower() == key.replace("_", "-")), key.replace("_", "-"))
        if value is None:
            del headers[name]
        else:
            headers[name] = value
    return request(path, headers)


def parse_response(data: bytes) -> tuple[int, dict[str, str], bytes]:
    """The status, the headers by lower-case name, and all that follows them."""
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return int(status.split(" ")[1]), {name.lower(): value for name, value in headers.items()}, body


def problem_code(response: tuple[int, dict[str, str], bytes]) -> ErrorCode:
    """The error code of a problem response, after checks that its status and headers fit."""
    status, headers, body = response
    document = json.loads(body)
    code = ErrorCode(document["code"])  # type: ignore[call-arg] # a member by its value
    assert headers["content-type"] == "application/problem+json", headers
    assert status == document["status"] == code.http_status, document
    assert int(headers["content-length"]) == len(body), headers
    return code


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, mask: bytes | None = b"mask", rsv: int = 0) -> bytes:
    """A client's frame (RFC 6455 §5.2)."""
    header = frame_header(opcode, len(payload), fin=fin, masked=mask is not None, rsv=rsv)
    if mask is None:
        return header + payload
    return header + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def frame_header(opcode: int, length: int, *, fin: bool = True, masked: bool = True, rsv: int = 0) -> bytes:
    """The first bytes of a frame, without the masking key."""
    first, mask_bit = (fin << 7) | (rsv << 4) | opcode, masked << 7
    if length < 126:
        return bytes([first, mask_bit | length])
    if length < 65536:
        return bytes([first, mask_bit | 126]) + struct.pack("!H", length)
    return bytes([first, mask_bit | 127]) + struct.pack("!Q", length)


def parse_frames(data: bytes) -> list[tuple[int, bytes]]:
    """A server's whole, unmasked frames: the opcode and the payload of each."""
    frames = []
    while data:
        opcode, length, start = data[0] & 15, data[1], 2
        assert data[0] & 0x70 == 0, "no extension was negotiated"
        if length == 126:
            length, start = struct.unpack_from("!H", data, 2)[0], 4
        elif length == 127:
            length, start = struct.unpack_from("!Q", data, 2)[0], 10
        assert len(data) >= start + length, "a frame is cut off"
        frames.append((opcode, data[start : start + length]))
        data = data[start + length :]
    return frames


def close_payload(code: int, reason: str = "") -> bytes:
    """The payload of a close frame (RFC 6455 §5.5.1)."""
    return struct.pack("!H", code) + reason.encode()


def closing(code: ErrorCode) -> tuple[int, bytes]:
    """The frame that closes a connection because of an error."""
    assert code.close_code is not None
    return CLOSE, close_payload(code.close_code, code.value)


class PlainDialect(Dialect):
    """A dialect without a subprotocol whose frames are the texts of messages, both ways."""

    subprotocol: ClassVar[str | None] = None

    def decode(self, frame: bytes) -> list[Request]:
        """Return a message with the frame."""
        return [AppMessage(SessionId(""), frame.decode())]

    def encode(self, event: Event) -> list[bytes | CloseFrame]:
        """Return the frame that the event holds, which is a message."""
        return [event.content.encode()] if isinstance(event, ForwardedMessage) else []


class NamedDialect(PlainDialect):
    """The same with a subprotocol."""

    subprotocol = "named.1"


@define
class RecordingSwitchboard:
    """A switchboard that records the calls of the WebSockets.

    Attributes:
        connections: the connections that are open, by peer.
        addresses: the address key of each peer that ever was.
        heard: every frame with its peer, where `PlainDialect` is spoken.
        closed_peers: the peers whose connection ended.
        fails: the names of the methods that raise when they are called.
        is_suspended: what a WebSocket asks before it decodes a frame.

    """

    connections: dict[PeerId, SignalingProtocol] = field(factory=dict)
    addresses: dict[PeerId, AddressKey] = field(factory=dict)
    heard: list[tuple[PeerId, bytes]] = field(factory=list)
    closed_peers: list[PeerId] = field(factory=list)
    fails: set[str] = field(factory=set)
    is_suspended: bool = False

    @property
    def as_switchboard(self) -> Switchboard:
        """The same, as what a factory takes."""
        return cast(Switchboard, self)

    def add_connection(self, connection: Connection, address: AddressKey, traits: Traits) -> PeerId:
        """Number the peers from 1."""
        self._maybe_fail("add_connection")
        peer = PeerId(len(self.addresses) + 1)
        self.connections[peer], self.addresses[peer] = cast(SignalingProtocol, connection), address
        return peer

    def receive_requests(self, peer: PeerId, requests: Sequence[Request]) -> None:
        """Record the requests."""
        if requests:
            self._maybe_fail("receive_requests")
        self.heard += [(peer, request.content.encode()) for request in requests if isinstance(request, AppMessage)]

    def remove_connection(self, peer: PeerId, code: int | None = None) -> None:
        """Record that the connection ended."""
        del self.connections[peer]
        self.closed_peers.append(peer)
        self._maybe_fail("remove_connection")

    def _maybe_fail(self, what: str) -> None:
        if what in self.fails:
            raise ArithmeticError(what)
