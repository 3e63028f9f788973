"""Connects the hub to the world: reports facts about peers with the time, and carries out its actions in order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Protocol, assert_never

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from signald.auth.authorization import Decider
from signald.core.actions import Action, Close, Decide, LogCounts, Send, SendCredentials
from signald.core.decisions import Operation, Outcome, Refused
from signald.core.errors import ErrorCode
from signald.core.hub import DisconnectReason, Hub
from signald.core.ice_server import IceServer
from signald.core.limits import AddressKey, Limits
from signald.core.messages import Error, Event, Request, Traits
from signald.core.reconnect_window import ReconnectWindow
from signald.core.registry import MemoryRegistry
from signald.core.snapshot import Snapshot, restore, take_snapshot
from signald.core.turn import Turn
from signald.core.users import DecisionId, PeerId
from signald.dialects.dialect import DecodeError

_ENDINGS = {1000: DisconnectReason.LEFT, 1001: DisconnectReason.RELOADING}
"""The ending of a user's connection by the client's close code (RFC 6455 §7.4.1); every other code is a loss."""


class Connection(Protocol):
    """One peer's socket as the switchboard uses it."""

    def send_event(self, event: Event) -> None:
        """Encode an event in the connection's dialect and send it."""

    def close_for_error(self, code: ErrorCode) -> None:
        """Start the closing handshake (RFC 6455 §7.1.2); the connection is dropped when it takes too long."""

    def abort(self) -> None:
        """Drop the connection at once, without a closing handshake."""


