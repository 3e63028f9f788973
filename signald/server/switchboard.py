"""Carries out the hub's actions: connections, decisions, clock, log."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
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
from signald.core.limits import AddressKey, Limits
from signald.core.messages import Error, IceServer, Request
from signald.core.reconnect_window import ReconnectWindow
from signald.core.registry import MemoryRegistry
from signald.core.snapshot import Snapshot, restore, take_snapshot
from signald.core.turn import Turn
from signald.core.users import DecisionId, PeerId
from signald.dialects.dialect import CloseFrame, DecodeError, Dialect
from signald.monitoring.metrics import FORWARDED, Metrics

_ENDINGS = {1000: DisconnectReason.LEFT, 1001: DisconnectReason.RELOADING}
"""What the close codes of RFC 6455 §7.4.1 that a client sends mean for its user."""


class Connection(Protocol):
    """One peer's socket, as the switchboard sees it."""

    def send(self, frame: bytes) -> None:
        """Send a text message; `frame` is UTF-8."""

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake (RFC 6455 §7.1.2) and drop the connection when it takes too long."""


@define
class _Line:
    """A connection and the dialect that is spoken on it."""

    connection: Connection
    dialect: Dialect


@define
class Switchboard:
    """Between the connections and the hub.

    Attributes:
        hub: decides what is to be done.
        registry: decides about identities and membership.
        access: the authorization chain, which decides operations and ends in the registry.
        clock: gives monotonic seconds.
        metrics: counts the messages and measures their way.
        wall: gives seconds since 1970, which the expiry of TURN credentials is told in.
        turn: makes those credentials; None where there are none.

    """

    hub: Hub
    registry: MemoryRegistry
    access: Decider
    clock: IReactorTime
    metrics: Metrics = field(factory=Metrics)
    wall: Callable[[], float] = time.time
    turn: Turn | None = None
    _lines: dict[PeerId, _Line] = field(init=False, factory=dict)
    _peers: int = field(init=False, default=0)
    _actions: deque[Action] = field(init=False, factory=deque)
    _acting: bool = field(init=False, default=False)
    _suspended: bool = field(init=False, default=False)
    _log: Logger = field(init=False, factory=Logger)

    def opened(self, connection: Connection, dialect: Dialect, address: AddressKey) -> PeerId:
        """A WebSocket is open; the id is what its later facts are told under."""
        self._peers += 1
        peer = PeerId(self._peers)
        self._lines[peer] = _Line(connection, dialect)
        self._act(self.hub.connected(peer, address, dialect.traits, self.clock.seconds()))
        self._tell(peer, dialect.initial_requests())
        return peer

    def received(self, peer: PeerId, frame: bytes) -> None:
        """A text message came."""
        line = self._lines.get(peer)
        if line is None or self._suspended:
            return
        began, metrics = self.clock.seconds(), self.metrics
        try:
            requests = line.dialect.decode(frame)
        except DecodeError as error:
            metrics.malformed[error.about or type(None)] += 1
            refusal = Error(code=error.code, about=error.about, id=error.id)
            self._act(self.hub.malformed(peer, refusal, self.clock.seconds()))
        else:
            self._tell(peer, requests)
            for request in requests:
                metrics.received[type(request)] += 1
                if type(request) in FORWARDED:
                    metrics.forward.observe(self.clock.seconds() - began)

    def closed(self, peer: PeerId, code: int | None = None) -> None:
        """The connection is gone, with the close code that the client sent, if any."""
        if self._lines.pop(peer, None) is not None and not self._suspended:
            ending = DisconnectReason.LOST if code is None else _ENDINGS.get(code, DisconnectReason.LOST)
            self._act(self.hub.disconnected(peer, ending, self.clock.seconds()))

    def tick(self) -> None:
        """Do what is due; to be called every second."""
        if self._suspended:
            return
        self.registry.tick(self.clock.seconds())
        self._act(self.hub.tick(self.clock.seconds()))

    def configure(self, limits: Limits) -> None:
        """Go on with other limits."""
        self.hub.reload_limits(limits)
        self.registry.limits = limits

    def configure_ice(self, servers: tuple[IceServer, ...], turn: Turn | None, relay_only: bool) -> None:
        """Have other STUN and TURN servers from now on, and tell everybody."""
        self.turn = turn
        seconds = None if turn is None else turn.seconds
        self._act(self.hub.ice.reload_servers(servers, seconds, relay_only, self.clock.seconds()))

    @property
    def is_deciding(self) -> bool:
        """Whether a decision is under way."""
        return bool(self.hub.decisions.by_id)

    def stopping(self, window: ReconnectWindow, jitter: Callable[[], float]) -> None:
        """Tell the clients that the server is about to stop (`Hub.stopping`)."""
        self._act(self.hub.stopping(window, jitter))

    def suspend(self) -> Snapshot:
        """Take no more facts, and return what the next process goes on with.

        What a client sends from now on is not counted, so that it sends that again to the next process; that its
        connection ends is not told to the others.
        """
        self._suspended = True
        return take_snapshot(self.hub, self.registry, self.clock.seconds())

    def restore(self, snapshot: Snapshot) -> None:
        """Go on with what another process left; to be called before the first connection.

        It may raise anything where the records do not fit each other; then nothing has changed.
        """
        now = self.clock.seconds()
        # First where it does no harm.
        trial = Hub(self.hub.limits, self.hub.server)
        restore(snapshot, trial, evolve(self.registry, sessions={}, users={}, kept_since={}), now)
        for action in restore(snapshot, self.hub, self.registry, now):
            try:
                self._act([action])
            except Exception:  # noqa: BLE001 # whatever it is, it is one user's; the others go on
                self._log.failure("what waited in the state cannot be carried out", event="state-request-failed")

    def _tell(self, peer: PeerId, requests: Iterable[Request]) -> None:
        for request in requests:
            self._act(self.hub.received(peer, request, self.clock.seconds()))

    def _act(self, actions: Iterable[Action]) -> None:
        """Carry actions out in the order of the facts, also when carrying one out brings about the next fact."""
        self._actions.extend(actions)
        if self._acting:
            return
        self._acting = True
        try:
            while self._actions:
                self._carry_out(self._actions.popleft())
        finally:
            self._acting = False

    def _carry_out(self, action: Action) -> None:
        match action:
            case Send():
                self._send(action)
            case SendCredentials(peer, user, event):
                # None when another configuration came in between, which is told as well.
                made = () if self.turn is None else (self.turn.server_for(user, self.wall()),)
                self._send(Send(peer, evolve(event, ice_servers=(*event.ice_servers, *made))))
            case Close(peer, code):
                line = self._lines.get(peer)
                if line is not None and code.close_code is not None:
                    self.metrics.count_error(code)
                    line.connection.close(code.close_code, code.value)
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
        except Exception:  # noqa: BLE001 # whatever it is, the one who asked is not to wait for ever
            outcome = self._failed(Failure())
        if isinstance(outcome, Deferred):
            outcome.addErrback(self._failed).addCallback(lambda late: self._decided(id, late))
        else:
            self._decided(id, outcome)

    def _decided(self, id: DecisionId, outcome: Outcome) -> None:
        if self._suspended:
            # The next process asks anew, since it has the request.
            return
        self._act(self.hub.decided(id, outcome, self.clock.seconds()))

    def _failed(self, failure: Failure) -> Outcome:
        self._log.failure("a decision failed", failure, event="decision-failed")
        return Refused(ErrorCode.INTERNAL_ERROR)

    def _send(self, action: Send) -> None:
        line = self._lines.get(action.peer)
        if line is None:
            return
        event = action.event
        self.metrics.sent[type(event)] += 1
        if isinstance(event, Error):
            self.metrics.count_error(event.code)
            self.metrics.declined[event.about or type(None)] += 1
        for frame in line.dialect.encode(event):
            if isinstance(frame, CloseFrame):
                line.connection.close(frame.code, frame.reason)
                return
            line.connection.send(frame)
