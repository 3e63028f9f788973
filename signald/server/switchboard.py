"""Connects the hub to the world: reports facts about peers with the time, and carries out its actions in order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Protocol, assert_never

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from signald.auth.authorization import Decider
from signald.core.actions import Action, Close, Decide, LogCounts, ReportError, Send, SendCredentials
from signald.core.change_set import ChangeSet
from signald.core.decisions import Operation, Outcome, Refused
from signald.core.direct_forwarding import DirectMessage
from signald.core.errors import ErrorCode
from signald.core.hub import DisconnectReason, Hub
from signald.core.ice_server import IceServer
from signald.core.limits import AddressKey, Limits
from signald.core.message_sizes import message_size
from signald.core.messages import Error, Event, Request, Traits, UserId
from signald.core.reconnect_window import ReconnectWindow
from signald.core.registry import MemoryRegistry
from signald.core.snapshot import Snapshot, restore, take_snapshot
from signald.core.turn import Turn
from signald.core.users import DecisionId, PeerId
from signald.dialects.dialect import DecodeError, Dialect
from signald.server.call_log import CallLog
from signald.server.directory_switchboard import DirectorySwitchboard
from signald.server.forward_batch import ForwardBatch
from signald.server.intake import Intake, IntakeState

_ENDINGS = {1000: DisconnectReason.LEFT, 1001: DisconnectReason.RELOADING}
"""The ending of a user's connection by the client's close code (RFC 6455 §7.4.1); every other code is a loss."""


_MALFORMED_BYTES = 256
"""The size that a malformed message counts as while it is held; its content is not kept."""


class Connection(Protocol):
    """One peer's socket as the switchboard uses it.

    Attributes:
        dialect: translates between its frames and the hub's messages.

    """

    dialect: Dialect

    def send_frames(self, frames: bytes) -> None:
        """Send whole frames, which its dialect has made; a closing connection sends nothing more."""

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
        record_changes: called after users or sessions may have changed, and before any answer that depends on it.
        numbers: numbers the connections of all kinds of clients, since the start of the process.
        intake: holds facts back during a hand-over.
        directory: the clients without sessions, whose state is part of every snapshot; None where there are none.
        rooms: the clients in rooms, of whom nothing expires, and nothing outlasts this process; None where there are
            none.
        calls: logs what happens to connections, users and sessions.
        sent: the events that were sent so far.
        decided: the decisions that were asked for so far.
        turn_credentials: the TURN credentials that were made so far.

    """

    hub: Hub
    registry: MemoryRegistry
    access: Decider
    clock: IReactorTime
    wall: Callable[[], float] = time.time
    turn: Turn | None = None
    record_changes: Callable[[], None] = lambda: None
    numbers: Iterator[int] = field(factory=partial(count, 1))
    intake: Intake = field(factory=Intake)
    directory: DirectorySwitchboard | None = None
    rooms: DirectorySwitchboard | None = None
    calls: CallLog = field(init=False)
    sent: int = field(init=False, default=0)
    decided: int = field(init=False, default=0)
    turn_credentials: int = field(init=False, default=0)
    _connections: dict[PeerId, Connection | None] = field(init=False, factory=dict)
    """None for a connection that failed: it is closing and is sent nothing more, and the hub awaits its end."""

    _actions: deque[Action] = field(init=False, factory=deque)
    _acting: bool = field(init=False, default=False)
    left_users: list[UserId] = field(init=False, factory=list)
    """The users whose clients have ended their identity (close code 1000) during `hold`; no client says that twice.

    After `drop_held_facts` clients are told to reconnect, and close their connection with the same code for that.
    """

    _asked: set[DecisionId] = field(init=False, factory=set)
    """The decisions that `access` was asked for; those that are not pending any more are removed by `tick`."""

    _has_failed: bool = field(init=False, default=False)
    """Whether an exception may have lost actions since the last one was dealt with."""

    _log: Logger = field(init=False, factory=Logger)

    def __attrs_post_init__(self) -> None:
        """Tell the hub which connections understand each other's frames."""
        self.calls = CallLog(self.hub, self.clock, self.numbers)
        self.hub.direct.has_same_dialect = self.has_same_dialect

    @property
    def is_suspended(self) -> bool:
        """Whether the state belongs to another process, so that requests are no longer received."""
        return self.intake.state is IntakeState.CLOSED

    def forward(self, peer: PeerId, message: DirectMessage, batch: ForwardBatch, now: float) -> int | None:
        """Forward a message the direct way.

        Arguments:
            peer: the sender.
            message: the message.
            batch: gets the frames.
            now: monotonic seconds.

        Returns:
            How many events were sent; None if it was not forwarded, where nothing has changed, and the general way
            decides.

        """
        if self.intake.state is not IntakeState.OPEN or self._acting:
            return None
        forwarded = self.hub.direct.forward(peer, message, now)
        if forwarded is None:
            return None
        before = self.sent
        for receiver in forwarded.receivers:
            connection = self._connections.get(receiver)
            if connection is not None:
                self.sent += 1
                batch.add(receiver, connection, forwarded.frame, message.event_kind)
        if forwarded.actions:
            self._act(forwarded.actions)
        return self.sent - before

    def fail_connection(self, peer: PeerId) -> None:
        """Log the exception that is handled, and close the connection that it concerns."""
        self._fail(peer)
        self._act(())

    def has_same_dialect(self, sender: PeerId, receiver: PeerId) -> bool:
        """Whether frames of a connection's dialect can be sent to another connection."""
        one, other = self._connections.get(sender), self._connections.get(receiver)
        return one is not None and other is not None and type(one.dialect) is type(other.dialect)

    def add_connection(
        self, connection: Connection, address: AddressKey, traits: Traits, *, slow_start: bool = False
    ) -> PeerId:
        """Register an open WebSocket; the returned id names it in the calls below.

        Arguments:
            connection: receives the peer's events.
            address: the key that the peer's failed guesses are counted under.
            traits: what the connection's dialect supports.
            slow_start: whether it starts with a part of its message budget.

        """
        peer = PeerId(next(self.numbers))
        self._connections[peer] = connection
        self._report(peer, partial(self.hub.connected, slow_start=slow_start), address, traits)
        return peer

    def receive_requests(self, peer: PeerId, requests: Iterable[Request]) -> None:
        """Hand a peer's requests to the hub, one after the other."""
        for request in requests:
            if self._connections.get(peer) is None:
                return
            if self.intake.state is IntakeState.OPEN or self._has_room(peer, message_size(request)):
                self._report(peer, self.hub.received, request)

    def receive_malformed(self, peer: PeerId, error: DecodeError) -> None:
        """Tell the hub that a peer's frame held no valid request."""
        if self._connections.get(peer) is not None and self._has_room(peer, _MALFORMED_BYTES):
            self._report(peer, self.hub.malformed, Error(code=error.code, about=error.about, id=error.id))

    def remove_connection(self, peer: PeerId, code: int | None = None, *, offended: bool = False) -> None:
        """Tell the hub that a peer's connection ended.

        Arguments:
            peer: whose connection it was.
            code: the code of the client's close frame; None if it sent none.
            offended: whether the server had closed the connection for its peer's misbehaviour.

        """
        if peer not in self._connections:
            return
        del self._connections[peer]
        lost = DisconnectReason.OFFENCE if offended else DisconnectReason.LOST
        ending = lost if code is None else _ENDINGS.get(code, lost)
        if self.intake.state is IntakeState.HELD and ending is DisconnectReason.LEFT and peer in self.hub.peers:
            user = self.hub.peers[peer].user
            if user is not None:
                self.left_users.append(user)
        self.intake.receive(lambda: self._disconnected(peer, ending))

    def _disconnected(self, peer: PeerId, ending: DisconnectReason) -> None:
        try:
            actions = self.hub.disconnected(peer, ending, self.clock.seconds())
        except Exception:  # noqa: BLE001 # whatever it is, it concerns one connection that is gone
            self._log.failure("the hub could not process the end of a connection", event="closing-failed")
            self._has_failed = True
            actions = []
        self._act(actions)

    def tick(self) -> None:
        """Carry out what is due; to be called every second."""
        if self.intake.state is not IntakeState.OPEN:
            return
        self.registry.tick(self.clock.seconds())
        self.record_changes()
        self.calls.tick()
        self._asked &= self.hub.decisions.by_id.keys()
        self._act(self.hub.tick(self.clock.seconds()))
        if self.directory is not None:
            self.directory.tick()

    def reload_limits(self, limits: Limits) -> None:
        """Use other limits from now on."""
        self.hub.reload_limits(limits)
        self.registry.limits = limits
        for directory in (self.directory, self.rooms):
            if directory is not None:
                directory.directory.reload_limits(limits)

    def reload_ice_servers(self, servers: tuple[IceServer, ...], turn: Turn | None, relay_only: bool) -> None:
        """Use other STUN and TURN servers from now on, and send them to every user."""
        self.turn = turn
        seconds = None if turn is None else turn.seconds
        self._act(self.hub.ice.reload_servers(servers, seconds, relay_only, self.clock.seconds()))

    @property
    def is_deciding(self) -> bool:
        """Whether the outcome of a decision is pending."""
        return bool(self.hub.decisions.by_id)

    def reject_passwords(self) -> None:
        """Refuse the requests whose password is not checked yet, since no password may get into the state file."""
        self._act(self.hub.requests.reject_passwords())

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
        self.drop_held_facts()
        return self._with_directory(take_snapshot(self.hub, self.registry, self.clock.seconds()))

    def hold(self) -> Snapshot:
        """Hold all facts back from now on, and return the state; `release` or `drop_held_facts` ends that.

        While another process restores the state, either process may turn out to be the one that goes on. Whatever is
        sent meanwhile is either processed here later, or by the other process, to which the client sends it again. The
        state contains secrets, and must stay in memory.
        """
        self.intake.hold()
        return self._with_directory(take_snapshot(self.hub, self.registry, self.clock.seconds(), keep_secrets=True))

    def release(self) -> None:
        """Process the facts that were held back, in their order, and go on as before `hold`."""
        self.left_users.clear()
        self.intake.release()

    def drop_held_facts(self) -> None:
        """Ignore the facts that were held back, and all that follow: the state belongs to another process."""
        self.intake.close()

    def end_users(self, ids: Iterable[UserId]) -> None:
        """End the identities of users who are away and have told the process before this one that they leave."""
        self._act([action for id in ids for action in self.hub.grace_periods.leave(id)])

    def _has_room(self, peer: PeerId, size: int) -> bool:
        """Whether a message may be held if it has to be; if not, its connection is aborted, and its client resumes."""
        if self.intake.reserve(size):
            return True
        connection, self._connections[peer] = self._connections[peer], None
        if connection is not None:
            connection.abort()
        return False

    def restore(self, snapshot: Snapshot) -> None:
        """Start with the state that another process left; to be called before the first connection.

        Whatever it raises where the records contradict each other, nothing has changed then.
        """
        now = self.clock.seconds()
        # The trial raises before anything of the real hub and registry has changed.
        trial = Hub(self.hub.limits, self.hub.server, self.hub.tickets)
        restore(snapshot, trial, evolve(self.registry, sessions={}, users={}, kept_since={}, changes=ChangeSet()), now)
        self._act(restore(snapshot, self.hub, self.registry, now))
        if self.directory is not None:
            self.directory.restore(snapshot)

    def _with_directory(self, snapshot: Snapshot) -> Snapshot:
        return snapshot if self.directory is None else self.directory.add_records(snapshot)

    def _report(self, peer: PeerId, fact: Callable[..., list[Action]], *details: object) -> None:
        """Tell the hub a fact about a peer and carry out what follows; when the hub raises, this peer alone is closed.

        Arguments:
            peer: whom the fact is about.
            fact: the hub's method, called with the peer, the details and the time.
            details: what the fact consists of.

        """
        if self.intake.state is IntakeState.OPEN:
            # This is the path of every message, which a closure would make slower.
            self._tell_hub(peer, fact, *details)
        else:
            self.intake.receive(lambda: self._tell_hub(peer, fact, *details))

    def _tell_hub(self, peer: PeerId, fact: Callable[..., list[Action]], *details: object) -> None:
        try:
            actions = fact(peer, *details, self.clock.seconds())
        except Exception:  # noqa: BLE001 # whatever it is, it ends one connection
            self._fail(peer)
            actions = []
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
            while self._actions or self._has_failed:
                if not self._actions:
                    self._has_failed = False
                    self._ask_again()
                    continue
                action = self._actions.popleft()
                try:
                    self._carry_out(action)
                except Exception:  # noqa: BLE001 # whatever it is, it ends one connection
                    self._fail(getattr(action, "peer", None), can_close=not isinstance(action, Close))
        finally:
            self._acting = False

    def _fail(self, peer: PeerId | None, *, error: Exception | None = None, can_close: bool = True) -> None:
        """Log an exception, once, and close the connection that it concerns.

        Arguments:
            peer: whose connection failed; None where the exception concerns no connection.
            error: the exception; None for the one that is handled.
            can_close: whether a close frame can be sent; if not, or if that raises too, the connection is aborted.

        """
        self._has_failed = True
        failure = Failure() if error is None else Failure(error)
        connection = None if peer is None else self._connections.get(peer)
        if peer is None or connection is None:
            self._log.failure("an error in the server concerns no open connection", failure, event="action-failed")
            return
        self._log.failure(
            "connection {connection}: closed after an error in the server",
            failure,
            event="connection-failed",
            connection=peer,
        )
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
                added = (
                    () if self.turn is None else (self.turn.server_for(self.hub.references.of_user(user), self.wall()),)
                )
                self.turn_credentials += len(added)
                self._send(peer, evolve(event, ice_servers=(*event.ice_servers, *added)))
            case Close(peer, code):
                connection = self._connections.get(peer)
                if connection is not None:
                    connection.close_for_error(code)
            case Decide(id, operation):
                self._ask(id, operation)
            case ReportError(peer, error):
                self._fail(peer, error=error)
            case LogCounts(users, sessions):
                self._log.info(
                    "counts: {users} users, {sessions} sessions", event="counts", users=users, sessions=sessions
                )
            case _ as never:
                assert_never(never)

    def _ask(self, id: DecisionId, operation: Operation) -> None:
        self._asked.add(id)
        self.decided += 1
        try:
            outcome = self.access.decide(operation)
        except Exception:  # noqa: BLE001 # whatever it is, the request must not wait for ever
            outcome = self._failed(Failure())
        if isinstance(outcome, Deferred):
            outcome.addErrback(self._failed).addCallback(partial(self._decided, id)).addErrback(self._log_failure)
        else:
            self._decided(id, outcome)

    def _decided(self, id: DecisionId, outcome: Outcome) -> None:
        # The process that goes on with the state has the request too, and asks for the decision again.
        self.intake.receive(lambda: self._tell_outcome(id, outcome))

    def _tell_outcome(self, id: DecisionId, outcome: Outcome) -> None:
        report = self.calls.read_outcome(id, outcome) if self.calls.is_on else None
        actions = self.hub.decided(id, outcome, self.clock.seconds())
        self.record_changes()
        if report is not None:
            self.calls.write(report)
        self._act(actions)

    def _ask_again(self) -> None:
        """Ask for the decisions whose actions were lost in an exception: they would stay pending for ever."""
        pending = self.hub.decisions.by_id if self.intake.state is IntakeState.OPEN else {}
        self._asked &= pending.keys()
        self._actions.extend(Decide(id, pending[id].operation) for id in pending.keys() - self._asked)

    def _failed(self, failure: Failure) -> Outcome:
        self._log.failure("a decision failed", failure, event="decision-failed")
        return Refused(ErrorCode.INTERNAL_ERROR)

    def _log_failure(self, failure: Failure) -> None:
        self._log.failure("an outcome could not be carried out", failure, event="outcome-failed")

    def _send(self, peer: PeerId, event: Event) -> None:
        connection = self._connections.get(peer)
        if connection is not None:
            self.sent += 1
            connection.send_event(event)