@define
class Switchboard:
    """Maps peers to their connections, tells the hub what happens to them, and carries out what the hub returns.

    Attributes:
        hub: turns facts about peers into actions.
        registry: holds the identities and the memberships.
        access: the authorization chain, which takes the hub's decisions and ends in the registry.
        clock: gives monotonic seconds.
        wall: gives seconds since 1970, in which the expiry of TURN credentials is stated.
        turn: makes those credentials; None where no TURN server is configured.

    """

    hub: Hub
    registry: MemoryRegistry
    access: Decider
    clock: IReactorTime
    wall: Callable[[], float] = time.time
    turn: Turn | None = None
    _connections: dict[PeerId, Connection | None] = field(init=False, factory=dict)
    """None for a connection that failed: it is closing and is sent nothing more, and the hub awaits its end."""

    _peers: int = field(init=False, default=0)
    _actions: deque[Action] = field(init=False, factory=deque)
    _acting: bool = field(init=False, default=False)
    _suspended: bool = field(init=False, default=False)
    _log: Logger = field(init=False, factory=Logger)

    @property
    def is_suspended(self) -> bool:
        """Whether `suspend` was called, so that requests are no longer received."""
        return self._suspended

    def add_connection(self, connection: Connection, address: AddressKey, traits: Traits) -> PeerId:
        """Register an open WebSocket; the returned id names it in the calls below.

        Arguments:
            connection: receives the peer's events.
            address: the key that the peer's failed guesses are counted under.
            traits: what the connection's dialect supports.

        """
        self._peers += 1
        peer = PeerId(self._peers)
        self._connections[peer] = connection
        self._report(peer, self.hub.connected, address, traits)
        return peer

    def receive_requests(self, peer: PeerId, requests: Iterable[Request]) -> None:
        """Hand a peer's requests to the hub, one after the other."""
        for request in requests:
            if self._connections.get(peer) is not None and not self._suspended:
                self._report(peer, self.hub.received, request)

    def receive_malformed(self, peer: PeerId, error: DecodeError) -> None:
        """Tell the hub that a peer's frame held no valid request."""
        if self._connections.get(peer) is not None and not self._suspended:
            self._report(peer, self.hub.malformed, Error(code=error.code, about=error.about, id=error.id))

    def remove_connection(self, peer: PeerId, code: int | None = None) -> None:
        """Tell the hub that a peer's connection ended; `code` is that of the client's close frame, if it sent one."""
        if peer not in self._connections:
            return
        del self._connections[peer]
        if not self._suspended:
            ending = DisconnectReason.LOST if code is None else _ENDINGS.get(code, DisconnectReason.LOST)
            try:
                actions = self.hub.disconnected(peer, ending, self.clock.seconds())
            except Exception:  # noqa: BLE001 # whatever it is, it concerns one connection that is gone
                self._log.failure("the hub could not process the end of a connection", event="closing-failed")
            else:
                self._act(actions)

    def tick(self) -> None:
        """Carry out what is due; to be called every second."""
        if self._suspended:
            return
        self.registry.tick(self.clock.seconds())
        self._act(self.hub.tick(self.clock.seconds()))

    def reload_limits(self, limits: Limits) -> None:
        """Use other limits from now on."""
        self.hub.reload_limits(limits)
        self.registry.limits = limits

    def reload_ice_servers(self, servers: tuple[IceServer, ...], turn: Turn | None, relay_only: bool) -> None:
        """Use other STUN and TURN servers from now on, and send them to every user."""
        self.turn = turn
        seconds = None if turn is None else turn.seconds
        self._act(self.hub.ice.reload_servers(servers, seconds, relay_only, self.clock.seconds()))

    @property
    def is_deciding(self) -> bool:
        """Whether the outcome of a decision is pending."""
        return bool(self.hub.decisions.by_id)

    def announce_stop(self, window: ReconnectWindow, jitter: Callable[[], float]) -> None:
        """Tell each client that the server is about to stop, and when to reconnect.

        Arguments:
            window: the reconnect window.
            jitter: gives each client's moment in the window, as a part from 0 to 1.

        """
        self._act(self.hub.stopping(window, jitter))

    def suspend(self) -> Snapshot:
        """Stop to report to the hub, and return the state that the next process starts with.

        What a client sends from now on is not counted, so that it sends that again to the next process; the other
        members are not told that its connection ends.
        """
        self._suspended = True
        return take_snapshot(self.hub, self.registry, self.clock.seconds())

    def restore(self, snapshot: Snapshot) -> None:
        """Start with the state that another process left; to be called before the first connection.

        Whatever it raises where the records contradict each other, nothing has changed then.
        """
        now = self.clock.seconds()
        # The trial raises before anything of the real hub and registry has changed.
        trial = Hub(self.hub.limits, self.hub.server)
        restore(snapshot, trial, evolve(self.registry, sessions={}, users={}, kept_since={}), now)
        self._act(restore(snapshot, self.hub, self.registry, now))

    def _report(self, peer: PeerId, fact: Callable[..., list[Action]], *details: object) -> None:
        """Tell the hub a fact about a peer and carry out what follows; when the hub raises, this peer alone is closed.

        Arguments:
            peer: whom the fact is about.
            fact: the hub's method, called with the peer, the details and the time.
            details: what the fact consists of.

        """
        try:
            actions = fact(peer, *details, self.clock.seconds())
        except Exception:  # noqa: BLE001 # whatever it is, it ends one connection
            self._fail(peer)
        else:
            self._act(actions)

    def _act(self, actions: Iterable[Action]) -> None:
        """Carry actions out in the order of the facts, also when carrying one out brings about the next fact.

        Each is carried out on its own: when one raises, the connection that it is for is closed, and the rest go on.
        """
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
                    self._fail(getattr(action, "peer", None), can_close=not isinstance(action, Close))
        finally:
            self._acting = False

    def _fail(self, peer: PeerId | None, *, can_close: bool = True) -> None:
        """Log the exception that is handled, once, and close the connection that it concerns.

        Arguments:
            peer: whose connection failed; None where the exception concerns no connection.
            can_close: whether a close frame can be sent; if not, or if that raises too, the connection is aborted.

        """
        connection = None if peer is None else self._connections.get(peer)
        if peer is None or connection is None:
            self._log.failure("an error in the server concerns no open connection", event="action-failed")
            return
        self._log.failure("a connection is closed after an error in the server", event="connection-failed")
        self._connections[peer] = None
        if can_close:
            with suppress(Exception):
                connection.close_for_error(ErrorCode.INTERNAL_ERROR)
                return
        with suppress(Exception):
            connection.abort()
        # A connection that cannot even be closed may never report its end.
        self.remove_connection(peer)

    def _carry_out(self, action: Action) -> None:
        match action:
            case Send(peer, event):
                self._send(peer, event)
            case SendCredentials(peer, user, event):
                # A reload may have removed the TURN servers since; its own event follows this one.
                added = () if self.turn is None else (self.turn.server_for(user, self.wall()),)
                self._send(peer, evolve(event, ice_servers=(*event.ice_servers, *added)))
            case Close(peer, code):
                connection = self._connections.get(peer)
                if connection is not None:
                    connection.close_for_error(code)
            case Decide(id, operation):
                self._ask(id, operation)
            case LogCounts(users, sessions):
                self._log.info(
                    "counts: {users} users, {sessions} sessions", event="counts", users=users, sessions=sessions
                )
            case _ as never:
                assert_never(never)

    def _ask(self, id: DecisionId, operation: Operation) -> None:
        try:
            outcome = self.access.decide(operation)
        except Exception:  # noqa: BLE001 # whatever it is, the request must not wait for ever
            outcome = self._failed(Failure())
        if isinstance(outcome, Deferred):
            outcome.addErrback(self._failed).addCallback(lambda late: self._decided(id, late))
        else:
            self._decided(id, outcome)

    def _decided(self, id: DecisionId, outcome: Outcome) -> None:
        if self._suspended:
            # The next process has the request, and asks for the decision again.
            return
        pending = self.hub.decisions.by_id[id]
        try:
            actions = self.hub.decided(id, outcome, self.clock.seconds())
        except Exception:  # noqa: BLE001 # whatever it is, it ends one connection
            user = None if pending.user is None else self.hub.users.get(pending.user)
            self._fail(pending.peer if user is None else user.peer)
            if id in self.hub.decisions.by_id and not isinstance(outcome, Refused):
                # The requests that wait for this decision would wait for ever.
                self._decided(id, Refused(ErrorCode.INTERNAL_ERROR))
        else:
            self._act(actions)

    def _failed(self, failure: Failure) -> Outcome:
        self._log.failure("a decision failed", failure, event="decision-failed")
        return Refused(ErrorCode.INTERNAL_ERROR)

    def _send(self, peer: PeerId, event: Event) -> None:
        connection = self._connections.get(peer)
        if connection is not None:
            connection.send_event(event)
