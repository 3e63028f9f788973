"""The WebSocket of one client of the directory: its claim to an id, its dialect, and its directory switchboard."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import assert_never, cast

from attrs import define

from signald.auth.directory_access import DirectoryAccess
from signald.auth.token_claims import TokenError
from signald.core.directory_messages import (
    ClientJoined,
    ClientLeft,
    Delivered,
    DirectoryEvent,
    Envelope,
    EnvelopeKind,
    IdTaken,
    Registered,
    Rejected,
    Unreachable,
)
from signald.core.errors import ErrorCode, SignalError
from signald.core.message_sizes import utf8_length
from signald.core.messages import (
    Answer,
    AppMessage,
    Candidates,
    CountedEvent,
    Error,
    ForwardedAnswer,
    ForwardedCandidates,
    ForwardedMessage,
    ForwardedOffer,
    Hello,
    Leave,
    Left,
    MemberJoined,
    MemberLeft,
    Offer,
    Ping,
    Request,
    Welcome,
)
from signald.core.users import PeerId
from signald.dialects.dialect import DecodeError, Departure, DirectoryDialect, Heartbeat
from signald.server.admitted_websocket import AdmittedProtocol
from signald.server.costs import DECISION_POINTS, END_POINTS, EVENT_POINTS, MALFORMED_POINTS
from signald.server.directory_switchboard import DirectorySwitchboard
from signald.server.forward_batch import ForwardBatch
from signald.server.port import SignalingPort
from signald.server.upgrade_request import read_query

__all__ = ["DirectoryPort", "DirectoryProtocol"]

_REQUESTS: dict[EnvelopeKind, type[Request]] = {
    EnvelopeKind.OFFER: Offer,
    EnvelopeKind.ANSWER: Answer,
    EnvelopeKind.CANDIDATE: Candidates,
    EnvelopeKind.LEAVE: Leave,
    EnvelopeKind.EXPIRE: Leave,
    EnvelopeKind.MESSAGE: AppMessage,
}
"""The requests as which envelopes are counted, so that metrics have the same labels for every dialect."""

_EVENTS: dict[EnvelopeKind, type[CountedEvent]] = {
    EnvelopeKind.OFFER: ForwardedOffer,
    EnvelopeKind.ANSWER: ForwardedAnswer,
    EnvelopeKind.CANDIDATE: ForwardedCandidates,
    EnvelopeKind.LEAVE: MemberLeft,
    EnvelopeKind.EXPIRE: Left,
    EnvelopeKind.MESSAGE: ForwardedMessage,
}
"""The events as which they are counted where they are delivered."""

_ID_BYTES = 16
"""Random bytes of an id that the server chooses (RFC 9562 §5.4)."""


@define(kw_only=True, eq=False)
class DirectoryPort(SignalingPort):
    """The state that the WebSockets of the directory's clients share.

    Attributes:
        directory: receives their messages.
        access: decides who may have an id.
        random_bytes: returns so many random bytes, for the ids that the server chooses.

    """

    directory: DirectorySwitchboard
    access: DirectoryAccess
    random_bytes: Callable[[int], bytes]

    def __attrs_post_init__(self) -> None:
        """Have the directory's switchboard end the connections that cannot be written to."""
        super().__attrs_post_init__()
        self.batch = ForwardBatch(self.metrics, self.directory.fail_connection)

    def make_id(self) -> str:
        """Return a random UUID; that somebody else has it is less likely than a fault of the memory."""
        return str(uuid.UUID(bytes=self.random_bytes(_ID_BYTES), version=4))


