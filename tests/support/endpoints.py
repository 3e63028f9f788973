"""The peer's side of in-memory connections: transports that fill up, raw HTTP and frames, a recording switchboard."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, ClassVar, cast

from attrs import define, field
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IProtocolFactory, IPushProducer
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport
from zope.interface import implementer

from signald.core.errors import ErrorCode
from signald.core.hub import Hub
from signald.core.limits import AddressKey, Limits
from signald.core.messages import AppMessage, Event, ForwardedMessage, Request, SessionId, Traits
from signald.core.rejoin_tickets import TicketSource
from signald.core.users import PeerId
from signald.dialects.dialect import CloseFrame, DecodeError, Dialect
from signald.server.call_log import CallLog
from signald.server.switchboard import Connection, Switchboard
from signald.server.websocket import SignalingProtocol

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
"""The opcodes of WebSocket frames (RFC 6455 §11.8)."""

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
    """A transport that imitates the buffer and the producer of a TCP transport; the test decides when the peer reads.

    Attributes:
        dataBuffer: bytes that the server wrote and the peer has not read yet.
        reads: whether the server reads, which it does unless it paused the transport.
        lost: whether the server closed the connection in an orderly way.
        aborted: whether the server aborted the connection.
        no_delay: whether the server has switched Nagle's algorithm off (RFC 9293 §3.7.4).

    """

    def __init__(self, protocol: Any, peer: IAddress) -> None:
        super().__init__(protocol, isServer=True, peerAddress=peer)
        self.dataBuffer = b""
        self.offset = 0
        self.reads = True
        self.lost = False
        self.aborted = False
        self.no_delay = False
        self._paused = False
        self._unread: list[bytes] = []

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Register a producer; a second producer is an error, as in Twisted."""
        if self.producer is not None:
            raise RuntimeError("a producer is registered already")
        super().registerProducer(producer, streaming)

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Record that each write is to be sent at once."""
        self.no_delay = enabled

    def write(self, data: bytes) -> None:
        """Buffer the data, and pause the producer when the buffer is too large."""
        if self.aborted:
            return
        self.dataBuffer += data
        if self.producer is not None and self.streamingProducer and len(self.dataBuffer) > TRANSPORT_BYTES:
            self._paused = True
            self.producer.pauseProducing()

    def deliver(self, data: bytes) -> None:
        """Deliver bytes to the server when it reads; discard them after it has closed the connection."""
        self._unread.append(data)
        self.deliver_unread()

    def deliver_unread(self) -> None:
        """Deliver what the server has not read yet, as far as it reads."""
        while self.reads and self._unread and not self.disconnecting:
            self.protocol.dataReceived(self._unread.pop(0))

    def pauseProducing(self) -> None:
        """Record that the server has stopped reading."""
        self.reads = False

    def resumeProducing(self) -> None:
        """Record that the server reads again, beginning with the next delivery."""
        self.reads = True

    def take(self, count: int) -> bytes:
        """Let the peer read at most that many bytes."""
        taken, self.dataBuffer = self.dataBuffer[:count], self.dataBuffer[count:]
        if not self.dataBuffer and self._paused and self.producer is not None:
            self._paused = False
            self.producer.resumeProducing()
        return taken

    def take_all(self) -> bytes:
        """Let the peer read everything, including the data that is written meanwhile."""
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
    """The peer's side of a connection to an in-memory server, which sends and receives raw bytes.

    Attributes:
        transport: the transport of the server.

    """

    def __init__(self, factory: IProtocolFactory, address: str = CLIENT, clock: Clock | None = None) -> None:
        """Connect.

        Arguments:
            factory: the server's factory.
            address: the client's address.
            clock: the server's clock, if rounds of the reactor are to follow each read until nothing is due.

        """
        self._clock = clock
        peer = IPv4Address("TCP", address, 50000)
        self.transport = MemoryTransport(factory.buildProtocol(peer), peer)
        if self.transport.protocol is None:
            self.transport.abortConnection()
        else:
            self.transport.protocol.makeConnection(self.transport)

    @property
    def closed(self) -> bool:
        """Whether the server has closed the connection or is about to close it."""
        return self.transport.lost or self.transport.aborted

    def send(self, *pieces: bytes) -> None:
        """Deliver each piece in a separate read."""
        for piece in pieces:
            self.transport.deliver(piece)
            if self._clock is not None:
                self._clock.advance(0)
                # A connection whose address had spent its share of the round before is read from now.
                self.transport.deliver_unread()
                self._clock.advance(0)

    def answer(self) -> bytes:
        """Read the bytes that the server has sent since the last call."""
        return self.transport.take_all()

    def frames(self) -> list[tuple[int, bytes]]:
        """Read complete frames, and return the opcode and the payload of each frame."""
        return parse_frames(self.answer())

    def response(self) -> tuple[int, dict[str, str], bytes]:
        """Read one response; return its status, its headers by lower-case name, and all bytes after the headers."""
        return parse_response(self.answer())

    def upgrade(self, path: str = "/ws", **changes: str | None) -> int:
        """Send a WebSocket's opening handshake, and return the status of the server's response."""
        self.send(upgrade_request(path, **changes))
        return self.response()[0]

    def disconnect(self) -> None:
        """Report to the server that the connection is lost."""
        self.transport.protocol.connectionLost(Failure(ConnectionDone()))


def request(path: str, headers: Mapping[str, str], method: str = "GET", version: str = "HTTP/1.1") -> bytes:
    """Return an HTTP request without a body."""
    lines = [f"{method} {path} {version}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def upgrade_request(path: str = "/ws", **changes: str | None) -> bytes:
    """Return an opening handshake with headers changed (`sec_websocket_version="8"`), or omitted if None."""
    headers = dict(UPGRADE)
    for key, value in changes.items():
        name = next((known for known in headers if known.lower() == key.replace("_", "-")), key.replace("_", "-"))
        if value is None:
            del headers[name]
        else:
            headers[name] = value
    return request(path, headers)


def parse_response(data: bytes) -> tuple[int, dict[str, str], bytes]:
    """Return the status, the headers by lower-case name, and all bytes after the headers."""
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return int(status.split(" ")[1]), {name.lower(): value for name, value in headers.items()}, body


def problem_code(response: tuple[int, dict[str, str], bytes]) -> ErrorCode:
    """Check the status and the headers of a problem response, and return its error code."""
    status, headers, body = response
    document = json.loads(body)
    code = ErrorCode(document["code"])  # type: ignore[call-arg] # a member by its value
    assert headers["content-type"] == "application/problem+json", headers
    assert status == document["status"] == code.http_status, document
    assert int(headers["content-length"]) == len(body), headers
    return code


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, mask: bytes | None = b"mask", rsv: int = 0) -> bytes:
    """Return a masked client frame (RFC 6455 §5.2)."""
    header = frame_header(opcode, len(payload), fin=fin, masked=mask is not None, rsv=rsv)
    if mask is None:
        return header + payload
    return header + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def frame_header(opcode: int, length: int, *, fin: bool = True, masked: bool = True, rsv: int = 0) -> bytes:
    """Return the first bytes of a frame, without the masking key."""
    first, mask_bit = (fin << 7) | (rsv << 4) | opcode, masked << 7
    if length < 126:
        return bytes([first, mask_bit | length])
    if length < 65536:
        return bytes([first, mask_bit | 126]) + struct.pack("!H", length)
    return bytes([first, mask_bit | 127]) + struct.pack("!Q", length)


def parse_frames(data: bytes) -> list[tuple[int, bytes]]:
    """Parse complete, unmasked server frames; return the opcode and the payload of each frame."""
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
    """Return the payload of a close frame (RFC 6455 §5.5.1)."""
    return struct.pack("!H", code) + reason.encode()


def closing(code: ErrorCode) -> tuple[int, bytes]:
    """Return the close frame that the server sends because of an error."""
    assert code.close_code is not None
    return CLOSE, close_payload(code.close_code, code.value)


class PlainDialect(Dialect):
    """A dialect without a subprotocol whose frames are the texts of messages, in both directions."""

    subprotocol: ClassVar[str | None] = None

    def decode(self, frame: bytes) -> list[Request]:
        """Return a message that contains the frame."""
        return [AppMessage(SessionId(""), frame.decode())]

    def encode(self, event: Event) -> list[bytes | CloseFrame]:
        """Return the frame that the event contains; the event is a message."""
        return [event.content.encode()] if isinstance(event, ForwardedMessage) else []


class NamedDialect(PlainDialect):
    """A `PlainDialect` with a subprotocol."""

    subprotocol = "named.1"


def silent_log() -> CallLog:
    """Create a log of calls that writes nothing."""
    hub = Hub(Limits(), "signald/test", TicketSource(b"", lambda: 0.0))
    return CallLog(hub, Clock(), count(1))


@define
class RecordingSwitchboard:
    """A switchboard that records the calls that WebSockets make.

    Attributes:
        connections: the open connections, by peer.
        addresses: the address key of each peer, including closed connections.
        slow_starts: the peers whose connection starts slowly.
        offenders: the peers whose connection was closed for their misbehaviour.
        heard: every received frame with its peer, if the dialect is `PlainDialect`.
        malformed: the peer of each frame that held no request.
        closed_peers: the peers whose connection ended.
        fails: the names of the methods that raise an error when called.
        is_suspended: the function that a WebSocket calls before it decodes a frame.
        sent: how many events were sent; a test may raise it.
        decided: how many decisions were asked for; a test may raise it.
        calls: the log of connections, which writes nothing.

    """

    connections: dict[PeerId, SignalingProtocol] = field(factory=dict)
    addresses: dict[PeerId, AddressKey] = field(factory=dict)
    slow_starts: set[PeerId] = field(factory=set)
    offenders: set[PeerId] = field(factory=set)
    heard: list[tuple[PeerId, bytes]] = field(factory=list)
    malformed: list[PeerId] = field(factory=list)
    closed_peers: list[PeerId] = field(factory=list)
    fails: set[str] = field(factory=set)
    is_suspended: bool = False
    sent: int = 0
    decided: int = 0
    calls: CallLog = field(factory=silent_log)

    @property
    def as_switchboard(self) -> Switchboard:
        """The switchboard, typed as the `Switchboard` that a factory takes."""
        return cast(Switchboard, self)

    def add_connection(
        self, connection: Connection, address: AddressKey, traits: Traits, *, slow_start: bool = False
    ) -> PeerId:
        """Number the peers from 1."""
        self._maybe_fail("add_connection")
        peer = PeerId(len(self.addresses) + 1)
        self.connections[peer], self.addresses[peer] = cast(SignalingProtocol, connection), address
        if slow_start:
            self.slow_starts.add(peer)
        return peer

    def receive_requests(self, peer: PeerId, requests: Sequence[Request]) -> None:
        """Record the requests."""
        if requests:
            self._maybe_fail("receive_requests")
        self.heard += [(peer, request.content.encode()) for request in requests if isinstance(request, AppMessage)]

    def receive_malformed(self, peer: PeerId, error: DecodeError) -> None:
        """Record that a frame held no request."""
        self.malformed.append(peer)

    def fail_connection(self, peer: PeerId) -> None:
        """Fail the test: the dialects forward nothing directly."""
        raise AssertionError(peer)

    def remove_connection(self, peer: PeerId, code: int | None = None, *, offended: bool = False) -> None:
        """Record that the connection ended."""
        if offended:
            self.offenders.add(peer)
        del self.connections[peer]
        self.closed_peers.append(peer)
        self._maybe_fail("remove_connection")

    def _maybe_fail(self, what: str) -> None:
        if what in self.fails:
            raise ArithmeticError(what)
