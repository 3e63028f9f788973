"""The registry in memory: it decides about identities and memberships for a server of one process."""

from __future__ import annotations

import hmac
from itertools import islice
from typing import assert_never

from attrs import define, evolve, field

from signald.core.change_set import ChangeSet
from signald.core.decisions import (
    Change,
    ConfirmSecret,
    Decided,
    EndIdentity,
    EndSession,
    HostCommand,
    Identified,
    Identify,
    JoinSession,
    LeaveSession,
    MarkAway,
    NotResumed,
    OpenSession,
    Operation,
    Outcome,
    Refused,
    RenewUser,
    Resumed,
    ResumeUser,
    SessionChanged,
    SessionEnded,
)
from signald.core.errors import ErrorCode, SignalError
from signald.core.grant import Grant
from signald.core.identities import Identity, SecretCheck
from signald.core.ids import IdSource, host_key
from signald.core.limits import Limits
from signald.core.members import Person
from signald.core.messages import (
    Admit,
    EndReason,
    HandOver,
    HostRequest,
    LeaveReason,
    RefusalReason,
    Refuse,
    Remove,
    Secret,
    SessionId,
    Traits,
    UserId,
)
from signald.core.messages import Change as ChangeRequest
from signald.core.messages import End as EndRequest
from signald.core.sessions import SESSION_TRANSITIONS, Session, SessionEvent, SessionState

_HOST_REASONS = {LeaveReason.LEFT: EndReason.HOST_LEFT, LeaveReason.GONE: EndReason.HOST_GONE}