class DirectoryProtocol(AdmittedProtocol):
    """One client's WebSocket; the directory's switchboard uses it as a `DirectoryConnection`.

    Attributes:
        port: the state that all WebSockets of the port share.
        dialect: translates between this connection's frames and the directory's messages, once the connection is open.

    """

    port: DirectoryPort
    dialect: DirectoryDialect
    _name = ""
    _query = ""
    _forwarded = 0
    """Messages that were forwarded at once in the present read."""

    _forwarding_since = 0.0
    """When the first of them was read, in monotonic seconds."""

    # Start and end

    def note_target(self, path: str, query: str) -> None:
        """Keep the target until the WebSocket is open: errors in it are told over the WebSocket alone."""
        self._name, self._query = path.rpartition("/")[2], query

    def start_dialect(self) -> None:
        """Have the directory register the client, or tell it why it gets no id."""
        port, directory = self.port, self.port.directory
        name, query, self._name, self._query = self._name, self._query, "", ""
        self.dialect = cast(type[DirectoryDialect], self.dialect_class)()
        peer = self._peer = directory.add_connection(self)
        self.log_opened(peer)
        port.metrics.received[Hello] += 1
        self.charge(DECISION_POINTS)
        try:
            claim = self.dialect.read_claim(name, read_query(query))
            if utf8_length(claim.token) > self.limits.token_bytes:
                raise SignalError(ErrorCode.TOKEN_TOO_LARGE)
            id = self.dialect.read_id(port.make_id() if claim.id is None else claim.id)
            registration = port.access.registration(id, claim, self.address, port.clock.seconds())
        except (DecodeError, SignalError) as error:
            if isinstance(error, TokenError) and port.switchboard.calls.is_on:
                port.switchboard.calls.log_token_refused(peer, self.address, error.code, error.mismatch)
            directory.reject(peer, error.code)
            return
        sent = directory.sent
        directory.register(peer, self.address, registration, slow_start=self.slow_start)
        # The decision's points pay for one event, and every other one goes to somebody in the room.
        self.charge(max(0, directory.sent - sent - 1) * EVENT_POINTS)

    def leave_switchboard(self) -> None:
        """Tell the directory's switchboard, once, that the connection ended."""
        peer, self._peer = self._peer, None
        if peer is not None:
            self.log_closed(peer)
            directory = self.port.directory
            sent = directory.sent
            directory.remove_connection(peer)
            self.charge_end(END_POINTS + (directory.sent - sent) * EVENT_POINTS)

    # Events out

    def send_directory_event(self, event: DirectoryEvent) -> None:
        """Encode an event and send it; a closing connection sends nothing more."""
        text = self.dialect.encode(event)
        if text is not None:
            self._count_event(event)
            self.send_text(text)

    def count_dropped(self) -> None:
        """Count a message of another client that was not sent, since too much waits."""
        self.port.metrics.count_limit_hit("output_bytes")

    def close_normally(self) -> None:
        """Start the closing handshake of a client that asked for it (RFC 6455 §7.4.1, 1000)."""
        self.close(1000, "")

    def send_frames(self, frames: bytes) -> None:
        """Send whole frames; a closing connection sends nothing more."""
        if self.state == self.STATE_OPEN:
            self.port.metrics.bytes_out += len(frames)
            self._output.write(frames)

    def _count_event(self, event: DirectoryEvent) -> None:
        metrics = self.port.metrics
        match event:
            case Delivered(kind=kind):
                metrics.sent[_EVENTS[kind]] += 1
            case Registered():
                metrics.sent[Welcome] += 1
            case ClientJoined():
                metrics.sent[MemberJoined] += 1
            case ClientLeft():
                metrics.sent[MemberLeft] += 1
            case Unreachable() | IdTaken() | Rejected():
                metrics.sent[Error] += 1
            case _ as never:
                assert_never(never)

    # Messages in

    def receive_message(self, payload: bytes, now: float) -> None:
        """Hand a message to the directory's switchboard; an exception ends this connection alone."""
        peer = self._peer
        if peer is None:
            return
        try:
            self._receive(peer, payload, now)
        except Exception:  # noqa: BLE001 # whatever it is, it ends one connection
            self.fail_after_exception()

    def messages_received(self) -> None:
        """Send what was forwarded at once, and note how long that took since the read."""
        if self._forwarded:
            port = self.port
            port.batch.flush()
            port.metrics.forward.observe(port.clock.seconds() - self._forwarding_since, self._forwarded)
            self._forwarded = 0

    def _receive(self, peer: PeerId, payload: bytes, now: float) -> None:
        """Forward an envelope, or report another message; one that means nothing shows that the client is alive."""
        port, directory = self.port, self.port.directory
        try:
            message = self.dialect.decode(payload)
        except DecodeError:
            self.charge(MALFORMED_POINTS)
            port.metrics.malformed[type(None)] += 1
            # It may be beyond the client's rate: what it sent before has to arrive before the news that it left.
            self.messages_received()
            directory.hear(peer)
            return
        match message:
            case Envelope(kind=kind):
                port.metrics.received[_REQUESTS[kind]] += 1
                if directory.forward_at_once(peer, message, _EVENTS[kind], port.batch, now):
                    if not self._forwarded:
                        self._forwarding_since = now
                    self._forwarded += 1
                else:
                    self.messages_received()
                    self.charge(EVENT_POINTS)
                    directory.forward(peer, message)
            case Heartbeat():
                port.metrics.received[Ping] += 1
                self.messages_received()
                directory.hear(peer)
            case Departure():
                port.metrics.received[Leave] += 1
                self.messages_received()
                directory.leave(peer)
            case _ as never:
                assert_never(never)
