"""The hub: facts about peers in, actions out. It holds plain data and neither sees a socket nor looks at a clock.

Times are monotonic seconds. A request that is refused becomes an `Error` to its sender and changes nothing.
"""

from __future__ import annotations

from typing import assert_never

from attrs import define, evolve, field, frozen

from signald.actions import Action, Close, Decide, LogCounts, Send
from signald.deadlines import Deadline, DeadlineKind, Deadlines
from signald.decisions import (
    Done,
    EndSession,
    Forget,
    Identified,
    Identify,
    JoinSession,
    LeaveSession,
    OpenSession,
    Operation,
    Outcome,
    Refused,
    SessionChanged,
    SessionEnded,
)
from signald.errors import ErrorCode
from signald.forwarding import forwarded, refusal
from signald.limits import AddressKey, GuessBudget, Limits, TokenBucket
from signald.messages import (
    Answer,
    Candidates,
    Debug,
    Ended,
    EndReason,
    Error,
    Event,
    Forwardable,
    Hello,
    IceError,
    IceServer,
    Join,
    Joined,
    Leave,
    LeaveReason,
    Left,
    MemberJoined,
    MemberLeft,
    Offer,
    Open,
    Opened,
    Ping,
    Pong,
    Request,
    RequestId,
    ServerLimits,
    SessionId,
    Traits,
    UserId,
    Welcome,
)
from signald.sessions import Session, view
from signald.users import DecisionId, Peer, PeerId, User
from signald.waiting import WaitingCandidates

PROTOCOL_VERSION = 1
NO_ROLLBACK = "no-rollback"
DEBUG_SECONDS = 60.0
"""How often `Debug` is answered with a line in the log, at most."""


@frozen
class _Pending:
    """A decision under way.

    Attributes:
        operation: what is to be decided.
        peer, address, request: who asked for it, from where and how; None where nobody waits for it.

    """

    operation: Operation
    peer: PeerId | None = None
    address: AddressKey | None = None
    request: Request | None = None


