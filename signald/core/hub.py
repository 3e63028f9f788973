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
    Govern,
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
from signald.core.handshake import Greeting
from signald.core.ice import IceSupply
from signald.core.limits import AddressKey, Limits, TokenBucket
from signald.core.mailbox import weight
from signald.core.mailboxes import Post, close
from signald.core.messages import (
    UNCOUNTED,
    Accomplished,
    Ack,
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
from signald.core.pending_decisions import Asking, Pending
from signald.core.reconnect_window import ReturnWindow
from signald.core.replicas import Copies
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
        asking: the decisions under way.
        post: the users, and what they are told.
        ice: the STUN and TURN servers that they are told.
        copies: the sessions.
        greeting: welcomes the peers.
        requests: handles what the users ask for.

    """

    limits: Limits
    server: str
    peers: dict[PeerId, Peer] = field(factory=dict)
    deadlines: Deadlines = field(factory=Deadlines)
    asking: Asking = field(factory=Asking)
    post: Post = field(init=False)
    ice: IceSupply = field(init=False)
    copies: Copies = field(init=False)
    greeting: Greeting = field(init=False)
    requests: Requests = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Make the parts and wire them."""
        self.post = Post(self.limits, self.deadlines)
        self.ice = IceSupply(self.post, self.deadlines)
        self.copies = Copies(self.limits, self.post, self.asking, self.deadlines, self.ice)
        self.greeting = Greeting(self.limits, self.server, self.ice, self.peers, self.post, self.copies, self.asking)
        self.requests = Requests(self.limits, self.post, self.copies, self.asking, self.ice)

    @property
    def users(self) -> dict[UserId, User]:
        """Every identity here."""
        return self.post.users

    @property
    def sessions(self) -> dict[SessionId, Session]:
        """The sessions in which users here are, or at which they wait."""
        return self.copies.sessions

    def configure(self, limits: Limits) -> None:
        """Go on with other limits; what a connection was welcomed with holds for it as long as it lives."""
        self.limits = limits
        self.greeting.configure(limits)
        self.copies.limits = limits
        self.copies.candidates.limits = limits
        self.post.configure(limits)
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
        if peer.desk.decision is None:
            return self.greeting.greet(peer, request, now)
        if len(peer.desk.waiting) >= self.limits.waiting_messages:
            return close(peer, ErrorCode.TOO_MANY_WAITING)
        peer.desk.waiting.append(request)
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
            actions += self.post.count(user, _MALFORMED_BYTES, now)
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
        return [self.asking.ask(MarkAway(user.id))]

    def decided(self, id: DecisionId, outcome: Outcome, now: float) -> list[Action]:
        """Take the outcome of a decision, and go on with the requests that waited for it.

        When the one who asked is gone meanwhile, what was asked for is undone. An outcome that builds on one that is
        still to come waits for it.
        """
        held = self.asking.held
        held[id] = outcome
        actions: list[Action] = []
        while ready := next((id for id, outcome in held.items() if not self.copies.is_ahead(outcome)), None):
            actions += self._decided(ready, held.pop(ready), now)
        return actions

    def _decided(self, id: DecisionId, outcome: Outcome, now: float) -> list[Action]:
        pending = self.asking.pending[id]
        actions = self._apply(pending, outcome, now)
        del self.asking.pending[id]
        user = None if pending.user is None else self.users.get(pending.user)
        peer = None if pending.peer is None else self.peers.get(pending.peer)
        if user is not None and user.desk.decision == id:
            user.desk.decision = None
            actions += self.go_on(user, now)
        if peer is not None and peer.desk.decision == id:
            peer.desk.decision = None
            while peer.desk.waiting and peer.desk.decision is None:
                request = peer.desk.waiting.popleft()
                if peer.user is None:
                    actions += self.greeting.greet(peer, request, now)
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
        self.greeting.tick(now)
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
        is_waiting = user.desk.decision is not None or user.desk.waiting
        if is_waiting and len(user.desk.waiting) >= self.limits.waiting_messages:
            return actions + close(peer, ErrorCode.TOO_MANY_WAITING)
        if not isinstance(request, UNCOUNTED):
            actions += self.post.count(user, weight(request), now)
        if is_waiting:
            user.desk.waiting.append(request)
            return actions
        return actions + self.requests.handle(user, request, now)

    def go_on(self, user: User, now: float) -> list[Action]:
        """Handle the requests of a user that have waited, as far as none of them needs a decision."""
        actions: list[Action] = []
        while user.desk.waiting and user.desk.decision is None:
            actions += self.requests.handle(user, user.desk.waiting.popleft(), now)
        return actions

    def _confirm(self, user: User) -> list[Action]:
        """What comes on the new socket shows that the client has its new secret."""
        if user.confirmed:
            return []
        user.confirmed = True
        user.restarted = False
        return [self.asking.ask(ConfirmSecret(user.id, user.rotation))]

    # Outcomes

    def _apply(self, pending: Pending, outcome: Outcome, now: float) -> list[Action]:
        match outcome:
            case Refused(code):
                return self.greeting.refused(pending, code, now) + self.requests.refused(pending, code, now)
            case Identified():
                return self.greeting.identified(pending, outcome, now)
            case Resumed():
                return self._absorb(pending, outcome, now) + self.greeting.resumed(pending, outcome, now)
            case NotResumed():
                return self.greeting.not_resumed(pending, outcome, now)
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
            actions += self.post.tell(user, Left(pending.operation.session, pending.request.id))
        actions += self._absorb(pending, outcome, now)
        if isinstance(pending.operation, RenewUser):
            return actions + self.greeting.renewed(pending, now)
        if user is None or pending.request is None:
            return actions
        if isinstance(pending.operation, Govern):
            return actions + self.post.tell(user, Accomplished(pending.request.id))
        if isinstance(pending.operation, OpenSession | JoinSession) and not pending.answered:
            # It is over already: what ended it was heard first.
            return actions + self.post.refuse(user, ErrorCode.UNKNOWN_SESSION, pending.request)
        return actions

    def _absorb(self, pending: Pending, outcome: Decided | Resumed, now: float) -> list[Action]:
        return [
            action
            for change in outcome.changes
            if not pending.is_over(change)
            for action in self.copies.absorb(change, now)
        ]

    # Deadlines

    def _due(self, deadline: Deadline, now: float) -> list[Action]:
        match deadline.kind:
            case DeadlineKind.HELLO:
                return self._hello(PeerId(int(deadline.key)), now)
            case DeadlineKind.LIFE:
                id = SessionId(str(deadline.key))
                if self.copies.expires.get(id, now + 1) > now:
                    return []
                return [self.asking.ask(EndSession(id, EndReason.EXPIRED))]
            case DeadlineKind.IDLE:
                return self._idle(deadline, now)
            case DeadlineKind.GRACE:
                return self._grace(UserId(str(deadline.key)), now)
            case DeadlineKind.ACK:
                return self.post.acknowledge_due(UserId(str(deadline.key)), now)
            case DeadlineKind.CREDENTIALS:
                return self.ice.due(UserId(str(deadline.key)), deadline.at, now)
            case _ as never:
                assert_never(never)

    def _hello(self, id: PeerId, now: float) -> list[Action]:
        peer = self.peers.get(id)
        if peer is None or peer.state is not PeerState.GREETING:
            return []
        if peer.desk.decision is not None:
            # It is about to be welcomed.
            self.deadlines.add(now + _AGAIN_SECONDS, DeadlineKind.HELLO, id)
            return []
        return close(peer, ErrorCode.HELLO_TIMEOUT)

    def _idle(self, deadline: Deadline, now: float) -> list[Action]:
        id = SessionId(str(deadline.key))
        due = self.copies.idle_at(id, now)
        if due is None or self.copies.looks.get(id) != deadline.at:
            return []
        if due > now:
            self.copies.look_again(id, due)
            return []
        return [self.asking.ask(EndSession(id, EndReason.IDLE))]

    def _grace(self, id: UserId, now: float) -> list[Action]:
        user = self.users.get(id)
        if user is None or user.state is not UserState.AWAY or user.until > now:
            return []
        if any(
            isinstance(pending.request, Resume) and pending.request.user == id
            for pending in self.asking.pending.values()
        ):
            # It is about to be back.
            self.deadlines.add(now + _AGAIN_SECONDS, DeadlineKind.GRACE, id)
            return []
        return self._over(user, UserEvent.EXPIRED, LeaveReason.GONE)

    def _over(self, user: User, event: UserEvent, reason: LeaveReason) -> list[Action]:
        user.step(event)
        self.post.drop(user)
        return [self.asking.ask(Forget(user.id, reason))]

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
                return self.copies.expires.get(SessionId(str(deadline.key))) == deadline.at
            case DeadlineKind.IDLE:
                return self.copies.looks.get(SessionId(str(deadline.key))) == deadline.at
            case _ as never:
                assert_never(never)
