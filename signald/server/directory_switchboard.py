"""Connects the directory to the world: reports facts about its clients with the time, and carries out its actions."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Protocol, assert_never

from attrs import define, evolve, field
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from signald.core.directory import Directory
from signald.core.directory_messages import (
    Delivered,
    DirectoryAction,
    DirectoryEvent,
    Disconnect,
    Envelope,
    Notify,
    Registration,
)
from signald.core.errors import ErrorCode
from signald.core.limits import AddressKey
from signald.core.messages import CountedEvent
from signald.core.snapshot import Snapshot
from signald.core.users import PeerId
from signald.server.forward_batch import ForwardBatch
from signald.server.intake import Intake, IntakeState

__all__ = ["DirectoryConnection", "DirectorySwitchboard"]

_HELD_MESSAGE_BYTES = 256
"""Bytes that a held message counts in addition to its text."""


class DirectoryConnection(Protocol):
    """A client's socket as the switchboard uses it."""

    @property
    def is_half_full(self) -> bool:
        """Whether the client has not taken more than half of the output that may wait for it."""

    @property
    def is_held(self) -> bool:
        """Whether the server does not read from the connection at present, so that its silence proves nothing."""

    def count_dropped(self) -> None:
        """Count a message of another client that was not sent, since too much waits."""

    def send_frames(self, frames: bytes) -> None:
        """Send whole frames; a closing connection sends nothing more."""

    def send_directory_event(self, event: DirectoryEvent) -> None:
        """Encode an event and send it; a closing connection sends nothing more."""

    def close_for_error(self, code: ErrorCode) -> None:
        """Start the closing handshake (RFC 6455 §7.1.2)."""

    def close_normally(self) -> None:
        """Start the closing handshake of a client that asked for it."""

    def abort(self) -> None:
        """Drop the connection at once, without a closing handshake."""


