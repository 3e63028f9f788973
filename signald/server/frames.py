"""Autobahn's server protocol with every bound enforced: sizes, rates, deadlines, fairness, and output that waits."""

from __future__ import annotations

from typing import ClassVar

from autobahn.util import encode_truncate
from autobahn.websocket.protocol import WebSocketProtocol
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from signald.core.errors import ErrorCode
from signald.core.limits import Limits, TokenBucket
from signald.server.autobahn_options import Silence
from signald.server.costs import BYTES_PER_POINT, COUNTED_BYTES, FRAME_POINTS, READ_POINTS, element_points
from signald.server.fairness import AddressShare
from signald.server.input import FairProtocol
from signald.server.output import MAX_DISCARDED_BYTES, OutputQueue
from signald.server.pings import PING_FRAME, PingedConnection, Pings
from signald.server.port import SignalingPort
from signald.server.text_frames import read_text_frame, text_frame

__all__ = ["BoundedProtocol", "close_code"]

CLOSING_STEPS = 64
"""Parsing steps allowed after we sent a close frame, so that a peer in mid-message can still reach its own. Later input
is discarded."""

ABORT_SECONDS = 0.25
"""Seconds from the end of reading, after `MAX_DISCARDED_BYTES`, to the abort. In these the peer can read the close
frame: an abort discards what it has not read."""

CLOSING_STEP_POINTS = 1
"""Points (`signald.server.fairness`) of each parsing step after we sent a close frame."""

HANDSHAKE_BYTES = 16384
"""The greatest size of an opening handshake; `twisted.web` bounds its requests likewise."""

_PONG = b"\x8a\x80"
"""How the answer to `PING_FRAME` begins: FIN and opcode 10, masked, length 0 (RFC 6455 §5.2)."""

_PONG_BYTES = 6
"""The size of that answer: its masking key follows."""

_log = Logger()


