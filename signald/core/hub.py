"""The hub: facts about peers in, actions out. It holds plain data and neither sees a socket nor looks at a clock.

Times are monotonic seconds. A request that is refused becomes an `Error` to its sender and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import assert_never

from attrs import define, field

from signald.core.actions import Action, Send
from signald.core.deadlines import Deadline, DeadlineKind, Deadlines
from signald.core.decisions import (
    ConfirmSecret,
    Decided,
    EndSession,
    Forget,
    HostCommand,
    Identified,
    JoinSession,
    LeaveSession,
    MarkAway,
    NotResumed,
    OpenSession,
    Outcome,
    Refused,
    RenewUser,
    Resumed,
)
from signald.core.errors import ErrorCode
from signald.core.handshake import Handshake
from signald.core.ice import IceSupply
from signald.core.limits import AddressKey, Limits, TokenBucket
from signald.core.mailbox import weight
from signald.core.mailboxes import Mailboxes, close
from signald.core.messages import (
    UNCOUNTED,
    Ack,
    Done,
    EndReason,
    Error,
    GoingAway,
    LeaveReason,
    Left,
    Request,
    Resume,
    SessionId,
    Traits,
    UserId,
)
from signald.core.pending_decisions import Pending, PendingDecisions
from signald.core.reconnect_window import ReturnWindow
from signald.core.replicas import SessionReplicas
from signald.core.requests import Requests
from signald.core.sessions import Session
from signald.core.users import DecisionId, Peer, PeerEvent, PeerId, PeerState, User, UserEvent, UserState

_MALFORMED_BYTES = 256
_AGAIN_SECONDS = 1.0


class Ending(Enum):
    """How a connection ended: with 1000 (RFC 6455 §7.4.1), with 1001 as a page that is left does, or otherwise."""

    LEFT = 1
    RELOADING = 2
    LOST = 3


@define
class Hub:
    """Owns peers, users and this node's copies of the sessions.

    Attributes:
        limits: all bounds.
        server: name and version, for `welcome`.
        peers: every connection.
        deadlines: of peers, users and sessions.
        decisions: the decisions under way.
        mailboxes: the users, and what they are told.
        ice: the STUN and TURN servers that they are told.
        replicas: the sessions.
        handshake: welcomes the peers.
        requests: handles what the users ask for.

    """

    limits: Limits
    server: str
    peers: dict[PeerId, Peer] = field(factory=dict)
    deadlines: Deadlines = field(factory=Deadlines)
    decisions: PendingDecisions = field(factory=PendingDecisions)
    mailboxes: Mailboxes = field(init=False)
    ice: IceSupply = field(init=False)
    replicas: SessionReplicas = field(init=False)
    handshake: Handshake = field(init=False)
    requests: Requests = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Make the parts and wire them."""
        self.mailboxes = Mailboxes(self.limits, self.deadlines)
        self.ice = IceSupply(self.mailboxes, self.deadlines)
        self.replicas = SessionReplicas(self.limits, self.mailboxes, self.decisions, self.deadlines, self.ice)
        self.handshake = Handshake(
            self.limits, self.server, self.ice, self.peers, self.mailboxes, self.replicas, self.decisions
        )
        self.requests = Requests(self.limits, self.mailboxes, self.replicas, self.decisions, self.ice)

    @property
    def users(self) -> dict[UserId, User]:
        """Every identity here."""
        return self.mailboxes.users

    @property
    def sessions(self) -> dict[SessionId, Session]:
        """The sessions in which users here are, or at which they wait."""
        return self.replicas.sessions

    def configure(self, limits: Limits) -> None:
        """Go on with other limits; what a connection was welcomed with holds for it as long as it lives."""
        self.limits = limits
        self.handshake.configure(limits)
        self.replicas.limits = limits
        self.replicas.candidates.limits = limits
        self.mailboxes.configure(limits)
        self.requests.configure(limits)

    # Facts

    def connected(self, peer: PeerId, address: AddressKey, traits: Traits, now: float) -> list[Action]:
        """Take note of a new peer."""
        budget = TokenBucket.full(self.limits.message_rate, self.limits.message_burst, now)
        self.peers[peer] = Peer(id=peer, address=address, traits=traits, budget=budget)
        self.deadlines.add(now + self.limits.hello_seconds, DeadlineKind.HELLO, peer)
        return []

    def received(self, id: PeerId, request: Request, now: float) -> list[Action]:
        """Take a peer's request."""
        peer = self.peers.get(id)
        if peer is None or peer.state is PeerState.CLOSING:
            return []
        if not peer.budget.take(now):
            return close(peer, ErrorCode.TOO_MANY_MESSAGES)
        if peer.user is not None:
            return self._take(peer, self.users[peer.user], request, now)
        if peer.queue.decision is None:
            return self.handshake.greet(peer, request, now)
        if len(peer.queue.waiting) >= self.limits.waiting_messages:
            return close(peer, ErrorCode.TOO_MANY_WAITING)
        peer.queue.waiting.append(request)
        return []

    def malformed(self, id: PeerId, error: Error, now: float) -> list[Action]:
        """Take note of a frame that was no valid request; it costs and counts like one."""
        peer = self.peers.get(id)
        if peer is None or peer.state is PeerState.CLOSING:
            return []
        if not peer.budget.take(now):
            return close(peer, ErrorCode.TOO_MANY_MESSAGES)
        if peer.user is None:
            return [Send(id, error)]
        user = self.users[peer.user]
        actions = self._confirm(user)
        if error.about not in UNCOUNTED:
            actions += self.mailboxes.count(user, _MALFORMED_BYTES, now)
        return [*actions, Send(id, error)]

    def disconnected(self, id: PeerId, ending: Ending, now: float) -> list[Action]:
        """Take note that a peer is gone: its user is away, or its user's memberships end."""
        peer = self.peers.pop(id, None)
        if peer is None:
            return []
        peer.step(PeerEvent.SOCKET_CLOSED)
        if peer.user is None:
            return []
        user = self.users[peer.user]
        user.peer = None
        if ending is Ending.LEFT:
            return self._over(user, UserEvent.LEFT, LeaveReason.LEFT)
        user.step(UserEvent.LOST)
        if user.instance is None:
            return self._over(user, UserEvent.EXPIRED, LeaveReason.GONE)
        seconds = self.limits.reload_seconds if ending is Ending.RELOADING else self.limits.grace_seconds
        user.until = now + seconds
        self.deadlines.add(user.until, DeadlineKind.GRACE, user.id)
        return [self.decisions.ask(MarkAway(user.id))]

    def decided(self, id: DecisionId, outcome: Outcome, now: float) -> list[Action]:
        """Take the outcome of a decision, and go on with the requests that waited for it.

        When the one who asked is gone meanwhile, what was asked for is undone. An outcome that builds on one that is
        still to come waits for it.
        """
        held = self.decisions.held
        held[id] = outcome
        actions: list[Action] = []
        while ready := next((id for id, outcome in held.items() if not self.replicas.is_ahead(outcome)), None):
            actions += self._decided(ready, held.pop(ready), now)
        return actions

    def _decided(self, id: DecisionId, outcome: Outcome, now: float) -> list[Action]:
        pending = self.decisions.pending[id]
        actions = self._apply(pending, outcome, now)
        del self.decisions.pending[id]
        user = None if pending.user is None else self.users.get(pending.user)
        peer = None if pending.peer is None else self.peers.get(pending.peer)
        if user is not None and user.queue.decision == id:
            user.queue.decision = None
            actions += self.go_on(user, now)
        if peer is not None and peer.queue.decision == id:
            peer.queue.decision = None
            while peer.queue.waiting and peer.queue.decision is None:
                request = peer.queue.waiting.popleft()
                if peer.user is None:
                    actions += self.handshake.greet(peer, request, now)
                else:
                    actions += self._take(peer, self.users[peer.user], request, now)
        return actions

    def tick(self, now: float) -> list[Action]:
        """Do what is due; to be called every second or so."""
        actions: list[Action] = []
        for deadline in self.deadlines.due(now):
            actions += self._due(deadline, now)
        alive = len(self.peers) + 2 * len(self.users) + 2 * len(self.sessions)
        self.deadlines.compact(alive, self._is_alive)
        self.handshake.tick(now)
        self.requests.tick(now)
        return actions

    def stopping(self, window: ReturnWindow, jitter: Callable[[], float]) -> list[Action]:
        """Tell each client when to come back, at a moment of the window that `jitter` gives as a part from 0 to 1.

        Requests with a password that are not carried out yet are refused, so that none gets into a file.
        """
        return self.requests.refuse_passwords() + [
            Send(peer.id, GoingAway(window.first + window.spread * jitter()))
            for peer in self.peers.values()
            if peer.state is PeerState.WELCOMED
        ]

    # Requests

    def _take(self, peer: Peer, user: User, request: Request, now: float) -> list[Action]:
        """Count a request of a user, and handle it when no other one is under way."""
        actions = self._confirm(user)
        if isinstance(request, Ack):
            return actions + self.requests.handle(user, request, now)
        is_waiting = user.queue.decision is not None or user.queue.waiting
        if is_waiting and len(user.queue.waiting) >= self.limits.waiting_messages:
            return actions + close(peer, ErrorCode.TOO_MANY_WAITING)
        if not isinstance(request, UNCOUNTED):
            actions += self.mailboxes.count(user, weight(request), now)
        if is_waiting:
            user.queue.waiting.append(request)
            return actions
        return actions + self.requests.handle(user, request, now)

    def go_on(self, user: User, now: float) -> list[Action]:
        """Handle the requests of a user that have waited, as far as none of them needs a decision."""
        actions: list[Action] = []
        while user.queue.waiting and user.queue.decision is None:
            actions += self.requests.handle(user, user.queue.waiting.popleft(), now)
        return actions

    def _confirm(self, user: User) -> list[Action]:
        """What comes on the new socket shows that the client has its new secret."""
        if user.confirmed:
            return []
        user.confirmed = True
        user.restarted = False
        return [self.decisions.ask(ConfirmSecret(user.id, user.rotation))]

    # Outcomes

    def _apply(self, pending: Pending, outcome: Outcome, now: float) -> list[Action]:
        match outcome:
            case Refused(code):
                return self.handshake.refused(pending, code, now) + self.requests.refused(pending, code, now)
            case Identified():
                return self.handshake.identified(pending, outcome, now)
            case Resumed():
                return self._absorb(pending, outcome, now) + self.handshake.resumed(pending, outcome, now)
            case NotResumed():
                return self.handshake.not_resumed(pending, outcome, now)
            case Decided():
                return self._done(pending, outcome, now)
            case _ as never:
                assert_never(never)

    def _done(self, pending: Pending, outcome: Decided, now: float) -> list[Action]:
        pending.session = outcome.session
        pending.host_key = outcome.host_key
        user = None if pending.user is None else self.users.get(pending.user)
        actions: list[Action] = []
        if isinstance(pending.operation, LeaveSession) and user is not None and pending.request is not None:
            # The one who leaves is told before the others, so that it hears nothing of the session afterwards.
            user.sessions.discard(pending.operation.session)
            user.visits.discard(pending.operation.session)
            actions += self.mailboxes.tell(user, Left(pending.operation.session, pending.request.id))
        actions += self._absorb(pending, outcome, now)
        if isinstance(pending.operation, RenewUser):
            return actions + self.handshake.renewed(pending, now)
        if user is None or pending.request is None:
            return actions
        if isinstance(pending.operation, HostCommand):
            return actions + self.mailboxes.tell(user, Done(pending.request.id))
        if isinstance(pending.operation, OpenSession | JoinSession) and not pending.answered:
            # It is over already: what ended it was heard first.
            return actions + self.mailboxes.refuse(user, ErrorCode.UNKNOWN_SESSION, pending.request)
        return actions

    def _absorb(self, pending: Pending, outcome: Decided | Resumed, now: float) -> list[Action]:
        return [
            action
            for change in outcome.changes
            if not pending.is_over(change)
            for action in self.replicas.absorb(change, now)
        ]

    # Deadlines

    def _due(self, deadline: Deadline, now: float) -> list[Action]:
        match deadline.kind:
            case DeadlineKind.HELLO:
                return self._hello(PeerId(int(deadline.key)), now)
            case DeadlineKind.LIFE:
                id = SessionId(str(deadline.key))
                if self.replicas.expires.get(id, now + 1) > now:
                    return []
                return [self.decisions.ask(EndSession(id, EndReason.EXPIRED))]
            case DeadlineKind.IDLE:
                return self._idle(deadline, now)
            case DeadlineKind.GRACE:
                return self._grace(UserId(str(deadline.key)), now)
            case DeadlineKind.ACK:
                return self.mailboxes.acknowledge_due(UserId(str(deadline.key)), now)
            case DeadlineKind.CREDENTIALS:
                return self.ice.due(UserId(str(deadline.key)), deadline.at, now)
            case _ as never:
                assert_never(never)

    def _hello(self, id: PeerId, now: float) -> list[Action]:
        peer = self.peers.get(id)
        if peer is None or peer.state is not PeerState.GREETING:
            return []
        if peer.queue.decision is not None:
            # It is about to be welcomed.
            self.deadlines.add(now + _AGAIN_SECONDS, DeadlineKind.HELLO, id)
            return []
        return close(peer, ErrorCode.HELLO_TIMEOUT)

    def _idle(self, deadline: Deadline, now: float) -> list[Action]:
        id = SessionId(str(deadline.key))
        due = self.replicas.idle_at(id, now)
        if due is None or self.replicas.looks.get(id) != deadline.at:
            return []
        if due > now:
            self.replicas.look_again(id, due)
            return []
        return [self.decisions.ask(EndSession(id, EndReason.IDLE))]

    def _grace(self, id: UserId, now: float) -> list[Action]:
        user = self.users.get(id)
        if user is None or user.state is not UserState.AWAY or user.until > now:
            return []
        if any(
            isinstance(pending.request, Resume) and pending.request.user == id
            for pending in self.decisions.pending.values()
        ):
            # It is about to be back.
            self.deadlines.add(now + _AGAIN_SECONDS, DeadlineKind.GRACE, id)
            return []
        return self._over(user, UserEvent.EXPIRED, LeaveReason.GONE)

    def _over(self, user: User, event: UserEvent, reason: LeaveReason) -> list[Action]:
        user.step(event)
        self.mailboxes.drop(user)
        return [self.decisions.ask(Forget(user.id, reason))]

    def _is_alive(self, deadline: Deadline) -> bool:
        match deadline.kind:
            case DeadlineKind.HELLO:
                return deadline.key in self.peers
            case DeadlineKind.GRACE | DeadlineKind.ACK:
                return deadline.key in self.users
            case DeadlineKind.CREDENTIALS:
                user = self.users.get(UserId(str(deadline.key)))
                return user is not None and user.credentials_due == deadline.at
            case DeadlineKind.LIFE:
                return self.replicas.expires.get(SessionId(str(deadline.key))) == deadline.at
            case DeadlineKind.IDLE:
                return self.replicas.looks.get(SessionId(str(deadline.key))) == deadline.at
            case _ as never:
                assert_never(never)
