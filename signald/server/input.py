"""The socket's side of receiving: input is parsed in turn with the other connections of the client's address."""

from __future__ import annotations

from typing import Any

from autobahn.twisted.websocket import WebSocketServerProtocol
from twisted.logger import Logger

from signald.core.limits import AddressKey
from signald.server.costs import READ_POINTS
from signald.server.fairness import AddressShare, FairRounds

__all__ = ["FairProtocol"]

_PARSED_STATES = frozenset({WebSocketServerProtocol.STATE_OPEN, WebSocketServerProtocol.STATE_CLOSING})
"""States in which frames are parsed."""

_log = Logger()


class FairProtocol(WebSocketServerProtocol):
    """A WebSocket whose frames are parsed within the share of its client's address (`signald.server.fairness`).

    A connection whose address has no share left is not read from until its turn. Every connection that waits has a
    turn within a few rounds, so that its close frame, its pings and its disconnect are seen then.
    """

    transport: Any
    _share: AddressShare | None = None
    _points_given = 0
    """Points that this connection might spend when the parsing began."""

    _points_left = 0
    """Points that it may still spend; those that were spent are charged to the address when the parsing ends."""

    _has_input = False
    """Whether there is buffered input that was not parsed yet, and not only the beginning of a frame."""

    _is_waiting = False
    """Whether the connection waits for its turn; its transport is paused then."""

    def join_share(self, rounds: FairRounds, address: AddressKey) -> None:
        """Take turns with the other connections of an address from now on: the opening handshake is complete."""
        share = self._share = rounds.join(address, self)
        # These points pay for the frames that arrived together with the handshake.
        self._points_given = self._points_left = share.left if share.is_open else 0

    def leave_share(self) -> None:
        """Take no more turns: the transport is closed."""
        if self._share is not None:
            self._share.leave(self)

    def charge_end(self, points: int) -> None:
        """Charge the address for the end of this connection."""
        if self._share is not None:
            self._share.charge_end(points)

    def charge(self, points: int) -> None:
        """Spend points of this connection's turn."""
        self._points_left -= points

    def input_parsed(self) -> None:
        """Note that what was read is parsed, as far as the turn goes; a subclass may start a deadline."""

    def can_read(self) -> bool:
        """Whether the transport may be read from after a turn; a subclass may have stopped that for good."""
        return True

    def receive_in_turn(self, share: AddressShare, data: bytes) -> None:
        """Parse what was read within the share of the address, and have the rest wait for the connection's turn."""
        if self._is_waiting:
            # The transport is paused, but TLS had decrypted these already.
            self._keep_input(data)
            return
        if share.is_open:
            points = share.left
        elif share.take_paid_read(self):
            # One frame besides the read: the points that are left belong to the connections that wait.
            points = READ_POINTS + 1
        else:
            self._keep_input(data)
            self._pause_reading()
            share.postpone_read(self)
            return
        self._points_given = points
        self._points_left = points - READ_POINTS
        # Autobahn's dataReceived does the same, and counts bytes that nobody asks for.
        self.data += data
        self.consumeData()
        self.finish_turn(share)

    def receive_nothing(self) -> None:
        """Charge a read that brought a part of a TLS record, or none with plaintext; TLS's transport calls this."""
        share = self._share
        if share is None or self._is_waiting:
            return
        if self.state == self.STATE_OPEN:
            self.receive_in_turn(share, b"")
        else:
            share.charge(READ_POINTS)

    def finish_turn(self, share: AddressShare) -> None:
        """Charge the address for what was parsed, and have the rest wait; also after the opening handshake."""
        share.charge(self._points_given - self._points_left)
        self.input_parsed()
        # The charge pauses all connections of an address over its rate limit, so this one may wait already.
        if self._has_input and not self._is_waiting:
            self._wait_with_input(share)

    def consumeData(self) -> None:
        """Parse what is buffered, up to a frame that has to wait since the points are spent."""
        if self._share is None:
            super().consumeData()
            return
        while self.state in _PARSED_STATES:
            if self._points_left <= 0 and self.data and self.current_frame is None:
                self._has_input = True
                return
            if self.take_whole_messages():
                if not self.data:
                    return
            elif not self.processData():
                return

    def take_whole_messages(self) -> bool:
        """Handle the messages at the beginning of the buffered input that need no parser; whether there were any.

        A subclass may do that, as far as the points go, where the input is not inside a frame or a message.
        """
        return False

    # The methods of `WaitingConnection`

    def hold(self) -> bool:
        """Stop to read until the connection's turn; False if it waits for one already, or is closing."""
        if self._is_waiting or self.state != self.STATE_OPEN:
            return False
        self._pause_reading()
        return True

    def take_turn(self, share: AddressShare, others_wait: bool) -> bool:
        """Handle buffered input, or read again; returns whether another turn is wanted."""
        self._is_waiting = False
        if self._has_input:
            self._has_input = False
            # One message while others wait, so that each of them is soon served.
            self._points_given = self._points_left = 1 if others_wait else share.left
            try:
                self.consumeData()
            except Exception:  # noqa: BLE001 # whatever it is, it ends one connection, and the others have their turns
                _log.failure("a connection is closed after an error in the server", event="connection-failed")
                self.transport.abortConnection()
                return False
            share.charge(self._points_given - self._points_left)
            self.input_parsed()
            if self._is_waiting:
                # The charge has spent the address's rate limit, and holds all of its connections.
                return False
            self._is_waiting = self.state != self.STATE_CLOSED and (self._has_input or others_wait)
            if self._is_waiting:
                return True
        if self.can_read():
            # A closed connection is read from too: TLS's closing alert is to arrive, or the disconnect.
            self.transport.resumeProducing()
        return False

    def _wait_with_input(self, share: AddressShare) -> None:
        """Wait for a turn with the frames that were not parsed, since the points were spent before."""
        self._pause_reading()
        share.wait(self)

    def _keep_input(self, data: bytes) -> None:
        """Buffer what was read until the connection's turn."""
        self.data += data
        self._has_input = True

    def _pause_reading(self) -> None:
        """Stop to read until the connection's turn."""
        self._is_waiting = True
        self.transport.pauseProducing()