class BoundedProtocol(FairProtocol):
    """A WebSocket that keeps the limits of its port; what its messages mean is left to a subclass.

    Attributes:
        port: the state that all WebSockets of the port share.
        binary_messages: whether binary messages are accepted; False for every dialect, True in the conformance tests.
        limits: the bounds of this connection; a reload leaves them as they are, since the client was told these.
        aborted_for: the limit for which the connection was aborted without a close frame; empty for none.

    """

    CONFIG_ATTRS: list[str] = []  # noqa: RUF012 # Autobahn declares it so, and nobody adds to it
    """Empty, since the factory sets the options: Autobahn would format them for a log line, in 0.12 ms a connection."""

    websocket_version = 13
    """The one version that is accepted (RFC 6455 §4.1); Autobahn reads it where it has not parsed the request."""

    binary_messages: ClassVar[bool] = False
    log = Silence()
    limits: Limits
    aborted_for = ""
    openHandshakeTimeout: float

    heard_at: float
    silent_since: float
    ping_slot = -1
    pong_due: float | None = None
    _pings: Pings[PingedConnection] | None = None

    _output: OutputQueue
    _control_frames: TokenBucket
    _message_bytes: TokenBucket
    _fragments = 0
    _closing_steps = 0
    _discarded_bytes = 0
    _abort_call: IDelayedCall | None = None
    _message_deadline: IDelayedCall | None = None

    def __init__(self, port: SignalingPort) -> None:
        super().__init__()
        self.port = port

    def receive_message(self, payload: bytes, now: float) -> None:
        """Handle a whole message; called while the connection is open.

        Arguments:
            payload: the message.
            now: when it was read, monotonic seconds.

        Raises:
            NotImplementedError: always, here.

        """
        raise NotImplementedError

    def messages_received(self) -> None:
        """Note that the messages which one read brought were received; a subclass may send what it has gathered."""

    # Output

    @property
    def waiting_bytes(self) -> int:
        """Bytes of output that the peer has not taken, without those that the transport buffers."""
        return self._output.waiting_bytes

    @property
    def is_half_full(self) -> bool:
        """Whether the peer has not taken more than half of the output that may wait for it."""
        return self._output.is_half_full

    @property
    def is_silent(self) -> bool:
        """Whether the peer has received everything up to our close frame, so that only its own is awaited."""
        return self.state in (self.STATE_CLOSING, self.STATE_CLOSED) and self._output.is_sent

    def send_text(self, payload: bytes) -> None:
        """Send a text message, valid UTF-8; a closing connection sends nothing more."""
        if self.state == self.STATE_OPEN:
            self.sendData(text_frame(payload))

    def close(self, code: int, reason: str) -> None:
        """Start the closing handshake (RFC 6455 §7.1.2); without an answer the connection is aborted."""
        # sendClose takes no code below 3000 but 1000. A control frame has at most 125 bytes (RFC 6455 §5.5).
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code=code, reasonUtf8=encode_truncate(reason, 123))

    def close_for_error(self, code: ErrorCode) -> None:
        """Start the closing handshake with an error's close code, and count the error."""
        self.port.metrics.count_error(code)
        self.close(close_code(code), code.value)

    def fail_connection(self, code: ErrorCode) -> None:
        """Close because of an error, and keep nothing of what follows (RFC 6455 §7.1.7)."""
        self.close_for_error(code)
        self.failedByMe = True
        # The peer may take seconds to answer the close frame, and what arrived of its message is of no use meanwhile.
        self.message_data = []

    def abort(self) -> None:
        """Drop the connection at once, without a closing handshake."""
        self.transport.abortConnection()

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        """Send bytes within the bounds of the output; Autobahn's chopping serves its own tests alone."""
        self.port.metrics.bytes_out += len(data)
        self._output.write(data)

    def _abort_stalled_reader(self, limit: str) -> None:
        """Abort, since the peer does not read and cannot be sent an error; `limit` is counted."""
        self._note_limit(limit)
        self.dropConnection(abort=True)
        # A connection that was dropped in an orderly way before, and cannot send its last bytes, is still open.
        self.transport.abortConnection()

    # The transport

    def connectionMade(self) -> None:
        """Set the bounds up before anything is read or written."""
        port = self.port
        limits = self.limits = port.limits
        self._output = OutputQueue(
            self.transport, port.clock, limits.output_bytes, limits.output_seconds, self._abort_stalled_reader
        )
        now = port.clock.seconds()
        self._control_frames = TokenBucket.full(limits.control_rate, limits.control_burst, now)
        # One message of the greatest size is always possible.
        burst = max(limits.message_byte_burst, limits.message_bytes)
        self._message_bytes = TokenBucket.full(limits.message_byte_rate, burst, now)
        if port.bare:
            # On the page's port the HTTP channel has done so.
            self.transport.setTcpNoDelay(True)
        # Not the method of Autobahn's adapter to Twisted, which looks for a certificate of the client, and formats a
        # line for the log in 30 µs.
        WebSocketProtocol._connectionMade(self)

    def dataReceived(self, data: bytes) -> None:
        """Parse bytes, in turn with the other connections of the address once the WebSocket is open."""
        if self.state == self.STATE_CLOSED:
            # Autobahn would buffer them, and TLS delivers until its closing alert is answered, for `output-seconds`.
            self._discarded_bytes += len(data)
            if self._discarded_bytes > MAX_DISCARDED_BYTES:
                self.transport.abortConnection()
            return
        self.port.metrics.bytes_in += len(data)
        self.heard_at = self.port.clock.seconds()
        if self._closing_steps > CLOSING_STEPS:
            self.data += data
            self._discard_input()
        elif self._share is not None:
            if len(data) != _PONG_BYTES or not data.startswith(_PONG) or not self._receive_pong(self._share):
                self.receive_in_turn(self._share, data)
        else:
            self._receive_handshake(data)

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

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Cancel what is pending: the transport is closed."""
        # Not the methods of Autobahn's adapter and server, which format lines for the log in 20 µs.
        WebSocketProtocol._connectionLost(self, reason)  # type: ignore[arg-type] # it takes a Failure
        if self.closeHandshakeTimeoutCall is not None:
            # Autobahn forgets this one of its calls, which would keep the whole object alive for seconds.
            self.closeHandshakeTimeoutCall.cancel()
            self.closeHandshakeTimeoutCall = None
        if self._abort_call is not None and self._abort_call.active():
            self._abort_call.cancel()
        self._abort_call = None
        self.leave_share()
        if self._pings is not None:
            self._pings.forget(self)
        self._output.stop()
        self._cancel_message_deadline()

    # The opening handshake

    def start_open_state(self) -> None:
        """Parse frames from now on: the response to an opening handshake that Autobahn has not parsed is sent."""
        self.state = self.STATE_OPEN
        self.inside_message = False
        self.current_frame = None  # type: ignore[assignment] # Autobahn too has None here between frames

    def onOpenHandshakeTimeout(self) -> None:
        """Count that the opening handshake took too long; Autobahn aborts."""
        if self.state == self.STATE_CONNECTING:
            self._note_limit("header_seconds")
        super().onOpenHandshakeTimeout()

    def _receive_handshake(self, data: bytes) -> None:
        """Parse bytes of the opening handshake; an exception ends this connection alone."""
        if len(self.data) + len(data) > HANDSHAKE_BYTES:
            self.failHandshake(ErrorCode.HEADERS_TOO_LARGE.value)
            return
        try:
            super().dataReceived(data)
        except Exception:  # noqa: BLE001 # whatever it is, it ends one connection
            _log.failure("an opening handshake could not be read", event="handshake-unreadable")
            self.dropConnection(abort=True)
            return
        if self._share is not None:
            self.finish_turn(self._share)

    # The methods of `PingedConnection`

    def start_pings(self) -> None:
        """Ping the peer whenever it is silent: the opening handshake is complete."""
        self._pings = self.port.pings
        self._pings.watch(self)

    @property
    def is_pingable(self) -> bool:
        """Whether the WebSocket is open; a closing one is aborted by Autobahn after `CLOSE_SECONDS`."""
        return self.state == self.STATE_OPEN

    @property
    def is_held(self) -> bool:
        """Whether the connection waits for the turn of its address, and is not read from until then."""
        return self._is_waiting

    def send_ping(self) -> None:
        """Send a ping, unless the connection closes."""
        if self.is_pingable:
            self.sendData(PING_FRAME)

    def abort_unanswered(self) -> None:
        """Abort, since the peer answers no ping, and count that."""
        self._note_limit("pong_seconds")
        self.dropConnection(abort=True)

    def _note_limit(self, limit: str) -> None:
        """Count a limit for which the connection is about to be aborted, and keep its configured name for the log."""
        self.port.metrics.count_limit_hit(limit)
        self.aborted_for = limit.replace("_", "-")

    # Control frames

    def onPing(self, payload: bytes) -> None:
        """Answer within the rate limit of control frames."""
        self.charge(FRAME_POINTS)
        if self._take_control_frame():
            super().onPing(payload)

    def onPong(self, payload: bytes) -> None:
        """Charge the pong; that it arrived shows that the peer lives, whichever ping it answers."""
        self.charge(FRAME_POINTS)
        self._take_control_frame()

    def _receive_pong(self, share: AddressShare) -> bool:
        """Charge a pong without a payload that came alone; False, and do nothing, if it has to wait for its turn.

        Of ten thousand silent connections some 500 pongs come in a second. A ping and its pong cost 90 µs where
        Autobahn parses the pong, and 69 µs here.
        """
        is_between_frames = self.current_frame is None and not self.data
        if not (share.is_open and is_between_frames and self.state == self.STATE_OPEN):
            return False
        share.charge(READ_POINTS + FRAME_POINTS)
        self._take_control_frame()
        return True

    def _take_control_frame(self) -> bool:
        """Whether one more control frame is within the rate limit; if not, the connection is closed."""
        if self._control_frames.take(self.port.clock.seconds()):
            return True
        self.fail_connection(ErrorCode.TOO_MANY_CONTROL_FRAMES)
        return False

    # Messages

    def onMessageBegin(self, isBinary: bool) -> None:
        """Start to count the message's fragments; refuse a binary message."""
        self._fragments = 0
        super().onMessageBegin(isBinary)
        if isBinary and not self.binary_messages:
            self.fail_connection(ErrorCode.UNSUPPORTED_DATA)

    def onMessageFrameBegin(self, length: int) -> None:
        """Refuse a message at the header of the frame that makes it too long, too fragmented or one too many."""
        limits = self.limits
        self._fragments += 1
        self._points_left -= FRAME_POINTS + length // BYTES_PER_POINT
        if self.message_data_total_length + length > limits.message_bytes:
            self.fail_connection(ErrorCode.MESSAGE_TOO_LARGE)
        elif self._fragments > limits.fragments:
            self.fail_connection(ErrorCode.TOO_MANY_FRAGMENTS)
        elif not self._message_bytes.take(self.port.clock.seconds(), length):
            self.fail_connection(ErrorCode.TOO_MANY_BYTES)
        super().onMessageFrameBegin(length)

    def onFrameData(self, payload: bytes) -> bool | None:
        """Keep no payload after a failure: Autobahn goes on, and would buffer a control frame of any length."""
        return None if self.failedByMe else super().onFrameData(payload)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Charge a whole message for its elements, and handle it while the connection is open."""
        if len(payload) >= COUNTED_BYTES:
            self.charge(element_points(payload))
        self._cancel_message_deadline()
        if self.state == self.STATE_OPEN:
            self.receive_message(payload, self.port.clock.seconds())
            self.messages_received()

    def take_whole_messages(self) -> bool:
        """Handle the whole text messages at the beginning of the buffered input, with the same bounds as all others.

        One that is beyond a bound is left to Autobahn, which gets to the refusal by its header.
        """
        if self.current_frame is not None or self.inside_message or self.state != self.STATE_OPEN:
            return False
        data, most, now, bucket = self.data, self.limits.message_bytes, self.port.clock.seconds(), self._message_bytes
        start, end = 0, len(data)
        try:
            while start < end and self._points_left > 0 and self.state == self.STATE_OPEN:
                frame = read_text_frame(data, start, most)
                if frame is None:
                    break
                payload, after = frame
                size = len(payload)
                if not bucket.take(now, size):
                    break
                start = after
                self._points_left -= FRAME_POINTS + size // BYTES_PER_POINT
                if size >= COUNTED_BYTES:
                    self._points_left -= element_points(payload)
                self.receive_message(payload, now)
        finally:
            if start:
                self.data = data[start:]
                self.messages_received()
        return start > 0

    def processData(self) -> bool:
        """Parse one step: a frame's header, or what has arrived of its payload; False where there is none to take."""
        if self.state == self.STATE_CLOSING:
            self.charge(CLOSING_STEP_POINTS)
            self._closing_steps += 1
            if self._closing_steps > CLOSING_STEPS:
                self._discard_input()
                return False
        return super().processData()

    def _discard_input(self) -> None:
        """Discard what has arrived, and abort a peer that keeps sending.

        The transport is read from at first: without that nobody would notice that the peer disconnects, and the
        connection would be kept until the closing handshake times out.
        """
        self._discarded_bytes += len(self.data)
        self.data = b""
        if self._discarded_bytes > MAX_DISCARDED_BYTES and self._abort_call is None:
            self.transport.pauseProducing()
            self._abort_call = self.port.clock.callLater(ABORT_SECONDS, self.dropConnection, abort=True)

    def can_read(self) -> bool:
        """Whether the transport may be read from: not after too much input was discarded."""
        return self._abort_call is None

    def input_parsed(self) -> None:
        """Start the deadline of a message that is incomplete."""
        if self._message_deadline is None and self.state == self.STATE_OPEN and self.inside_message:
            self._message_deadline = self.port.clock.callLater(self.limits.fragments_seconds, self._time_message_out)

    def _cancel_message_deadline(self) -> None:
        if self._message_deadline is not None:
            self._message_deadline.cancel()
            self._message_deadline = None

    def _time_message_out(self) -> None:
        self._message_deadline = None
        self.fail_connection(ErrorCode.SLOW_MESSAGE)


def close_code(code: ErrorCode) -> int:
    """The close code of an error; a policy violation (RFC 6455 §7.4.1) for an error that usually closes nothing."""
    return 1008 if code.close_code is None else code.close_code
