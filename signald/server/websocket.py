"""One WebSocket: its opening handshake, its dialect, and its connection to the switchboard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from autobahn.websocket.types import ConnectionDeny, ConnectionRequest
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from signald.core.budgets import SLOW_START_BYTES
from signald.core.errors import ErrorCode, SignalError
from signald.core.limits import AddressKey
from signald.core.messages import Error, Event, Request
from signald.core.users import PeerId
from signald.dialects.dialect import CloseFrame, DecodeError, Dialect
from signald.monitoring.metrics import FORWARDED, message_label
from signald.net.proxies import client_address, is_trusted, peer_host
from signald.server.admission import AdmissionTicket, recent_key
from signald.server.compaction import drop_shared_attributes
from signald.server.costs import DECISION_POINTS, END_POINTS, EVENT_POINTS, MALFORMED_POINTS
from signald.server.frames import BoundedProtocol, close_code
from signald.server.plain_upgrade import PlainUpgrade, switching_protocols
from signald.server.port import SignalingPort
from signald.server.problems import last_response
from signald.server.upgrade_request import PATH, refusal, refusal_headers

__all__ = ["SignalingProtocol"]

OFFENCE_CODES = {1002, 1003, 1007, 1008, 1009}
"""Close codes (RFC 6455 §7.4.1) that blame the peer: its address is charged, and it itself where it resumes."""

_log = Logger()


class SignalingProtocol(BoundedProtocol):
    """One peer's WebSocket; the switchboard uses it as a `Connection`.

    Attributes:
        dialect: translates between this connection's frames and the hub's messages, once the connection is open.
        ticket: what the connection holds of the budgets.
        request_began: when the client began its request, in monotonic seconds.

    """

    dialect: Dialect
    _address: AddressKey
    _dialect_class: type[Dialect]
    _peer: PeerId | None = None
    _is_counted = False
    _slow_start = False
    _forwarded = 0
    """Messages that were forwarded directly in the present read."""

    _forwarding_since = 0.0
    """When the first of them was read, in monotonic seconds."""

    def __init__(self, port: SignalingPort, ticket: AdmissionTicket, request_began: float) -> None:
        super().__init__(port)
        self.ticket = ticket
        self.request_began = request_began

    # Events out, requests in

    def send_event(self, event: Event) -> None:
        """Encode an event in the connection's dialect and send it; a closing connection sends nothing more."""
        metrics = self.port.metrics
        metrics.sent[type(event)] += 1
        if isinstance(event, Error):
            metrics.count_error(event.code)
            metrics.declined[event.about or type(None)] += 1
        if self.state != self.STATE_OPEN:
            return
        for frame in self.dialect.encode(event):
            if isinstance(frame, CloseFrame):
                self.close(frame.code, frame.reason)
                return
            self.send_text(frame)

    def send_frames(self, frames: bytes) -> None:
        """Send whole frames, which the dialect has made; a closing connection sends nothing more."""
        if self.state == self.STATE_OPEN:
            self.port.metrics.bytes_out += len(frames)
            self._output.write(frames)

    def receive_message(self, payload: bytes, now: float) -> None:
        """Forward a message, or hand its requests to the switchboard; an exception ends this connection alone."""
        peer, port = self._peer, self.port
        if peer is None or port.switchboard.is_suspended:
            return
        try:
            message = self.dialect.read_direct(payload)
            sent = None if message is None else port.switchboard.forward(peer, message, port.batch, now)
            if message is None or sent is None:
                self.messages_received()
                self._receive_frame(peer, payload, now)
                return
            port.metrics.received[message.kind] += 1
            if not self._forwarded:
                self._forwarding_since = now
            self._forwarded += 1
            if sent > 1:
                self.charge((sent - 1) * EVENT_POINTS)
        except Exception:  # noqa: BLE001 # whatever it is, it ends one connection
            self._fail_after_exception()

    def messages_received(self) -> None:
        """Send what was forwarded directly, and note how long that took since the read."""
        if self._forwarded:
            port = self.port
            port.batch.flush()
            port.metrics.forward.observe(port.clock.seconds() - self._forwarding_since, self._forwarded)
            self._forwarded = 0

    def _receive_frame(self, peer: PeerId, frame: bytes, began: float) -> None:
        """Decode a frame and report its requests, or that it holds none; count them and time those that are forwarded.

        The time runs from the read until the switchboard has carried out what follows from the request.
        """
        port, metrics = self.port, self.port.metrics
        try:
            requests = self.dialect.decode(frame)
        except DecodeError as error:
            self.charge(MALFORMED_POINTS)
            metrics.malformed[error.about or type(None)] += 1
            port.switchboard.receive_malformed(peer, error)
            return
        if self.dialect.unknown_keys:
            self._count_unknown_keys(type(requests[0]))
        self._report_requests(peer, requests)
        for request in requests:
            metrics.received[type(request)] += 1
            if type(request) in FORWARDED:
                metrics.forward.observe(port.clock.seconds() - began)

    def _report_requests(self, peer: PeerId, requests: Iterable[Request]) -> None:
        """Hand requests to the switchboard, and charge the events and decisions that they brought about.

        What follows from a decision that takes time is nobody's charge: the check of a password or a webhook's answer.
        """
        switchboard = self.port.switchboard
        sent, decided = switchboard.sent, switchboard.decided
        switchboard.receive_requests(peer, requests)
        # The message's own points pay for one event.
        further = max(0, switchboard.sent - sent - 1)
        self.charge(further * EVENT_POINTS + (switchboard.decided - decided) * DECISION_POINTS)

    def _count_unknown_keys(self, class_: type[Request]) -> None:
        """Count the keys that the dialect ignored in a request, and log their number, but nothing of their text."""
        count, self.dialect.unknown_keys = self.dialect.unknown_keys, 0
        self.port.metrics.unknown_keys[class_] += count
        _log.debug(
            "{count} unknown keys were ignored in a message of type {type}",
            event="unknown-keys",
            count=count,
            type=message_label(class_),
        )

    # The opening handshake

    def onConnect(self, request: ConnectionRequest) -> tuple[str | None, dict[str, str]]:
        """Accept or refuse the client; returns the subprotocol, if any, and headers of the response.

        Raises:
            ConnectionDeny: the client is refused; an error's code stands in the place of the reason.

        """
        try:
            return self._choose_answer(request.path, request.headers, request.protocols)
        except SignalError as error:
            raise ConnectionDeny(error.code.http_status, error.code.value) from None

    def accept_upgrade(self, request: PlainUpgrade) -> None:
        """Accept or refuse a request that arrived as a plain upgrade, in place of Autobahn's own parser."""
        self.port.metrics.bytes_in += request.size
        # Autobahn's attribute, since what answers the request reads it there wherever the request was parsed.
        self.http_headers = request.headers
        try:
            subprotocol, headers = self._choose_answer(PATH, request.headers, request.subprotocols)
            self.sendData(switching_protocols(request.key, subprotocol, headers))
            self.start_open_state()
            self.onOpen()
        except SignalError as error:
            self.failHandshake(error.code.value)
        except Exception:  # noqa: BLE001 # whatever it is, it ends one connection
            _log.failure("a WebSocket could not be accepted", event="handshake-failed")
            self.dropConnection(abort=True)
        if self._share is not None:
            self.finish_turn(self._share)

    def _choose_answer(
        self, path: str, headers: Mapping[str, str], offered: Sequence[str]
    ) -> tuple[str | None, dict[str, str]]:
        """Admit a valid handshake; returns the subprotocol, if any, and headers of the response.

        Raises:
            SignalError: the handshake is refused.

        """
        try:
            self._dialect_class = self._admit(path, headers, offered)
        except SignalError:
            raise
        except Exception:  # noqa: BLE001 # whatever it is, it ends one connection
            _log.failure("a WebSocket could not be accepted", event="handshake-failed")
            raise SignalError(ErrorCode.INTERNAL_ERROR) from None
        return self._dialect_class.subprotocol, self._reflection_headers()

    def failHandshake(
        self, reason: str | None, code: int = 400, responseHeaders: Iterable[tuple[str, str]] | None = None
    ) -> None:
        """Answer a refused handshake with problem details that repeat nothing of the request."""
        error = refusal(reason, code, getattr(self, "websocket_origin", ""))
        self.port.metrics.count_error(error)
        headers = [*(responseHeaders or ()), *refusal_headers(error), *self._reflection_headers().items()]
        self.sendData(last_response(error, headers))
        self.dropConnection(abort=False)

    def onOpen(self) -> None:
        """Register the open WebSocket with the switchboard, and report what its dialect says first."""
        port = self.port
        self.join_share(port.rounds, self._address)
        self.start_pings()
        self.ticket.release_transport()
        drop_shared_attributes(self)
        port.metrics.count_opened(self._dialect_name, port.scheme)
        port.metrics.websocket_handshake.observe(port.clock.seconds() - self.request_began)
        self._is_counted = True
        try:
            self.dialect = self._dialect_class()
            self._peer = port.switchboard.add_connection(
                self, self._address, self.dialect.traits, slow_start=self._slow_start
            )
            self._report_requests(self._peer, self.dialect.initial_requests())
        except Exception:  # noqa: BLE001 # whatever it is, it ends one connection
            self._fail_after_exception()

    @property
    def _dialect_name(self) -> str:
        return self._dialect_class.__name__.lower()

    def _admit(self, path: str, headers: Mapping[str, str], offered: Sequence[str]) -> type[Dialect]:
        """Check a valid handshake by the port's rule and count the connection; returns its dialect.

        Raises:
            SignalError: the handshake is refused.

        """
        port = self.port
        if port.connections.is_draining:
            raise SignalError(ErrorCode.GOING_AWAY)
        dialect = port.rule.choose(path, headers, offered)
        forwarded_for, proxies = headers.get("x-forwarded-for"), port.admission.trusted_proxies
        self._address = recent_key(client_address(peer_host(self.transport.getPeer()), forwarded_for, proxies))
        now = port.clock.seconds()
        refused = self.ticket.admit_websocket(self._address, now)
        if refused is not None:
            raise SignalError(refused)
        self._slow_start = port.budget.has_offended(self._address, now)
        if self._slow_start:
            self._message_bytes.start_slowly(max(SLOW_START_BYTES, self.limits.message_bytes))
        if forwarded_for is not None and not is_trusted(peer_host(self.transport.getPeer()), proxies):
            port.rounds.traffic.note_forwarding(self._address)
        return dialect

    def _reflection_headers(self) -> dict[str, str]:
        """The headers of a response that tell the operator's own check what came through the proxies."""
        return self.port.reflection_headers(getattr(self, "http_headers", {}), self.transport)

    # Start and end of the transport

    def connectionMade(self) -> None:
        """Add the connection to those of the port."""
        super().connectionMade()
        self.port.connections.add(self)

    def close_for_drain(self) -> None:
        """Refuse the handshake, or start the closing handshake with 1012 (service restart)."""
        code = ErrorCode.GOING_AWAY
        if self.state == self.STATE_CONNECTING:
            self.failHandshake(code.value)
        else:
            self.close(close_code(code), code.value)

    def dropConnection(self, abort: bool = False) -> None:
        """Close the transport, and tell the switchboard without waiting for the transport's end."""
        super().dropConnection(abort)
        self._leave_switchboard()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the switchboard, and release what the connection holds of the budgets: the transport is closed."""
        super().connectionLost(reason)
        port = self.port
        if self._offended:
            self.ticket.charge_offence(port.clock.seconds())
        self._leave_switchboard()
        if self._is_counted:
            port.metrics.count_closed(self._dialect_name, port.scheme)
        self.ticket.release_all()
        port.connections.discard(self)

    @property
    def _offended(self) -> bool:
        """Whether the connection was closed for its peer's misbehaviour."""
        return self.localCloseCode in OFFENCE_CODES

    def _leave_switchboard(self) -> None:
        """Tell the switchboard, once, that the connection ended."""
        peer, self._peer = self._peer, None
        if peer is None:
            return
        switchboard = self.port.switchboard
        sent, decided = switchboard.sent, switchboard.decided
        try:
            switchboard.remove_connection(peer, self.remoteCloseCode, offended=self._offended)
        except Exception:  # noqa: BLE001 # whatever it is, it ends one connection
            _log.failure("the end of a connection could not be reported to the switchboard", event="closing-failed")
        events, decisions = switchboard.sent - sent, switchboard.decided - decided
        self.charge_end(END_POINTS + events * EVENT_POINTS + decisions * DECISION_POINTS)

    def _fail_after_exception(self) -> None:
        """Log the exception that is handled, and end this connection alone."""
        _log.failure("a connection is closed after an error in the server", event="connection-failed")
        self.fail_connection(ErrorCode.INTERNAL_ERROR)
