"""Turns of connections that speak HTTP: accepts, TLS handshakes and requests count against the address's share."""

from __future__ import annotations

from typing import Any

from signald.core.limits import AddressKey
from signald.server.costs import ACCEPT_POINTS, READ_POINTS, REQUEST_POINTS, TLS_HANDSHAKE_POINTS
from signald.server.fairness import AddressShare, FairRounds

__all__ = ["RequestTurns"]


class RequestTurns:
    """A connection that has not become a WebSocket, and takes turns with the others of its address.

    It is read from for the first time, which begins a TLS handshake, when its address has points left in the round. A
    trusted proxy's connections take no turns before it has named the client, since it speaks for many.
    """

    transport: Any
    _share: AddressShare | None = None
    _entry_points = 0
    """Points that are charged with the first turn."""

    _unread = b""
    """What was read and has to wait for the connection's turn."""

    _is_waiting = False
    """Whether the connection waits for its turn."""

    _is_paused = False
    """Whether the transport is paused for that; also during a turn, until what was read before is parsed."""

    def receive_input(self, data: bytes) -> None:
        """Parse what was read; a subclass does this.

        Raises:
            NotImplementedError: always, here.

        """
        raise NotImplementedError

    def can_read(self) -> bool:
        """Whether reading goes on after a turn; a subclass returns False while it has paused reading itself."""
        return True

    def join_share(self, rounds: FairRounds, address: AddressKey, *, tls: bool) -> None:
        """Take turns with the other connections of an address from now on: the transport was accepted."""
        share = self._share = rounds.join(address, self)
        points = ACCEPT_POINTS + (TLS_HANDSHAKE_POINTS if tls else 0)
        if share.is_open:
            share.charge(points)
            return
        self._entry_points = points
        self._is_waiting = True
        self._pause_reading()
        share.wait(self)

    def leave_share(self) -> None:
        """Take no more turns: the transport is closed, or belongs to a WebSocket."""
        share, self._share = self._share, None
        if share is not None:
            share.leave(self)
            self._is_waiting = False
            self._resume_reading()

    def charge_request(self) -> None:
        """Charge the address for a request, whose headers are complete."""
        if self._share is not None:
            self._share.charge(REQUEST_POINTS)

    def dataReceived(self, data: bytes) -> None:
        """Parse what was read within the share of the address, or have it wait for the connection's turn."""
        share = self._share
        if share is None:
            self.receive_input(data)
        elif self._is_waiting:
            # TLS had decrypted these already, or a response has ended and Twisted reads for the next request.
            self._unread += data
            self._pause_reading()
        elif share.is_open or share.take_paid_read(self):
            share.charge(READ_POINTS)
            self._parse(data)
        else:
            self._unread += data
            self._is_waiting = True
            self._pause_reading()
            share.postpone_read(self)

    def receive_nothing(self) -> None:
        """Charge a read that brought a part of a handshake or of a TLS record; TLS's transport calls this."""
        share = self._share
        if share is None or self._is_waiting:
            return
        if share.is_open or share.take_paid_read(self):
            share.charge(READ_POINTS)
        else:
            self._is_waiting = True
            self._pause_reading()
            share.postpone_read(self)

    # The methods of `WaitingConnection`

    def hold(self) -> bool:
        """Stop to read until the connection's turn; False if it waits for one already, or its response is not read."""
        if self._is_waiting or not self.can_read():
            return False
        self._is_waiting = True
        self._pause_reading()
        return True

    def take_turn(self, share: AddressShare, others_wait: bool) -> bool:
        """Handle buffered input, and read again; another turn is never wanted, since input is parsed as a whole."""
        self._is_waiting = False
        points, self._entry_points = self._entry_points, 0
        data, self._unread = self._unread, b""
        if data:
            points += READ_POINTS
        share.charge(points)
        if data:
            self._parse(data)
        # A charge holds all connections of an address that has spent its rate limit.
        if not self._is_waiting and self.can_read():
            self._resume_reading()
        return False

    def _parse(self, data: bytes) -> None:
        self.receive_input(data)
        if self._is_waiting:
            # A charge has spent the rate limit; at the end of a response Twisted has resumed to read nevertheless.
            self._pause_reading()

    def _pause_reading(self) -> None:
        self._is_paused = True
        self.transport.pauseProducing()

    def _resume_reading(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self.transport.resumeProducing()
