"""One WebSocket: Autobahn's protocol with every bound set, and the switchboard behind it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.util import encode_truncate
from autobahn.websocket.types import ConnectionDeny, ConnectionRequest
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from signald.core.errors import ErrorCode, SignalError
from signald.core.limits import AddressKey, Limits, TokenBucket, address_key
from signald.core.users import PeerId
from signald.dialects.dialect import Dialect
from signald.net.proxies import client_address, peer_host
from signald.server.admission import AdmissionTicket
from signald.server.autobahn_options import Silence
from signald.server.output import BoundedOutput
from signald.server.problems import last_response
from signald.server.upgrade_request import refusal, refusal_headers

if TYPE_CHECKING:
    from signald.server.factory import SignalingFactory

__all__ = ["SignalingProtocol", "close_code"]

CLOSING_STEPS = 64
"""For a peer to get from what it is sending to its close frame; after that what it sends is not looked at any more."""

MOST_IGNORED = 131072
"""Bytes that a peer may send after that; then it is not read from any more, and soon cut off."""

CUT_OFF_SECONDS = 0.25
"""Until then, for it to read why: what it has not read when it is cut off is lost."""

MESSAGES_AT_ONCE = 8
"""Of one connection that are heard when they come together; of more one in each round of the reactor: others have their
turn."""

MESSAGE_BYTES = 8192
"""For so many of its bytes a message counts as one more of those: it takes as long to decode."""

OFFENCES = {1002, 1003, 1007, 1008, 1009}
"""Close codes (RFC 6455 §7.4.1) that blame the peer."""

HANDSHAKE_BYTES = 16384
"""The most that an opening handshake may have; `twisted.web` bounds its requests likewise."""

_TEXT = 1
"""The opcode of a text frame (RFC 6455 §11.8)."""

_log = Logger()


class SignalingProtocol(WebSocketServerProtocol):
    """One peer's WebSocket; to the switchboard it is a `Connection`.

    Attributes:
        binary_messages: whether binary messages are taken; no dialect has any.
        ticket: what it holds of the budgets.
        began: when the client began to ask for it, monotonic seconds.
        limits: its bounds; those of the server may change, and it was told these.

    """

    CONFIG_ATTRS: list[str] = []  # noqa: RUF012 # Autobahn says so; nobody adds to it
    """The factory sets them: Autobahn makes a text of them for each connection, which nobody reads, in 0.12 ms."""

    binary_messages: ClassVar[bool] = False
    log = Silence()
    factory: SignalingFactory
    ticket: AdmissionTicket
    began: float
    limits: Limits
    transport: Any

    _output: BoundedOutput
    _address: AddressKey
    _dialect: type[Dialect]
    _peer: PeerId | None = None
    _counted = False
    _control: TokenBucket
    _bytes: TokenBucket
    _fragments = 0
    _closing_steps = 0
    _ignored = 0
    _may_hear = 0
    _next_turn: IDelayedCall | None = None
    _cut_off: IDelayedCall | None = None
    _message_deadline: IDelayedCall | None = None

    @property
    def waiting_bytes(self) -> int:
        """Output that the peer has not taken, without what the transport buffers."""
        return self._output.waiting_bytes

    # What the switchboard calls

    def send(self, frame: bytes) -> None:
        """Send a text message; nothing once the connection is closing."""
        if self.state == self.STATE_OPEN:
            # Not sendMessage: it raises for what is longer than an incoming message may be.
            self.sendFrame(opcode=_TEXT, payload=frame)

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake (RFC 6455 §7.1.2); without an answer the connection is aborted."""
        # Not sendClose: it takes no code below 3000 but 1000. RFC 6455 §5.5: a control frame has at most 125 bytes.
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code=code, reasonUtf8=encode_truncate(reason, 123))

    @property
    def is_silent(self) -> bool:
        """Whether it has got everything that was sent to it, a close frame last, and only its own is waited for."""
        return self.state in (self.STATE_CLOSING, self.STATE_CLOSED) and self._output.is_sent

    # The transport

    def connectionMade(self) -> None:
        """Bound the output before anything is written."""
        factory = self.factory
        limits = self.limits = factory.limits
        self._output = BoundedOutput(
            self.transport, factory.clock, limits.output_bytes, limits.output_seconds, self._unread
        )
        now = factory.clock.seconds()
        self._control = TokenBucket.full(limits.control_rate, limits.control_burst, now)
        # One message of the largest size is always possible.
        burst = max(limits.message_byte_burst, limits.message_bytes)
        self._bytes = TokenBucket.full(limits.message_byte_rate, burst, now)
        factory.connections.add(self)
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        """Take bytes; a message whose end is not among them has its deadline from now on."""
        if self.state == self.STATE_CLOSED:
            # Autobahn would keep it, and TLS goes on to deliver until the closing alert is answered.
            return
        self.factory.metrics.bytes_in += len(data)
        if self._next_turn is not None:
            # What TLS had decrypted already.
            self.data += data
            return
        if self.state == self.STATE_CONNECTING:
            self._handshake(data)
        else:
            self._may_hear = MESSAGES_AT_ONCE
            super().dataReceived(data)
        self._watch_message()

    def _watch_message(self) -> None:
        if self._message_deadline is None and self.state == self.STATE_OPEN and self.inside_message:
            self._message_deadline = self.factory.clock.callLater(self.limits.fragments_seconds, self._message_late)

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        """Send bytes, within the bounds of the output; Autobahn's chopping is for its tests alone."""
        self.factory.metrics.bytes_out += len(data)
        self._output.write(data)

    def dropConnection(self, abort: bool = False) -> None:
        """Close the transport: at once, or when everything is sent."""
        # Autobahn aborts after an orderly handshake too, and the reset would overtake the close frame.
        abort = abort and not self.wasClean
        if self.state != self.STATE_CLOSED:
            if abort:
                self._output.stop()
            else:
                self._output.finish()
        super().dropConnection(abort)
        self._gone()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The transport is gone: cancel what is pending and give back what was counted."""
        super().connectionLost(reason)
        if self.closeHandshakeTimeoutCall is not None:
            # The only one of its calls that Autobahn forgets, and with it this whole object for seconds.
            self.closeHandshakeTimeoutCall.cancel()
            self.closeHandshakeTimeoutCall = None
        for call in (self._next_turn, self._cut_off):
            if call is not None and call.active():
                call.cancel()
        self._next_turn = self._cut_off = None
        if self.localCloseCode in OFFENCES:
            self.ticket.offended(self.factory.clock.seconds())
        self._output.stop()
        self._end_message()
        self._gone()
        if self._counted:
            factory = self.factory
            factory.metrics.count_closed(self._dialect_name, factory.scheme)
        self.ticket.leave()
        self.factory.lost(self)

    # The opening handshake

    def onConnect(self, request: ConnectionRequest) -> tuple[str | None, dict[str, str]]:
        """Accept the client or refuse it; the subprotocol that is spoken, if any, and headers of the answer.

        Raises:
            ConnectionDeny: it is refused, with an error's code in the place of the reason.

        """
        try:
            self._dialect = self._accept(request)
        except SignalError as error:
            raise ConnectionDeny(error.code.http_status, error.code.value) from None
        except Exception:  # noqa: BLE001 # whatever it is, it ends one connection
            _log.failure("a WebSocket could not be accepted", event="handshake-failed")
            raise ConnectionDeny(500, ErrorCode.INTERNAL_ERROR.value) from None
        return self._dialect.subprotocol, self._reflection()

    def failHandshake(
        self, reason: str | None, code: int = 400, responseHeaders: Iterable[tuple[str, str]] | None = None
    ) -> None:
        """Answer a refused handshake with problem details, and nothing of what the client said."""
        error = refusal(reason, code, getattr(self, "websocket_origin", ""))
        self.factory.metrics.count_error(error)
        self.sendData(
            last_response(error, [*(responseHeaders or ()), *refusal_headers(error), *self._reflection().items()])
        )
        self.dropConnection(abort=False)

    def onOpen(self) -> None:
        """Tell the switchboard."""
        self.ticket.settle()
        # Kept for Autobahn's own tests, they would be the largest part of an idle connection.
        self.http_headers = {}
        self.http_request_data, self.http_response_data = b"", ""
        factory = self.factory
        factory.metrics.count_opened(self._dialect_name, factory.scheme)
        factory.metrics.websocket_handshake.observe(factory.clock.seconds() - self.began)
        self._counted = True
        try:
            self._peer = factory.switchboard.opened(self, self._dialect(), self._address)
        except Exception:  # noqa: BLE001 # whatever it is, it ends one connection
            self._failed()

    def onOpenHandshakeTimeout(self) -> None:
        """The opening handshake is late: abort, which is counted."""
        if self.state == self.STATE_CONNECTING:
            self.factory.metrics.count_limit_hit("header_seconds")
        super().onOpenHandshakeTimeout()

    def onAutoPingTimeout(self) -> None:
        """The peer does not answer: it is gone without a word, which is counted."""
        self.factory.metrics.count_limit_hit("pong_seconds")
        super().onAutoPingTimeout()

    # Messages

    def onMessageBegin(self, isBinary: bool) -> None:
        """Begin to count the message's pieces."""
        self._fragments = 0
        super().onMessageBegin(isBinary)
        if isBinary and not self.binary_messages:
            self._refuse(ErrorCode.UNSUPPORTED_DATA)

    def onMessageFrameBegin(self, length: int) -> None:
        """Refuse what is too long, comes in too many pieces, or is one too many, at the frame's header."""
        limits = self.limits
        self._fragments += 1
        if self.message_data_total_length + length > limits.message_bytes:
            self._refuse(ErrorCode.MESSAGE_TOO_LARGE)
        elif self._fragments > limits.fragments:
            self._refuse(ErrorCode.TOO_MANY_FRAGMENTS)
        elif not self._bytes.take(self.factory.clock.seconds(), length):
            self._refuse(ErrorCode.TOO_MANY_BYTES)
        super().onMessageFrameBegin(length)

    def processData(self) -> bool:
        """Take a step: a frame's header, or what there is of its payload; once closing, few more to find the answer."""
        if self.state == self.STATE_CLOSING:
            self._closing_steps += 1
            if self._closing_steps > CLOSING_STEPS:
                self._ignore()
                return False
        elif self._may_hear <= 0 and self.data:
            self.transport.pauseProducing()
            self._next_turn = self.factory.clock.callLater(0, self._take_turn)
            return False
        return super().processData()

    def onFrameData(self, payload: bytes) -> bool | None:
        """Keep nothing of what follows a failure: Autobahn goes on, and a control frame of any length would be kept."""
        return None if self.failedByMe else super().onFrameData(payload)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Hand a whole message to the switchboard; after a close nothing is heard any more."""
        self._may_hear -= 1 + len(payload) // MESSAGE_BYTES
        self._end_message()
        if self._peer is None or self.state != self.STATE_OPEN:
            return
        try:
            self.factory.switchboard.received(self._peer, payload)
        except Exception:  # noqa: BLE001 # whatever it is, it ends one connection
            self._failed()

    def onPing(self, payload: bytes) -> None:
        """Answer within the budget of control frames."""
        if self._may_control():
            super().onPing(payload)

    def onPong(self, payload: bytes) -> None:
        """Count it; whether it answers a ping of ours is Autobahn's business."""
        self._may_control()

    # Details

    @property
    def _dialect_name(self) -> str:
        return self._dialect.__name__.lower()

    def _ignore(self) -> None:
        """Let go what came; a peer that goes on is cut off.

        At first it is still read from: nobody would otherwise notice that it has gone, and its connection would be kept
        until the closing handshake is late.
        """
        self._ignored += len(self.data)
        self.data = b""
        if self._ignored > MOST_IGNORED and self._cut_off is None:
            self.transport.pauseProducing()
            self._cut_off = self.factory.clock.callLater(CUT_OFF_SECONDS, self.dropConnection, abort=True)

    def _take_turn(self) -> None:
        """Go on with what was received, and when that is done with what is to come."""
        self._next_turn = None
        self._may_hear = 1
        self.consumeData()
        self._watch_message()
        if self._next_turn is None and self._cut_off is None and self.state != self.STATE_CLOSED:
            self.transport.resumeProducing()

    def _handshake(self, data: bytes) -> None:
        """Take bytes of the opening handshake; whatever they are, no exception leaves."""
        if len(self.data) + len(data) > HANDSHAKE_BYTES:
            self.failHandshake(ErrorCode.BAD_REQUEST.value)
            return
        try:
            super().dataReceived(data)
        except Exception:  # noqa: BLE001 # whatever it is, it ends one connection
            _log.failure("an opening handshake could not be read", event="handshake-unreadable")
            self.dropConnection(abort=True)

    def _accept(self, request: ConnectionRequest) -> type[Dialect]:
        """Check a valid handshake and count the connection.

        Raises:
            SignalError: it is refused.

        """
        factory = self.factory
        if factory.draining:
            raise SignalError(ErrorCode.GOING_AWAY)
        dialect = factory.rule.choose(request.path, request.headers, request.protocols)
        forwarded_for, proxies = request.headers.get("x-forwarded-for"), factory.admission.trusted_proxies
        self._address = address_key(client_address(peer_host(self.transport.getPeer()), forwarded_for, proxies))
        refused = self.ticket.admit(self._address, factory.clock.seconds())
        if refused is not None:
            raise SignalError(refused)
        return dialect

    def _reflection(self) -> dict[str, str]:
        """What the answer tells the operator's own check of what came through the proxies; nothing to others."""
        return self.factory.reflection(getattr(self, "http_headers", {}), self.transport)

    def _may_control(self) -> bool:
        """Whether one more control frame is within its budget; if not, the connection is closed."""
        if self._control.take(self.factory.clock.seconds()):
            return True
        self._refuse(ErrorCode.TOO_MANY_CONTROL_FRAMES)
        return False

    def _refuse(self, code: ErrorCode) -> None:
        """Close because of what the peer did: nothing that follows is kept (RFC 6455 §7.1.7)."""
        self.factory.metrics.count_error(code)
        self.close(close_code(code), code.value)
        self.failedByMe = True

    def _failed(self) -> None:
        """Something of ours raised: log it once, and end this connection alone."""
        _log.failure("a connection is closed after an error in the server", event="connection-failed")
        self._refuse(ErrorCode.INTERNAL_ERROR)

    def _unread(self, limit: str) -> None:
        """The peer does not read: nothing can be told to it, so abort, which waits for nothing."""
        self.factory.metrics.count_limit_hit(limit)
        self.dropConnection(abort=True)
        # Once more, for a connection that was dropped already and does not get rid of its last bytes.
        self.transport.abortConnection()

    def _message_late(self) -> None:
        self._message_deadline = None
        self._refuse(ErrorCode.SLOW_MESSAGE)

    def _end_message(self) -> None:
        if self._message_deadline is not None:
            self._message_deadline.cancel()
            self._message_deadline = None

    def _gone(self) -> None:
        """Tell the switchboard, once."""
        peer, self._peer = self._peer, None
        if peer is None:
            return
        try:
            self.factory.switchboard.closed(peer, self.remoteCloseCode)
        except Exception:  # noqa: BLE001 # whatever it is, it ends one connection
            _log.failure("a closed connection could not be told to the switchboard", event="closing-failed")


def close_code(code: ErrorCode) -> int:
    """The close code of an error; a policy violation (RFC 6455 §7.4.1) for one that usually ends nothing."""
    return 1008 if code.close_code is None else code.close_code