@define(eq=False)
class DirectorySwitchboard:
    """Maps the directory's clients to their connections, and carries out what the directory returns.

    While another process restores the state, messages between connected clients go on, since they change nothing; all
    else is held back with the facts about sessions.

    Attributes:
        directory: turns facts about clients into actions.
        clock: gives monotonic seconds.
        intake: holds facts back during a hand-over.
        numbers: numbers the connections of all kinds of clients, since the start of the process.
        sent: the events that were sent so far.

    """

    directory: Directory
    clock: IReactorTime
    intake: Intake
    numbers: Iterator[int] = field(factory=partial(count, 1))
    sent: int = field(init=False, default=0)
    _connections: dict[PeerId, DirectoryConnection] = field(init=False, factory=dict)
    _actions: deque[DirectoryAction] = field(init=False, factory=deque)
    _acting: bool = field(init=False, default=False)
    _log: Logger = field(init=False, factory=Logger)

    def add_connection(self, connection: DirectoryConnection) -> PeerId:
        """Add an open WebSocket; the returned id names it in the calls below."""
        peer = PeerId(next(self.numbers))
        self._connections[peer] = connection
        return peer

    def register(self, peer: PeerId, address: AddressKey, registration: Registration, *, slow_start: bool) -> None:
        """Have the directory give an id to a connection, or refuse it."""
        self._report(
            peer,
            lambda: self.directory.register(peer, address, registration, self.clock.seconds(), slow_start=slow_start),
        )

    def reject(self, peer: PeerId, code: ErrorCode) -> None:
        """Tell a new connection why it gets no id, and close it."""
        self._report(peer, lambda: self.directory.reject(peer, code))

    def forward_at_once(
        self, peer: PeerId, envelope: Envelope, kind: type[CountedEvent], batch: ForwardBatch, now: float
    ) -> bool:
        """Forward a message to a connected client; False, and do nothing, where the directory has to decide.

        Arguments:
            peer: the sender.
            envelope: the message.
            kind: the event as which it is counted.
            batch: gets the frame.
            now: monotonic seconds.

        """
        if self.intake.state is IntakeState.CLOSED or self._acting or peer not in self._connections:
            return False
        receiver = self.directory.peer_of(envelope.receiver, peer)
        connection = None if receiver is None else self._connections.get(receiver)
        if receiver is None or connection is None or not self.directory.charge(peer, now):
            return False
        if connection.is_half_full:
            connection.count_dropped()
            return True
        self.sent += 1
        batch.add(receiver, connection, envelope.frame, kind)
        return True

    def forward(self, peer: PeerId, envelope: Envelope) -> None:
        """Have the directory forward a message, or keep it for a while."""
        if self._has_room(peer, len(envelope.frame)):
            self._report(peer, lambda: self.directory.forward(peer, envelope, self.clock.seconds()))

    def hear(self, peer: PeerId) -> None:
        """Tell the directory that a client is alive; during a hand-over its message is not charged."""
        if self.intake.state is IntakeState.OPEN:
            self._report(peer, lambda: self.directory.hear(peer, self.clock.seconds()))
        elif self.intake.state is IntakeState.HELD:
            self.directory.note_alive(peer, self.clock.seconds())

    def leave(self, peer: PeerId) -> None:
        """Tell the directory that a client gives its id back."""
        if self._has_room(peer, 0):
            self._report(peer, lambda: self.directory.leave(peer, self.clock.seconds()))

    def remove_connection(self, peer: PeerId) -> None:
        """Tell the directory that a connection ended."""
        if self._connections.pop(peer, None) is not None:
            self.intake.receive(lambda: self._act(self.directory.disconnected(peer)))

    def fail_connection(self, peer: PeerId, *, can_close: bool = True) -> None:
        """Log the exception that is handled, and end the connection that it concerns.

        Arguments:
            peer: whose connection it is.
            can_close: whether a close frame can be sent; if not, or if that raises too, the connection is aborted.

        """
        self._log.failure("a connection is closed after an error in the server", event="connection-failed")
        connection = self._connections.get(peer)
        self.remove_connection(peer)
        if connection is None:
            return
        if can_close:
            with suppress(Exception):
                connection.close_for_error(ErrorCode.INTERNAL_ERROR)
                return
        with suppress(Exception):
            connection.abort()

    def tick(self) -> None:
        """Carry out what is due; to be called every second."""
        self._act(self.directory.tick(self.clock.seconds(), self._is_held))

    def add_records(self, snapshot: Snapshot) -> Snapshot:
        """Add the directory's clients and messages to a snapshot."""
        directory = self.directory
        return evolve(snapshot, clients=directory.client_records(), waiting=directory.waiting_records())

    def restore(self, snapshot: Snapshot) -> None:
        """Start with the clients and messages of another process; to be called before the first connection."""
        self.directory.restore(snapshot.clients, snapshot.waiting, self.clock.seconds())

    # Details

    def _is_held(self, peer: PeerId) -> bool:
        connection = self._connections.get(peer)
        return connection is not None and connection.is_held

    def _has_room(self, peer: PeerId, size: int) -> bool:
        """Whether a message may be held if it has to be; if not, its connection is aborted."""
        if self.intake.reserve(size + _HELD_MESSAGE_BYTES):
            return True
        connection = self._connections.get(peer)
        self.remove_connection(peer)
        if connection is not None:
            connection.abort()
        return False

    def _report(self, peer: PeerId, fact: Callable[[], Iterable[DirectoryAction]]) -> None:
        """Tell the directory a fact about a client and carry out what follows; an exception ends this client alone."""
        self.intake.receive(partial(self._tell_directory, peer, fact))

    def _tell_directory(self, peer: PeerId, fact: Callable[[], Iterable[DirectoryAction]]) -> None:
        if peer not in self._connections:
            return
        try:
            actions = fact()
        except Exception:  # noqa: BLE001 # whatever it is, it ends one connection
            self.fail_connection(peer)
            return
        self._act(actions)

    def _act(self, actions: Iterable[DirectoryAction]) -> None:
        """Carry actions out in the order of the facts, each on its own."""
        self._actions.extend(actions)
        if self._acting:
            return
        self._acting = True
        try:
            while self._actions:
                action = self._actions.popleft()
                try:
                    self._carry_out(action)
                except Exception:  # noqa: BLE001 # whatever it is, it ends one connection
                    self.fail_connection(action.peer, can_close=not isinstance(action, Disconnect))
        finally:
            self._acting = False

    def _carry_out(self, action: DirectoryAction) -> None:
        connection = self._connections.get(action.peer)
        if connection is None:
            return
        match action:
            case Notify(event=Delivered()) if connection.is_half_full:
                # Strangers decide what is delivered, and must not use up what the client's own answers need.
                connection.count_dropped()
            case Notify(event=event):
                self.sent += 1
                connection.send_directory_event(event)
            case Disconnect(code=code):
                if code is None:
                    connection.close_normally()
                else:
                    connection.close_for_error(code)
            case _ as never:
                assert_never(never)
