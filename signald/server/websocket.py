"""The WebSocket of one client of the hub: its dialect, and its connection to the switchboard."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from twisted.logger import Logger

from signald.core.messages import Error, Event, IceError, Request, Welcome
from signald.core.users import PeerId
from signald.dialects.dialect import CloseFrame, DecodeError, Dialect
from signald.monitoring.metrics import FORWARDED
from signald.server.admitted_websocket import AdmittedProtocol
from signald.server.costs import DECISION_POINTS, END_POINTS, EVENT_POINTS, MALFORMED_POINTS

__all__ = ["SignalingProtocol"]

_log = Logger()


class SignalingProtocol(AdmittedProtocol):
    """One peer's WebSocket; the switchboard uses it as a `Connection`.

    Attributes:
        dialect: translates between this connection's frames and the hub's messages, once the connection is open.

    """

    dialect: Dialect
    _forwarded = 0
    """Messages that were forwarded directly in the present read."""

    _forwarding_since = 0.0
    """When the first of them was read, in monotonic seconds."""

    # Events out, requests in

    def send_event(self, event: Event) -> None:
        """Encode an event in the connection's dialect and send it; a closing connection sends nothing more."""
        metrics = self.port.metrics
        metrics.sent[type(event)] += 1
        if isinstance(event, Error):
            metrics.count_error(event.code)
            metrics.declined[event.about or type(None)] += 1
            self._log_refusal(event)
        elif type(event) is Welcome:
            self._log_welcome(event)
        if self.state != self.STATE_OPEN:
            return
        for frame in self.dialect.encode(event):
            if isinstance(frame, CloseFrame):
                self.close(frame.code, frame.reason)
                return
            self.send_text(frame)

    def _log_refusal(self, error: Error) -> None:
        calls = self.port.switchboard.calls
        if calls.is_detailed and self._peer is not None:
            calls.log_refusal(self._peer, self.address, error)

    def _log_welcome(self, welcome: Welcome) -> None:
        calls = self.port.switchboard.calls
        if calls.is_on and self._peer is not None:
            calls.log_welcome(self._peer, self.address, welcome)

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
            self.fail_after_exception()

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
            self._count_unknown_keys(peer, type(requests[0]))
        self._report_requests(peer, requests)
        for request in requests:
            class_ = type(request)
            metrics.received[class_] += 1
            if class_ in FORWARDED:
                metrics.forward.observe(port.clock.seconds() - began)
                if class_ is IceError and port.switchboard.calls.is_on:
                    port.switchboard.calls.log_ice_error(peer, self.address, cast(IceError, request))

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

    def _count_unknown_keys(self, peer: PeerId, class_: type[Request]) -> None:
        """Count the keys that the dialect ignored in a request, and log their number, but nothing of their text."""
        count, self.dialect.unknown_keys = self.dialect.unknown_keys, 0
        self.port.metrics.unknown_keys[class_] += count
        calls = self.port.switchboard.calls
        if calls.is_detailed:
            calls.log_unknown_keys(peer, self.address, class_, count)

    # Start and end

    def start_dialect(self) -> None:
        """Register with the switchboard, and report what the dialect says first."""
        self.dialect = cast(type[Dialect], self.dialect_class)()
        self._peer = self.port.switchboard.add_connection(
            self, self.address, self.dialect.traits, slow_start=self.slow_start
        )
        self.log_opened(self._peer)
        self._report_requests(self._peer, self.dialect.initial_requests())

    def leave_switchboard(self) -> None:
        """Tell the switchboard, once, that the connection ended."""
        peer, self._peer = self._peer, None
        if peer is None:
            return
        self.log_closed(peer)
        switchboard = self.port.switchboard
        sent, decided = switchboard.sent, switchboard.decided
        try:
            switchboard.remove_connection(peer, self.remoteCloseCode, offended=self.offended)
        except Exception:  # noqa: BLE001 # whatever it is, it ends one connection
            _log.failure("the end of a connection could not be reported to the switchboard", event="closing-failed")
        events, decisions = switchboard.sent - sent, switchboard.decided - decided
        self.charge_end(END_POINTS + events * EVENT_POINTS + decisions * DECISION_POINTS)