@define
class Hub:
    """Owns peers, users and this node's copy of the sessions.

    Attributes:
        limits: all bounds.
        server: name and version, for `welcome`.
        ice_servers: for `welcome`.
        peers, users, sessions: what exists here.
        pending: the decisions that were asked for.
        decisions: how many were ever asked for.
        guesses: wrong guesses of each address.
        waiting: candidates that wait for the other member.
        active: when each session last had a change or a message.
        deadlines: of peers and sessions.
        debug_due: when the next `Debug` may be answered.

    """

    limits: Limits
    server: str
    ice_servers: tuple[IceServer, ...] = ()
    peers: dict[PeerId, Peer] = field(factory=dict)
    users: dict[UserId, User] = field(factory=dict)
    sessions: dict[SessionId, Session] = field(factory=dict)
    pending: dict[DecisionId, _Pending] = field(factory=dict)
    decisions: int = 0
    guesses: GuessBudget = field(init=False)
    waiting: WaitingCandidates = field(init=False)
    active: dict[SessionId, float] = field(factory=dict)
    deadlines: Deadlines = field(factory=Deadlines)
    debug_due: float = float("-inf")

    def __attrs_post_init__(self) -> None:
        """Make the parts that have the limits too."""
        self.guesses = GuessBudget(self.limits)
        self.waiting = WaitingCandidates(self.limits)

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
        if peer is None or peer.closing:
            return []
        if not peer.budget.take(now):
            return self._close(peer, ErrorCode.TOO_MANY_MESSAGES)
        if peer.decision is None:
            return self._handle(peer, request, now)
        if len(peer.waiting) >= self.limits.waiting_messages:
            return self._close(peer, ErrorCode.TOO_MANY_WAITING)
        peer.waiting.append(request)
        return []

    def malformed(self, id: PeerId, error: Error, now: float) -> list[Action]:
        """Take note of a frame that was no valid request; it costs like one."""
        peer = self.peers.get(id)
        if peer is None or peer.closing:
            return []
        if not peer.budget.take(now):
            return self._close(peer, ErrorCode.TOO_MANY_MESSAGES)
        return [Send(id, error)]

    def disconnected(self, id: PeerId, now: float) -> list[Action]:
        """Take note that a peer is gone: its user's memberships end."""
        peer = self.peers.pop(id, None)
        if peer is None or peer.user is None:
            return []
        user = self.users.pop(peer.user)
        actions: list[Action] = [
            self._decide(LeaveSession(user.id, session, LeaveReason.GONE)) for session in sorted(user.sessions)
        ]
        under_way = None if peer.decision is None else self.pending[peer.decision].operation
        if not isinstance(under_way, OpenSession | JoinSession):
            actions.append(self._decide(Forget(user.id)))
        return actions

    def decided(self, id: DecisionId, outcome: Outcome, now: float) -> list[Action]:
        """Take the outcome of a decision, and go on with the messages that waited for it.

        When the peer that asked is gone meanwhile, what it asked for is undone.
        """
        pending = self.pending.pop(id)
        actions = self._apply(pending, outcome, now)
        peer = self._asker(pending)
        if peer is not None:
            peer.decision = None
            while peer.waiting and peer.decision is None:
                actions += self._handle(peer, peer.waiting.popleft(), now)
        return actions

    def tick(self, now: float) -> list[Action]:
        """Do what is due; to be called every second or so."""
        actions: list[Action] = []
        for deadline in self.deadlines.due(now):
            actions += self._due(deadline, now)
        self.deadlines.compact(len(self.peers) + 2 * len(self.sessions), self._is_alive)
        self.guesses.tick(now)
        return actions

    # Requests

    def _handle(self, peer: Peer, request: Request, now: float) -> list[Action]:
        match request:
            case Ping():
                return [Send(peer.id, Pong(request.id))]
            case Debug():
                return self._debug(now)
            case Hello():
                return self._hello(peer, request)
        user = None if peer.user is None else self.users[peer.user]
        if user is None:
            return [self._error(peer, ErrorCode.HELLO_FIRST, request)]
        match request:
            case Open():
                if not 2 <= request.capacity <= self.limits.session_members:
                    return [self._error(peer, ErrorCode.BAD_CAPACITY, request)]
                return [self._decide(OpenSession(user.id, peer.traits, request.capacity), peer, request)]
            case Join():
                if request.session in user.sessions:
                    return [self._error(peer, ErrorCode.ALREADY_MEMBER, request)]
                if not self.guesses.allows(peer.address, now):
                    return [self._error(peer, ErrorCode.TOO_MANY_GUESSES, request)]
                return [self._decide(JoinSession(user.id, peer.traits, request.session), peer, request)]
            case Leave():
                if request.session not in user.sessions:
                    return [self._error(peer, ErrorCode.NOT_A_MEMBER, request)]
                return [self._decide(LeaveSession(user.id, request.session, LeaveReason.LEFT), peer, request)]
            case Offer() | Answer() | Candidates() | IceError():
                if request.session not in user.sessions:
                    return [self._error(peer, ErrorCode.NOT_A_MEMBER, request)]
                return self._forward(peer, self.sessions[request.session], user.id, request, now)
            case _ as never:
                assert_never(never)

    def _hello(self, peer: Peer, request: Hello) -> list[Action]:
        if peer.user is not None:
            return [self._error(peer, ErrorCode.ALREADY_WELCOMED, request)]
        if request.version != PROTOCOL_VERSION:
            return [self._error(peer, ErrorCode.UNSUPPORTED_VERSION, request)]
        if NO_ROLLBACK in request.features:
            peer.traits = evolve(peer.traits, rollback=False)
        return [self._decide(Identify(), peer, request)]

    def _debug(self, now: float) -> list[Action]:
        if now < self.debug_due:
            return []
        self.debug_due = now + DEBUG_SECONDS
        return [LogCounts(users=len(self.users), sessions=len(self.sessions))]

    def _forward(self, peer: Peer, session: Session, user: UserId, request: Forwardable, now: float) -> list[Action]:
        sender = session.member(user)
        others = session.others(user)
        if request.to is None:
            if not others and isinstance(request, Candidates):
                kept = self.waiting.keep(user, request)
                return [] if kept else [self._error(peer, ErrorCode.TOO_MANY_CANDIDATES, request, session.id)]
            receiver = others[0] if len(others) == 1 else None
        else:
            receiver = next((member for member in others if member.user == request.to), None)
        if sender is None or receiver is None:
            return [self._error(peer, ErrorCode.UNKNOWN_MEMBER, request, session.id)]
        code = refusal(request, sender, receiver)
        if code is not None:
            return [self._error(peer, code, request, session.id)]
        self.active[session.id] = now
        return self._tell(receiver.user, session.id, forwarded(request, user))

    # Outcomes

    def _apply(self, pending: _Pending, outcome: Outcome, now: float) -> list[Action]:
        match outcome:
            case Refused(code):
                return self._refused(pending, code, now)
            case Identified(user):
                return self._identified(pending, user)
            case SessionChanged(session, reason):
                return self._changed(pending, session, reason, now)
            case SessionEnded(session_id, end_reason):
                return self._ended(pending, session_id, end_reason)
            case Done():
                return []
            case _ as never:
                assert_never(never)

    def _refused(self, pending: _Pending, code: ErrorCode, now: float) -> list[Action]:
        if code is ErrorCode.UNKNOWN_SESSION and isinstance(pending.request, Join) and pending.address is not None:
            self.guesses.failed(pending.address, now)
        peer = self._asker(pending)
        return [] if peer is None or pending.request is None else [self._error(peer, code, pending.request)]

    def _identified(self, pending: _Pending, user: UserId) -> list[Action]:
        peer = self._asker(pending)
        if peer is None:
            return [self._decide(Forget(user))]
        peer.user = user
        self.users[user] = User(user, peer.id)
        limits = ServerLimits(
            message_bytes=self.limits.message_bytes,
            messages_per_second=self.limits.message_rate,
            messages_burst=self.limits.message_burst,
            session_members=self.limits.session_members,
        )
        welcome = Welcome(
            version=PROTOCOL_VERSION,
            server=self.server,
            user=user,
            features=(),
            limits=limits,
            ice_servers=self.ice_servers,
            id=None if pending.request is None else pending.request.id,
        )
        return [Send(peer.id, welcome)]

    def _changed(self, pending: _Pending, session: Session, reason: LeaveReason | None, now: float) -> list[Action]:
        id = None if pending.request is None else pending.request.id
        operation = pending.operation
        if isinstance(operation, LeaveSession):
            return self._left(operation, id) + self._absorb(session, reason, now)
        if not isinstance(operation, OpenSession | JoinSession):
            return self._absorb(session, reason, now)
        peer = self._asker(pending)
        if peer is None:
            return [
                self._decide(LeaveSession(operation.user, session.id, LeaveReason.GONE)),
                self._decide(Forget(operation.user)),
            ]
        actions = self._absorb(session, reason, now)
        self.users[operation.user].sessions.add(session.id)
        if isinstance(operation, OpenSession):
            return [*actions, Send(peer.id, Opened(session.id, session.capacity, id))]
        return [*actions, *self._joined(peer, operation.user, self.sessions[session.id], id)]

    def _joined(self, peer: Peer, user: UserId, session: Session, id: RequestId | None) -> list[Action]:
        viewer = session.member(user)
        members = () if viewer is None else tuple(view(other, viewer) for other in session.others(user))
        early = self.waiting.take(session.id)
        return [
            Send(peer.id, Joined(session.id, session.capacity, members, id)),
            *(Send(peer.id, forwarded(batch, sender)) for sender, batch in early),
        ]

    def _left(self, operation: LeaveSession, id: RequestId | None) -> list[Action]:
        """Tell the one who leaves, and only then the others, so that it hears nothing of the session afterwards."""
        told = self._tell(operation.user, operation.session, Left(operation.session, id))
        user = self.users.get(operation.user)
        if user is not None:
            user.sessions.discard(operation.session)
        return told

    def _absorb(self, session: Session, reason: LeaveReason | None, now: float) -> list[Action]:
        """Take a newer record of a session and tell the members here what is different."""
        known = self.sessions.get(session.id)
        if known is not None and known.version >= session.version:
            return []
        self.sessions[session.id] = session
        self.active[session.id] = now
        if known is None:
            self.deadlines.add(now + self.limits.session_idle_seconds, DeadlineKind.IDLE, session.id)
            self.deadlines.add(now + self.limits.session_life_seconds, DeadlineKind.LIFE, session.id)
            return []
        actions: list[Action] = []
        for member in session.members:
            for gone in known.members:
                if session.member(gone.user) is None and reason is not None:
                    actions += self._tell(member.user, session.id, MemberLeft(session.id, gone.user, reason))
            for new in session.others(member.user):
                if known.member(new.user) is None:
                    actions += self._tell(member.user, session.id, MemberJoined(session.id, view(new, member)))
        return actions

    def _ended(self, pending: _Pending, id: SessionId, reason: EndReason) -> list[Action]:
        actions: list[Action] = []
        if isinstance(pending.operation, LeaveSession):
            actions += self._left(pending.operation, None if pending.request is None else pending.request.id)
        session = self.sessions.pop(id, None)
        self.active.pop(id, None)
        self.waiting.take(id)
        for member in () if session is None else session.members:
            actions += self._tell(member.user, id, Ended(id, reason))
            user = self.users.get(member.user)
            if user is not None:
                user.sessions.discard(id)
        return actions

    # Deadlines

    def _due(self, deadline: Deadline, now: float) -> list[Action]:
        match deadline.kind:
            case DeadlineKind.HELLO:
                peer = self.peers.get(PeerId(int(deadline.key)))
                if peer is None or peer.closing or peer.user is not None or peer.decision is not None:
                    return []
                return self._close(peer, ErrorCode.HELLO_TIMEOUT)
            case DeadlineKind.LIFE:
                return self._end(SessionId(str(deadline.key)), EndReason.EXPIRED)
            case DeadlineKind.IDLE:
                return self._idle(SessionId(str(deadline.key)), now)
            case _ as never:
                assert_never(never)

    def _idle(self, id: SessionId, now: float) -> list[Action]:
        session = self.sessions.get(id)
        if session is None:
            return []
        since = now if len(session.members) > 1 else self.active[id]
        due = since + self.limits.session_idle_seconds
        if due > now:
            self.deadlines.add(due, DeadlineKind.IDLE, id)
            return []
        return self._end(id, EndReason.IDLE)

    def _end(self, id: SessionId, reason: EndReason) -> list[Action]:
        return [self._decide(EndSession(id, reason))] if id in self.sessions else []

    def _is_alive(self, deadline: Deadline) -> bool:
        return deadline.key in (self.peers if deadline.kind is DeadlineKind.HELLO else self.sessions)

    # Actions

    def _decide(self, operation: Operation, peer: Peer | None = None, request: Request | None = None) -> Decide:
        self.decisions += 1
        id = DecisionId(self.decisions)
        if peer is None:
            self.pending[id] = _Pending(operation)
        else:
            self.pending[id] = _Pending(operation, peer.id, peer.address, request)
            peer.decision = id
        return Decide(id, operation)

    def _asker(self, pending: _Pending) -> Peer | None:
        return None if pending.peer is None else self.peers.get(pending.peer)

    def _tell(self, id: UserId, session: SessionId, event: Event) -> list[Action]:
        """Send an event of a session to a member, if it is here and knows that it is one."""
        user = self.users.get(id)
        return [] if user is None or session not in user.sessions else [Send(user.peer, event)]

    def _error(self, peer: Peer, code: ErrorCode, request: Request, session: SessionId | None = None) -> Send:
        return Send(peer.id, Error(code=code, about=type(request), session=session, id=request.id))

    def _close(self, peer: Peer, code: ErrorCode) -> list[Action]:
        peer.closing = True
        peer.waiting.clear()
        return [Close(peer.id, code)]
