"""Autobahn's server protocol with every bound enforced: sizes, rates, deadlines, fairness, and output that waits."""

from __future__ import annotations

from typing import Any, ClassVar

from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.util import encode_truncate
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from signald.core.errors import ErrorCode
from signald.core.limits import Limits, TokenBucket
from signald.server.autobahn_options import Silence
from signald.server.output import MAX_DISCARDED_BYTES, OutputQueue
from signald.server.port import SignalingPort

__all__ = ["BoundedProtocol", "close_code"]

CLOSING_STEPS = 64
"""Parsing steps allowed after we sent a close frame, so that a peer in mid-message can still reach its own. Later input
is discarded."""

ABORT_SECONDS = 0.25
"""Seconds from the end of reading, after `MAX_DISCARDED_BYTES`, to the abort. In these the peer can read the close
frame: an abort discards what it has not read."""

MESSAGES_PER_READ = 8
"""Messages handled per read before yielding to the reactor; the rest are handled one per iteration, so that one peer
cannot starve the others."""

CHARGED_BYTES = 8192
"""A message is charged as one more for each so many of its bytes, since they take as long to decode."""

HANDSHAKE_BYTES = 16384
"""The greatest size of an opening handshake; `twisted.web` bounds its requests likewise."""

_TEXT = 1
"""The opcode of a text frame (RFC 6455 §11.8)."""

_log = Logger()


class BoundedProtocol(WebSocketServerProtocol):
    """A WebSocket that keeps the limits of its port; what its messages mean is left to a subclass.

    Attributes:
        port: the state that all WebSockets of the port share.
        binary_messages: whether binary messages are accepted; False for every dialect, True in the conformance tests.
        limits: the bounds of this connection; a reload leaves them as they are, since the client was told these.

    """

    CONFIG_ATTRS: list[str] = []  # noqa: RUF012 # Autobahn declares it so, and nobody adds to it
    """Empty, since the factory sets the options: Autobahn would format them for a log line, in 0.12 ms a connection."""

    binary_messages: ClassVar[bool] = False
    log = Silence()
    limits: Limits
    transport: Any

    _output: OutputQueue
    _control_frames: TokenBucket
    _message_bytes: TokenBucket
    _fragments = 0
    _closing_steps = 0
    _discarded_bytes = 0
    _messages_left = 0
    _continuation: IDelayedCall | None = None
    _abort_call: IDelayedCall | None = None
    _message_deadline: IDelayedCall | None = None

    def __init__(self, port: SignalingPort) -> None:
        super().__init__()
        self.port = port

    def receive_message(self, payload: bytes) -> None:
        """Handle a whole message; called while the connection is open.

        Raises:
            NotImplementedError: always, here.

        """
        raise NotImplementedError

    # Output

    @property
    def waiting_bytes(self) -> int:
        """Bytes of output that the peer has not taken, without those that the transport buffers."""
        return self._output.waiting_bytes

    @property
    def is_silent(self) -> bool:
        """Whether the peer has received everything up to our close frame, so that only its own is awaited."""
        return self.state in (self.STATE_CLOSING, self.STATE_CLOSED) and self._output.is_sent

    def send_text(self, payload: bytes) -> None:
        """Send a text message, valid UTF-8; a closing connection sends nothing more."""
        if self.state == self.STATE_OPEN:
            # Autobahn's sendMessage would raise for a message that is longer than an incoming one may be.
            self.sendFrame(opcode=_TEXT, payload=payload)

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

    def abort(self) -> None:
        """Drop the connection at once, without a closing handshake."""
        self.transport.abortConnection()

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        """Send bytes within the bounds of the output; Autobahn's chopping serves its own tests alone."""
        self.port.metrics.bytes_out += len(data)
        self._output.write(data)

    def _abort_stalled_reader(self, limit: str) -> None:
        """Abort, since the peer does not read and cannot be sent an error; `limit` is counted."""
        self.port.metrics.count_limit_hit(limit)
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
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        """Parse bytes; a message that is incomplete afterwards has its deadline from now on."""
        if self.state == self.STATE_CLOSED:
            # Autobahn would buffer them, and TLS delivers until its closing alert is answered.
            return
        self.port.metrics.bytes_in += len(data)
        if self._continuation is not None:
            # The transport is paused, but TLS had decrypted these already.
            self.data += data
            return
        if self.state == self.STATE_CONNECTING:
            self._receive_handshake(data)
        else:
            self._messages_left = MESSAGES_PER_READ
            super().dataReceived(data)
        self._start_message_deadline()

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
        super().connectionLost(reason)
        if self.closeHandshakeTimeoutCall is not None:
            # Autobahn forgets this one of its calls, which would keep the whole object alive for seconds.
            self.closeHandshakeTimeoutCall.cancel()
            self.closeHandshakeTimeoutCall = None
        for call in (self._continuation, self._abort_call):
            if call is not None and call.active():
                call.cancel()
        self._continuation = self._abort_call = None
        self._output.stop()
        self._cancel_message_deadline()

    # The opening handshake, and pings

    def onOpenHandshakeTimeout(self) -> None:
        """Count that the opening handshake took too long; Autobahn aborts."""
        if self.state == self.STATE_CONNECTING:
            self.port.metrics.count_limit_hit("header_seconds")
        super().onOpenHandshakeTimeout()

    def onAutoPingTimeout(self) -> None:
        """Count that the peer answers no ping; Autobahn aborts."""
        self.port.metrics.count_limit_hit("pong_seconds")
        super().onAutoPingTimeout()

    def _receive_handshake(self, data: bytes) -> None:
        """Parse bytes of the opening handshake; an exception ends this connection alone."""
        if len(self.data) + len(data) > HANDSHAKE_BYTES:
            self.failHandshake(ErrorCode.BAD_REQUEST.value)
            return
        try:
            super().dataReceived(data)
        except Exception:  # noqa: BLE001 # whatever it is, it ends one connection
            _log.failure("an opening handshake could not be read", event="handshake-unreadable")
            self.dropConnection(abort=True)

    def onPing(self, payload: bytes) -> None:
        """Answer within the rate limit of control frames."""
        if self._take_control_frame():
            super().onPing(payload)

    def onPong(self, payload: bytes) -> None:
        """Charge the pong; Autobahn checks by itself whether it answers a ping of ours."""
        self._take_control_frame()

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
        """Charge a whole message, and handle it while the connection is open."""
        self._messages_left -= 1 + len(payload) // CHARGED_BYTES
        self._cancel_message_deadline()
        if self.state == self.STATE_OPEN:
            self.receive_message(payload)

    def processData(self) -> bool:
        """Parse one step: a frame's header, or what has arrived of its payload; False where there is none to take."""
        if self.state == self.STATE_CLOSING:
            self._closing_steps += 1
            if self._closing_steps > CLOSING_STEPS:
                self._discard_input()
                return False
        elif self._messages_left <= 0 and self.data:
            self.transport.pauseProducing()
            self._continuation = self.port.clock.callLater(0, self._continue_input)
            return False
        return super().processData()

    def _continue_input(self) -> None:
        """Handle one more message of what was buffered, and read again when the buffer is empty."""
        self._continuation = None
        self._messages_left = 1
        self.consumeData()
        self._start_message_deadline()
        if self._continuation is None and self._abort_call is None and self.state != self.STATE_CLOSED:
            self.transport.resumeProducing()

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

    def _start_message_deadline(self) -> None:
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
