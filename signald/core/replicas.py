"""The node's copies of the sessions in which its users are, and what these are told when a newer record comes."""

from __future__ import annotations

from attrs import define, evolve, field

from signald.core.actions import Action
from signald.core.deadlines import DeadlineKind, Deadlines
from signald.core.decisions import (
    Change,
    Decided,
    JoinSession,
    NotResumed,
    OpenSession,
    Outcome,
    Resumed,
    SessionChanged,
    SessionEnded,
)
from signald.core.early_candidates import WaitingCandidates
from signald.core.forward_rules import forwarded
from signald.core.ice import IceSupply
from signald.core.limits import Limits
from signald.core.mailboxes import Mailboxes
from signald.core.members import Member, Visitor
from signald.core.messages import (
    Ended,
    EndReason,
    Joined,
    LeaveReason,
    NotAdmitted,
    Opened,
    RefusalReason,
    RequestId,
    Role,
    SessionId,
    Waiting,
)
from signald.core.pending_decisions import Pending, PendingDecisions
from signald.core.sessions import Session, SessionState
from signald.core.users import User
from signald.core.views import knocks, news, views

_END_REASONS = {
    LeaveReason.REMOVED: EndReason.REMOVED,
    LeaveReason.REPLACED: EndReason.REPLACED,
    LeaveReason.GONE: EndReason.GONE,
}