@define
class MemoryRegistry:
    """Owns all identities and sessions and carries out operations on them.

    Attributes:
        ids: makes new ids and secrets.
        limits: the registry checks `user_sessions`, `session_knocks` and the limits of kept sessions.
        host_secret: the secret that host keys are derived from; as long as it stays, host keys survive a restart.
        now: the time of the last tick, monotonic seconds.
        sessions: the current version of each session.
        users: all identities.
        kept_since: when each kept session stopped being open, monotonic seconds, the oldest first.
        highest_version: the highest version of any session that is over, so that a session which is opened again
            under the id of one that is over gets a higher version.
        changes: the users and sessions that have changed since the journal last wrote them.

    """

    ids: IdSource
    limits: Limits
    host_secret: bytes = field(repr=False)
    now: float = 0.0
    sessions: dict[SessionId, Session] = field(factory=dict)
    users: dict[UserId, Identity] = field(factory=dict)
    kept_since: dict[SessionId, float] = field(factory=dict)
    highest_version: int = 0
    changes: ChangeSet = field(factory=ChangeSet)

    def tick(self, now: float) -> None:
        """Forget the kept sessions that have not been open for too long and have no visitors."""
        self.now = now
        for id, since in list(self.kept_since.items()):
            if now - since < self.limits.kept_seconds:
                break
            self._forget_kept(id)

    def decide(self, operation: Operation) -> Outcome:
        """Carry out an operation completely, or refuse it and change nothing."""
        try:
            match operation:
                case Identify():
                    return self._identify(operation)
                case ResumeUser():
                    return self._resume(operation)
                case RenewUser():
                    return Decided(self._renew(operation.user, operation.traits, operation.connected))
                case ConfirmSecret():
                    self._identity(operation.user).confirm_secret(operation.rotation)
                    self.changes.add_user(operation.user)
                    return Decided()
                case MarkAway():
                    return Decided(self._mark_presence(operation.user, away=True))
                case EndIdentity():
                    return Decided(self._end_identity(operation.user, operation.reason))
                case OpenSession():
                    return self._open(operation)
                case JoinSession():
                    return self._join(operation)
                case LeaveSession():
                    session = self._session(operation.session)
                    return Decided((self._leave(session, operation.user, LeaveReason.LEFT),))
                case HostCommand():
                    return Decided((self._carry_out_host_command(operation.user, operation.request),))
                case EndSession():
                    return Decided((self._end(self._session(operation.session), operation.reason),))
                case _ as never:
                    assert_never(never)
        except SignalError as error:
            return Refused(error.code)

    # Identities

    def _identify(self, operation: Identify) -> Outcome:
        user = self.ids.new_user_id()
        while user in self.users:
            user = self.ids.new_user_id()
        identity = self.users[user] = Identity(instance=operation.instance, grant=operation.grant)
        self.changes.add_user(user)
        if operation.instance is None:
            return Identified(user, None, operation.grant)
        secret = self.ids.new_secret()
        identity.rotate_secret(secret)
        return Identified(user, secret, operation.grant)

    def _resume(self, operation: ResumeUser) -> Outcome:
        identity = self.users.get(operation.user)
        check = SecretCheck.WRONG if identity is None else identity.check_secret(operation.secret)
        if identity is None or check is SecretCheck.WRONG:
            return NotResumed()
        if check is SecretCheck.SPENT:
            return NotResumed(reused=True, changes=self._end_identity(operation.user, LeaveReason.GONE))
        secret = self.ids.new_secret()
        identity.rotate_secret(secret)
        whole = operation.can_replay and operation.instance == identity.instance
        identity.instance = operation.instance
        changes = (
            self._mark_presence(operation.user, away=False)
            if whole
            else self._renew(operation.user, operation.traits, operation.connected)
        )
        return Resumed(secret, check is SecretCheck.NEWEST, identity.rotation, whole, changes, identity.grant)

    def _mark_presence(self, user: UserId, away: bool) -> tuple[Change, ...]:
        identity = self._identity(user)
        identity.away = away
        self.changes.add_user(user)
        changes = []
        for id in sorted(identity.sessions):
            session = self.sessions[id]
            marked = session.with_presence(user, away)
            if marked is not session:
                changes.append(self._store(marked))
        return tuple(changes)

    def _renew(self, user: UserId, traits: Traits, connected: tuple[UserId, ...]) -> tuple[Change, ...]:
        """Make all negotiations of a user start over; a membership for which that is impossible ends.

        Members who still have their peer connections with it, and are named in `connected`, do not start over.
        """
        identity = self._identity(user)
        identity.away = False
        self.changes.add_user(user)
        changes: list[Change] = []
        for id in sorted(identity.sessions):
            session = self.sessions[id]
            try:
                renewed = session.with_renewed_member(user, traits, connected).with_presence(user, away=False)
            except SignalError:
                changes.append(self._leave(session, user, LeaveReason.GONE))
            else:
                if renewed is not session:
                    changes.append(self._store(evolve(renewed, version=session.version + 1)))
        return tuple(changes)

    def _end_identity(self, user: UserId, reason: LeaveReason) -> tuple[Change, ...]:
        identity = self._identity(user)
        changes = tuple(self._leave(self.sessions[id], user, reason) for id in sorted(identity.sessions))
        del self.users[user]
        self.changes.add_user(user)
        return changes

    def _identity(self, user: UserId) -> Identity:
        identity = self.users.get(user)
        if identity is None:
            raise SignalError(ErrorCode.NOT_A_MEMBER)
        return identity

    # Sessions

    def _open(self, operation: OpenSession) -> Outcome:
        identity = self._identity(operation.user)
        self._check_session_limit(identity)
        host = _person(operation, identity)
        if operation.session is None:
            operation.settings.check_relay(operation.traits)
            id = self.ids.new_session_id()
            while id in self.sessions:
                id = self.ids.new_session_id()
            change: SessionChanged = self._store(Session.new(id, operation.settings, host))
        else:
            id = operation.session
            known = self.sessions.get(id)
            is_open = known is not None and known.state is SessionState.OPEN
            # The ticket of an earlier host must not displace the host of a session that goes on.
            may_reopen = self._is_host_key(id, operation.host_key) or (operation.reopens and not is_open)
            same = None if may_reopen else self._same_person(id, operation.grant)
            if known is None:
                operation.settings.check_relay(operation.traits)
                opened = Session.new(id, operation.settings, host)
                change = self._store(evolve(opened, version=self.highest_version + 1))
            else:
                claimed = known.reopened_by(host, operation.settings, same)
                change = self._store(claimed, LeaveReason.REPLACED, RefusalReason.FULL, before=known)
        key = host_key(self.host_secret, id) if operation.settings.keep else None
        return Decided((change,), session=id, host_key=key)

    def _join(self, operation: JoinSession) -> Outcome:
        identity = self._identity(operation.user)
        session = self.sessions.get(operation.session)
        is_granted = identity.grant is not None and identity.grant.session == operation.session
        may_await_host = is_granted or operation.former is not None
        is_awaiting_host = session is None and may_await_host
        if (session is None or session.awaits_first_host) and not may_await_host:
            # Without a ticket or token the answer is `unknown-session`: the session does not exist, or its host is not
            # back yet, so no password is known.
            raise SignalError(ErrorCode.UNKNOWN_SESSION)
        if session is None:
            session = Session.awaiting_host(operation.session, self.highest_version, keep=is_granted)
        person = _person(operation, identity)
        arrived = session.with_arrival(person, operation.request, operation.proof, self.limits.session_knocks)
        self._check_session_limit(identity)
        change = self._store(arrived)
        if is_awaiting_host:
            self.kept_since[session.id] = self.now
            self._forget_oldest_kept()
        return Decided((change,), session=session.id)

    def _leave(self, session: Session, user: UserId, reason: LeaveReason) -> Change:
        host = session.host
        if host is not None and host.user == user and session.next_host is None:
            return self._end(session, _HOST_REASONS[reason])
        left = session.without(user, returns=reason is LeaveReason.GONE)
        if left.awaits_first_host and not left.visitors:
            left = evolve(left, state=SESSION_TRANSITIONS[left.state, SessionEvent.FORGOTTEN])
        return self._store(left, reason, before=session)

    def _carry_out_host_command(self, user: UserId, request: HostRequest) -> Change:
        session = self.sessions.get(request.session)
        if session is None:
            raise SignalError(ErrorCode.NOT_A_MEMBER)
        match request:
            case ChangeRequest():
                changed = session.with_settings(user, request.label, request.locked, request.lobby)
                return self._store(changed, turned_away=RefusalReason.FULL, before=session)
            case Admit():
                return self._store(session.with_visitor_admitted(user, request.user))
            case Refuse():
                refused = session.with_visitor_refused(user, request.user)
                return self._store(refused, turned_away=RefusalReason.REFUSED, before=session)
            case Remove():
                return self._store(session.with_guest_removed(user, request.user), LeaveReason.REMOVED, before=session)
            case HandOver():
                return self._store(session.with_new_host(user, request.user))
            case EndRequest():
                session.check_host(user)
                return self._end(session, EndReason.BY_HOST)
            case _ as never:
                assert_never(never)

    def _end(self, session: Session, reason: EndReason) -> Change:
        if session.state is not SessionState.OPEN:
            raise SignalError(ErrorCode.UNKNOWN_SESSION)
        ended = session.ended()
        self._store(ended, before=session)
        if ended.state is SessionState.KEPT:
            self.kept_since[ended.id] = self.now
            self._forget_oldest_kept()
        return SessionEnded(ended, reason)

    def _store(
        self,
        session: Session,
        reason: LeaveReason = LeaveReason.LEFT,
        turned_away: RefusalReason = RefusalReason.ENDED,
        before: Session | None = None,
    ) -> SessionChanged:
        """Store a new version of a session, and update the identities that are in it or were in the one before."""
        self.changes.add_session(session.id)
        for person in session.user_ids:
            self.users[person].sessions.add(session.id)
        for person in before.user_ids - session.user_ids if before is not None else ():
            self.users[person].sessions.discard(session.id)
        if session.state is SessionState.OVER:
            self.sessions.pop(session.id, None)
            self.highest_version = max(self.highest_version, session.version)
        else:
            self.sessions[session.id] = session
        if session.state is not SessionState.KEPT:
            self.kept_since.pop(session.id, None)
        return SessionChanged(session, reason, turned_away)

    def _forget_oldest_kept(self) -> None:
        """Forget the oldest kept sessions without visitors, as many as exceed the limit."""
        too_many = len(self.kept_since) - self.limits.kept_sessions
        if too_many > 0:
            for id in list(islice((id for id in self.kept_since if not self.sessions[id].visitors), too_many)):
                self._forget_kept(id)

    def _forget_kept(self, id: SessionId) -> None:
        """Forget a kept session, or keep it for another period if it has visitors."""
        del self.kept_since[id]
        session = self.sessions[id]
        if session.visitors:
            self.kept_since[id] = self.now
            self.changes.add_session(id)
        else:
            state = SESSION_TRANSITIONS[session.state, SessionEvent.FORGOTTEN]
            self._store(evolve(session, state=state))

    def _session(self, id: SessionId) -> Session:
        session = self.sessions.get(id)
        if session is None:
            raise SignalError(ErrorCode.UNKNOWN_SESSION)
        return session

    def _is_host_key(self, id: SessionId, key: Secret | None) -> bool:
        return key is not None and hmac.compare_digest(key.encode(), host_key(self.host_secret, id).encode())

    def _same_person(self, id: SessionId, grant: Grant | None) -> frozenset[UserId]:
        """The members of a session whose tokens name the same person as the token that reopens it."""
        if grant is None or grant.session != id:
            raise SignalError(ErrorCode.WRONG_HOST_KEY)
        known = self.sessions.get(id)
        grants = () if known is None else ((member.user, self.users[member.user].grant) for member in known.members)
        return frozenset(user for user, other in grants if other is not None and other.user == grant.user)

    def _check_session_limit(self, identity: Identity) -> None:
        if len(identity.sessions) >= self.limits.user_sessions:
            raise SignalError(ErrorCode.TOO_MANY_SESSIONS)


def _person(operation: OpenSession | JoinSession, identity: Identity) -> Person:
    """The user that opens or joins a session."""
    return Person(
        operation.user, operation.traits, operation.name, identity.away, operation.former, operation.connected
    )
