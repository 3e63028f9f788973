"""Replicas of the sessions of this node's users, and the events that a newer version of a session causes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec

from attrs import define, evolve, field

from signald.core.actions import Action
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
from signald.core.forwarding import Forwarder
from signald.core.ice import IceSupply
from signald.core.mailboxes import Mailboxes
from signald.core.members import Member, Visitor
from signald.core.messages import (
    Ended,
    EndReason,
    HostChanged,
    Joined,
    LeaveReason,
    NotAdmitted,
    Opened,
    RefusalReason,
    RequestId,
    Role,
    SessionId,
    UserId,
    Waiting,
)
from signald.core.pending_decisions import PendingDecision, PendingDecisions
from signald.core.rejoin_tickets import TicketSource
from signald.core.session_lifetimes import SessionLifetimes
from signald.core.sessions import Session, SessionState
from signald.core.users import User
from signald.core.views import difference_events, lobby_knocks, member_views

_Details = ParamSpec("_Details")

_END_REASONS = {
    LeaveReason.REMOVED: EndReason.REMOVED,
    LeaveReason.REPLACED: EndReason.REPLACED,
    LeaveReason.GONE: EndReason.GONE,
}


@define
class SessionReplicas:
    """Replicas of the sessions of which users of this node are members or visitors.

    The registry owns the sessions. A replica is the latest version that this node knows; applying a newer one sends
    each user of this node the events that lead from the old version to the new one.

    Attributes:
        mailboxes: the users, to which the events are sent.
        decisions: the pending decisions, whose outcomes may be older than a removed replica.
        lifetimes: the timeouts of open sessions.
        forwarder: holds the candidates that wait for a session's second member.
        ice: sends TURN credentials to new members.
        tickets: issues the rejoin tickets of members.
        sessions: the replicas.

    """

    mailboxes: Mailboxes
    decisions: PendingDecisions
    lifetimes: SessionLifetimes
    forwarder: Forwarder
    ice: IceSupply
    tickets: TicketSource
    sessions: dict[SessionId, Session] = field(factory=dict)

    def has_version_gap(self, outcome: Outcome) -> bool:
        """Whether an outcome skips a version of a session: the outcome with the missing version has not arrived."""
        for change in _changes_of(outcome):
            known = self.sessions.get(change.session.id)
            if known is not None and change.session.version > known.version + 1:
                return True
        return False

    def apply_change(self, change: Change, now: float) -> list[Action]:
        """Replace a replica by a newer version and send the users of this node what changed; ignore an older one.

        An exception while the events for one user are made closes the connection of this user alone.
        """
        session = change.session
        known = self.sessions.get(session.id)
        if known is not None and known.version >= session.version:
            return []
        actions: list[Action] = []
        if isinstance(change, SessionEnded):
            actions += self._end_memberships(known, change.reason)
            known = None if known is None else evolve(known, members=())
            change = SessionChanged(session)
        actions += self._update_members(known, change, now)
        actions += self._update_visitors(known, session, change.turned_away)
        self._store(session, now)
        return actions

    def skip_change(self, change: Change, now: float) -> None:
        """Take over the version of a session whose change could not be applied, and send nothing.

        The replica of a session that goes on keeps its content, so that the next change sends what was not told.
        """
        known = self.sessions.get(change.session.id)
        if known is None or known.version >= change.session.version:
            return
        if isinstance(change, SessionEnded):
            self._store(change.session, now)
        else:
            self.sessions[known.id] = evolve(known, version=change.session.version)

    def resend_memberships(self, user: User) -> list[Action]:
        """Send all memberships of a user whose client has lost its state."""
        actions: list[Action] = []
        for id in sorted(user.sessions | user.waiting_at):
            session = self.sessions[id]
            member = session.member(user.id)
            if member is None:
                actions += self.mailboxes.send_event(user, Waiting(id, session.wait_reason))
            else:
                actions += self.mailboxes.send_event(user, self._joined(user, session, member))
                actions += self._send_knocks(user, session, member)
        return actions

    def _update_members(self, known: Session | None, change: SessionChanged, now: float) -> list[Action]:
        session = change.session
        actions: list[Action] = []
        for gone in () if known is None else known.members:
            if session.member(gone.user) is None:
                actions += self._for_user_alone(gone.user, self._remove_member, session.id, change.reason)
        for member in session.members:
            if known is None or known.member(member.user) is None:
                visitor = None if known is None else known.visitor(member.user)
                actions += self._for_user_alone(member.user, self._add_member, session, member, visitor, now)
            else:
                details = known, session, member, change.reason
                actions += self._for_user_alone(member.user, self._update_member, *details)
        return actions

    def _for_user_alone(
        self,
        id: UserId,
        make: Callable[Concatenate[User, _Details], list[Action]],
        *details: _Details.args,
        **named: _Details.kwargs,
    ) -> list[Action]:
        """Make the actions for one user, if this node has it; an exception closes this user's connection alone."""
        user = self.mailboxes.users.get(id)
        if user is None:
            return []
        try:
            return make(user, *details, **named)
        except Exception as error:  # noqa: BLE001 # the other users and the replica must not miss the change
            return self.mailboxes.abandon(user, error)

    def _update_member(
        self, user: User, known: Session, session: Session, member: Member, reason: LeaveReason
    ) -> list[Action]:
        actions: list[Action] = []
        for event in difference_events(known, session, member, reason):
            if isinstance(event, HostChanged) and event.user == member.user:
                event = evolve(event, ticket=self._issue_ticket(user, session, member))
            actions += self.mailboxes.send_event(user, event)
        return actions

    def _add_member(
        self, user: User, session: Session, member: Member, visitor: Visitor | None, now: float
    ) -> list[Action]:
        """Record that a user is a member now and send it the reply to its `Open` or `Join`."""
        user.sessions.add(session.id)
        user.waiting_at.discard(session.id)
        # The TURN credentials come first: the reply names the members to connect with.
        actions = self.ice.send_to_new_member(user, now) if len(user.sessions) == 1 else []
        # A visitor that asks to open the session may be admitted as a guest first: that does not answer its `Open`.
        pending = None if member.role is Role.GUEST and self._is_opening(user) else self._claim_reply(user, session)
        if pending is None:
            request = None if visitor is None else visitor.request
            actions += self.mailboxes.send_event(user, self._joined(user, session, member, request))
        elif isinstance(pending.operation, OpenSession):
            actions += self.mailboxes.send_event(user, self._opened(user, session, member, pending))
        else:
            actions += self.mailboxes.send_event(user, self._joined(user, session, member, _request_id(pending)))
        actions += self._send_knocks(user, session, member)
        if len(session.members) > 1:
            actions += self.forwarder.forward_early_candidates(user, session)
        return actions

    def _send_knocks(self, user: User, session: Session, member: Member) -> list[Action]:
        if member.role is not Role.HOST:
            return []
        return [action for knock in lobby_knocks(session) for action in self.mailboxes.send_event(user, knock)]

    def _update_visitors(self, known: Session | None, session: Session, turned_away: RefusalReason) -> list[Action]:
        actions: list[Action] = []
        for visitor in session.visitors:
            is_new = known is None or known.visitor(visitor.user) is None
            if is_new or (known is not None and known.wait_reason is not session.wait_reason):
                actions += self._for_user_alone(visitor.user, self._add_visitor, session, visitor, is_new)
        for visitor in () if known is None else known.visitors:
            if session.visitor(visitor.user) is None:
                actions += self._for_user_alone(visitor.user, self._remove_visitor, session.id, visitor, turned_away)
        return actions

    def _add_visitor(self, user: User, session: Session, visitor: Visitor, is_new: bool) -> list[Action]:
        user.waiting_at.add(session.id)
        if is_new:
            self._claim_reply(user, session)
        reply = Waiting(session.id, session.wait_reason, visitor.request if is_new else None)
        return self.mailboxes.send_event(user, reply)

    def _remove_visitor(self, user: User, id: SessionId, visitor: Visitor, turned_away: RefusalReason) -> list[Action]:
        if id not in user.waiting_at:
            return []
        user.waiting_at.discard(id)
        return self.mailboxes.send_event(user, NotAdmitted(id, turned_away, visitor.request))

    def _claim_reply(self, user: User, session: Session) -> PendingDecision | None:
        """Return the user's pending open or join of this session and mark it as answered; None when there is none."""
        pending = self.decisions.for_user(user)
        if pending is None or pending.answered:
            return None
        operation = pending.operation
        if not isinstance(operation, OpenSession | JoinSession):
            return None
        if session.id not in (operation.session, pending.session):
            return None
        pending.answered = True
        return pending

    def _is_opening(self, user: User) -> bool:
        pending = self.decisions.for_user(user)
        return pending is not None and isinstance(pending.operation, OpenSession)

    def _remove_member(self, user: User, id: SessionId, reason: LeaveReason) -> list[Action]:
        if id not in user.sessions:
            return []
        user.sessions.discard(id)
        end_reason = _END_REASONS.get(reason)
        return [] if end_reason is None else self.mailboxes.send_event(user, Ended(id, end_reason))

    def _end_memberships(self, known: Session | None, reason: EndReason) -> list[Action]:
        if known is None:
            return []
        return [
            action
            for member in known.members
            for action in self._for_user_alone(member.user, self._end_membership, known.id, reason)
        ]

    def _end_membership(self, user: User, id: SessionId, reason: EndReason) -> list[Action]:
        if id not in user.sessions:
            return []
        user.sessions.discard(id)
        return self.mailboxes.send_event(user, Ended(id, reason))

    def _issue_ticket(self, user: User, session: Session, member: Member) -> str | None:
        """Issue the rejoin ticket of a member for the longest life of a session; None for one that cannot resume."""
        if user.instance is None:
            return None
        seconds = self.lifetimes.limits.session_life_seconds
        return self.tickets.issue(session.id, user.id, member.role, seconds)

    def _opened(self, user: User, session: Session, member: Member, pending: PendingDecision) -> Opened:
        settings = session.settings
        return Opened(
            session=session.id,
            capacity=settings.capacity,
            locked=settings.locked,
            lobby=settings.lobby,
            members=member_views(session, member),
            label=settings.label,
            relay_only=settings.relay_only,
            host_key=pending.host_key,
            ticket=self._issue_ticket(user, session, member),
            id=_request_id(pending),
        )

    def _joined(self, user: User, session: Session, member: Member, id: RequestId | None = None) -> Joined:
        settings = session.settings
        return Joined(
            session=session.id,
            capacity=settings.capacity,
            locked=settings.locked,
            lobby=settings.lobby,
            role=member.role,
            members=member_views(session, member),
            label=settings.label,
            relay_only=settings.relay_only,
            ticket=self._issue_ticket(user, session, member),
            id=id,
        )

    def _store(self, session: Session, now: float) -> None:
        """Store a replica while it has users on this node, and remove it when it has none."""
        id = session.id
        if self.mailboxes.users.keys().isdisjoint(session.user_ids):
            self.sessions.pop(id, None)
            self.decisions.note_removal(id, session.version)
        else:
            self.sessions[id] = session
        if session.state is SessionState.OPEN and id in self.sessions:
            self.lifetimes.start(id, now)
            self.lifetimes.record_activity(id, now)
        else:
            self.lifetimes.stop(id)
            self.forwarder.early_candidates.pop(id)


def _changes_of(outcome: Outcome) -> tuple[Change, ...]:
    return outcome.changes if isinstance(outcome, Decided | Resumed | NotResumed) else ()


def _request_id(pending: PendingDecision) -> RequestId | None:
    return None if pending.request is None else pending.request.id