@define
class SessionReplicas:
    """The sessions, as far as users here are members of them or wait at them.

    Attributes:
        limits: of a session's life.
        mailboxes: tells the users.
        decisions: whose outcomes may be overtaken by newer records.
        deadlines: the hub's.
        ice: has members told of TURN servers.
        sessions: the records.
        active: when each open session last had a change or a message, monotonic seconds.
        expires: when each open session is over, monotonic seconds.
        looks: when to look next whether each open session is idle, monotonic seconds.
        candidates: those that wait for the other member.

    """

    limits: Limits
    mailboxes: Mailboxes
    decisions: PendingDecisions
    deadlines: Deadlines
    ice: IceSupply
    sessions: dict[SessionId, Session] = field(factory=dict)
    active: dict[SessionId, float] = field(factory=dict)
    expires: dict[SessionId, float] = field(factory=dict)
    looks: dict[SessionId, float] = field(factory=dict)
    candidates: WaitingCandidates = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Make the part that has the limits too."""
        self.candidates = WaitingCandidates(self.limits)

    def is_ahead(self, outcome: Outcome) -> bool:
        """Whether an outcome builds on a change of a session that is not heard of yet."""
        changes = outcome.changes if isinstance(outcome, Decided | Resumed | NotResumed) else ()
        for change in changes:
            known = self.sessions.get(change.session.id)
            if known is not None and change.session.version > known.version + 1:
                return True
        return False

    def absorb(self, change: Change, now: float) -> list[Action]:
        """Take a newer record, and tell the users here what is different for them; an older one changes nothing."""
        session = change.session
        known = self.sessions.get(session.id)
        if known is not None and known.version >= session.version:
            return []
        if isinstance(change, SessionEnded):
            actions = self._end(known, change.reason)
            known = None if known is None else evolve(known, members=())
            change = SessionChanged(session)
        else:
            actions = []
        actions += self._members(known, change, now)
        actions += self._visitors(known, session, change.turned_away)
        self._keep(session, now)
        return actions

    def enter_again(self, user: User) -> list[Action]:
        """Tell a user who begins anew all that it is in."""
        actions: list[Action] = []
        for id in sorted(user.sessions | user.visits):
            session = self.sessions[id]
            member = session.member(user.id)
            if member is None:
                actions += self.mailboxes.tell(user, Waiting(id, session.waits_for))
            else:
                actions += self.mailboxes.tell(user, _joined(session, member))
                actions += self._knocks(user, session, member)
        return actions

    def touch(self, id: SessionId, now: float) -> None:
        """Take note of a message in a session."""
        self.active[id] = now

    def follow(self, id: SessionId, active: float, expires: float) -> None:
        """Look after an open session: `active` is its last change or message, `expires` the end of its life."""
        self.active[id] = active
        self.expires[id] = expires
        self.look_again(id, active + self.limits.session_idle_seconds)
        self.deadlines.add(expires, DeadlineKind.LIFE, id)

    def look_again(self, id: SessionId, at: float) -> None:
        """Look then, and not before, whether a session is idle."""
        self.looks[id] = at
        self.deadlines.add(at, DeadlineKind.IDLE, id)

    def idle_at(self, id: SessionId, now: float) -> float | None:
        """When a session is idle, at the earliest; None when there is no such session open."""
        session = self.sessions.get(id)
        if session is None or id not in self.active:
            return None
        since = now if len(session.members) > 1 else self.active[id]
        return since + self.limits.session_idle_seconds

    def _members(self, known: Session | None, change: SessionChanged, now: float) -> list[Action]:
        session = change.session
        actions: list[Action] = []
        for gone in () if known is None else known.members:
            if session.member(gone.user) is None:
                actions += self._dismiss(self.mailboxes.users.get(gone.user), session.id, change.reason)
        for member in session.members:
            user = self.mailboxes.users.get(member.user)
            if known is None or known.member(member.user) is None:
                visitor = None if known is None else known.visitor(member.user)
                actions += [] if user is None else self._enter(user, session, member, visitor, now)
                continue
            for event in news(known, session, member, change.reason):
                actions += self.mailboxes.tell(user, event)
        return actions

    def _enter(self, user: User, session: Session, member: Member, visitor: Visitor | None, now: float) -> list[Action]:
        """Tell a user that it is a member now: the reply to its open or join."""
        user.sessions.add(session.id)
        user.visits.discard(session.id)
        # Before it hears of anybody to connect with.
        actions = self.ice.entered(user, now) if len(user.sessions) == 1 else []
        # One who opens what it waits for may be let in before: then that is no reply to the opening.
        pending = None if member.role is Role.GUEST and self._opens(user) else self._answering(user, session)
        if pending is None:
            actions += self.mailboxes.tell(user, _joined(session, member, None if visitor is None else visitor.request))
        elif isinstance(pending.operation, OpenSession):
            actions += self.mailboxes.tell(user, _opened(session, member, pending))
        else:
            actions += self.mailboxes.tell(user, _joined(session, member, _id(pending)))
        actions += self._knocks(user, session, member)
        if len(session.members) > 1:
            for sender, batch in self.candidates.take(session.id):
                if session.member(sender) is not None:
                    actions += self.mailboxes.tell(user, forwarded(batch, sender))
        return actions

    def _knocks(self, user: User, session: Session, member: Member) -> list[Action]:
        if member.role is not Role.HOST:
            return []
        return [action for knock in knocks(session) for action in self.mailboxes.tell(user, knock)]

    def _visitors(self, known: Session | None, session: Session, turned_away: RefusalReason) -> list[Action]:
        actions: list[Action] = []
        for visitor in session.visitors:
            user = self.mailboxes.users.get(visitor.user)
            is_new = known is None or known.visitor(visitor.user) is None
            if user is None or not (is_new or (known is not None and known.waits_for is not session.waits_for)):
                continue
            user.visits.add(session.id)
            if is_new:
                self._answering(user, session)
            reply = Waiting(session.id, session.waits_for, visitor.request if is_new else None)
            actions += self.mailboxes.tell(user, reply)
        for visitor in () if known is None else known.visitors:
            user = self.mailboxes.users.get(visitor.user)
            if user is None or session.id not in user.visits or session.visitor(visitor.user) is not None:
                continue
            user.visits.discard(session.id)
            actions += self.mailboxes.tell(user, NotAdmitted(session.id, turned_away, visitor.request))
        return actions

    def _answering(self, user: User, session: Session) -> Pending | None:
        """What a user waits for, if it is this session; it is answered now."""
        pending = self.decisions.of_user(user)
        if pending is None or pending.answered:
            return None
        operation = pending.operation
        if not isinstance(operation, OpenSession | JoinSession):
            return None
        if session.id not in (operation.session, pending.session):
            return None
        pending.answered = True
        return pending

    def _opens(self, user: User) -> bool:
        pending = self.decisions.of_user(user)
        return pending is not None and isinstance(pending.operation, OpenSession)

    def _dismiss(self, user: User | None, id: SessionId, reason: LeaveReason) -> list[Action]:
        if user is None or id not in user.sessions:
            return []
        user.sessions.discard(id)
        told = _END_REASONS.get(reason)
        return [] if told is None else self.mailboxes.tell(user, Ended(id, told))

    def _end(self, known: Session | None, reason: EndReason) -> list[Action]:
        actions: list[Action] = []
        for member in () if known is None else known.members:
            user = self.mailboxes.users.get(member.user)
            if known is not None and user is not None and known.id in user.sessions:
                user.sessions.discard(known.id)
                actions += self.mailboxes.tell(user, Ended(known.id, reason))
        return actions

    def _keep(self, session: Session, now: float) -> None:
        """Keep the record as long as it concerns anybody here."""
        id = session.id
        if self.mailboxes.users.keys().isdisjoint(session.people):
            self.sessions.pop(id, None)
            self.decisions.dropped(id, session.version)
        else:
            self.sessions[id] = session
        if session.state is SessionState.OPEN and id in self.sessions:
            if id not in self.active:
                self.follow(id, now, now + self.limits.session_life_seconds)
            self.active[id] = now
        else:
            self.active.pop(id, None)
            self.expires.pop(id, None)
            self.looks.pop(id, None)
            self.candidates.take(id)


def _id(pending: Pending) -> RequestId | None:
    return None if pending.request is None else pending.request.id


def _opened(session: Session, member: Member, pending: Pending) -> Opened:
    settings = session.settings
    return Opened(
        session=session.id,
        capacity=settings.capacity,
        locked=settings.locked,
        lobby=settings.lobby,
        members=views(session, member),
        label=settings.label,
        relay_only=settings.relay_only,
        host_key=pending.host_key,
        id=_id(pending),
    )


def _joined(session: Session, member: Member, id: RequestId | None = None) -> Joined:
    settings = session.settings
    return Joined(
        session=session.id,
        capacity=settings.capacity,
        locked=settings.locked,
        lobby=settings.lobby,
        role=member.role,
        members=views(session, member),
        label=settings.label,
        relay_only=settings.relay_only,
        id=id,
    )
