"""The registry in memory: it decides about identities and membership where one process is all there is."""

from __future__ import annotations

import hmac
from itertools import islice
from typing import assert_never

from attrs import define, evolve, field

from signald.core.decisions import (
    Change,
    ConfirmSecret,
    Decided,
    EndSession,
    Forget,
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
    """The one that knows every identity and every session.

    Attributes:
        ids: makes new ids and secrets.
        limits: `user_sessions`, `session_knocks` and those of kept sessions are checked here.
        host_secret: what host keys are made of; whoever keeps it can open kept sessions after a restart.
        now: monotonic seconds, as of the last tick.
        sessions: the records as they are now.
        users: every identity.
        kept: when each session that is kept and not open became so, the oldest first.
        newest: the highest version of a session that is over: one that is opened with its id and key is newer.

    """

    ids: IdSource
    limits: Limits
    host_secret: bytes = field(repr=False)
    now: float = 0.0
    sessions: dict[SessionId, Session] = field(factory=dict)
    users: dict[UserId, Identity] = field(factory=dict)
    kept: dict[SessionId, float] = field(factory=dict)
    newest: int = 0

    def tick(self, now: float) -> None:
        """Forget the kept sessions that nobody has opened for long and at which nobody waits."""
        self.now = now
        for id, since in list(self.kept.items()):
            if now - since < self.limits.kept_seconds:
                break
            self._forget_kept(id)

    def decide(self, operation: Operation) -> Outcome:
        """Carry out an operation whole, or refuse it and change nothing."""
        try:
            match operation:
                case Identify():
                    return self._identify(operation)
                case ResumeUser():
                    return self._resume(operation)
                case RenewUser():
                    return Decided(self._renew(operation.user, operation.traits))
                case ConfirmSecret():
                    self._identity(operation.user).confirm(operation.rotation)
                    return Decided()
                case MarkAway():
                    return Decided(self._mark(operation.user, away=True))
                case Forget():
                    return Decided(self._forget(operation.user, operation.reason))
                case OpenSession():
                    return self._open(operation)
                case JoinSession():
                    return self._join(operation)
                case LeaveSession():
                    session = self._session(operation.session)
                    return Decided((self._leave(session, operation.user, LeaveReason.LEFT),))
                case HostCommand():
                    return Decided((self._govern(operation.user, operation.request),))
                case EndSession():
                    return Decided((self._end(self._session(operation.session), operation.reason),))
                case _ as never:
                    assert_never(never)
        except SignalError as error:
            return Refused(error.code)

    # Identities

    def _identify(self, operation: Identify) -> Outcome:
        user = self.ids.user()
        while user in self.users:
            user = self.ids.user()
        identity = self.users[user] = Identity(instance=operation.instance, grant=operation.grant)
        if operation.instance is None:
            return Identified(user, None, operation.grant)
        secret = self.ids.secret()
        identity.rotate(secret)
        return Identified(user, secret, operation.grant)

    def _resume(self, operation: ResumeUser) -> Outcome:
        identity = self.users.get(operation.user)
        check = SecretCheck.WRONG if identity is None else identity.check(operation.secret)
        if identity is None or check is SecretCheck.WRONG:
            return NotResumed()
        if check is SecretCheck.SPENT:
            return NotResumed(ended=True, changes=self._forget(operation.user, LeaveReason.GONE))
        secret = self.ids.secret()
        identity.rotate(secret)
        whole = operation.whole and operation.instance == identity.instance
        identity.instance = operation.instance
        changes = self._mark(operation.user, away=False) if whole else self._renew(operation.user, operation.traits)
        return Resumed(secret, check is SecretCheck.NEWEST, identity.rotation, whole, changes, identity.grant)

    def _mark(self, user: UserId, away: bool) -> tuple[Change, ...]:
        identity = self._identity(user)
        identity.away = away
        changes = []
        for id in sorted(identity.sessions):
            session = self.sessions[id]
            marked = session.marked(user, away)
            if marked is not session:
                changes.append(self._keep(marked))
        return tuple(changes)

    def _renew(self, user: UserId, traits: Traits) -> tuple[Change, ...]:
        """Renew each membership; one that cannot be renewed ends."""
        identity = self._identity(user)
        identity.away = False
        changes: list[Change] = []
        for id in sorted(identity.sessions):
            session = self.sessions[id]
            try:
                renewed = session.renewed(user, traits).marked(user, away=False)
            except SignalError:
                changes.append(self._leave(session, user, LeaveReason.GONE))
            else:
                if renewed is not session:
                    changes.append(self._keep(evolve(renewed, version=session.version + 1)))
        return tuple(changes)

    def _forget(self, user: UserId, reason: LeaveReason) -> tuple[Change, ...]:
        identity = self._identity(user)
        changes = tuple(self._leave(self.sessions[id], user, reason) for id in sorted(identity.sessions))
        del self.users[user]
        return changes

    def _identity(self, user: UserId) -> Identity:
        identity = self.users.get(user)
        if identity is None:
            raise SignalError(ErrorCode.NOT_A_MEMBER)
        return identity

    # Sessions

    def _open(self, operation: OpenSession) -> Outcome:
        identity = self._identity(operation.user)
        self._check_room(identity)
        host = Person(operation.user, operation.traits, operation.name, identity.away)
        if operation.session is None:
            operation.settings.check_relay(operation.traits)
            id = self.ids.session()
            while id in self.sessions:
                id = self.ids.session()
            change: SessionChanged = self._keep(Session.opened(id, operation.settings, host))
        else:
            id = operation.session
            same = None if self._is_host_key(id, operation.host_key) else self._same(id, operation.grant)
            known = self.sessions.get(id)
            if known is None:
                operation.settings.check_relay(operation.traits)
                opened = Session.opened(id, operation.settings, host)
                change = self._keep(evolve(opened, version=self.newest + 1))
            else:
                claimed = known.claimed(host, operation.settings, same)
                change = self._keep(claimed, LeaveReason.REPLACED, RefusalReason.FULL, before=known)
        key = host_key(self.host_secret, id) if operation.settings.keep else None
        return Decided((change,), session=id, host_key=key)

    def _join(self, operation: JoinSession) -> Outcome:
        identity = self._identity(operation.user)
        session = self.sessions.get(operation.session)
        is_expected = session is None and identity.grant is not None and identity.grant.session == operation.session
        if session is None:
            if not is_expected:
                raise SignalError(ErrorCode.UNKNOWN_SESSION)
            session = Session.expected(operation.session, self.newest)
        person = Person(operation.user, operation.traits, operation.name, identity.away)
        arrived = session.arrived(person, operation.request, operation.proof, self.limits.session_knocks)
        self._check_room(identity)
        change = self._keep(arrived)
        if is_expected:
            self.kept[session.id] = self.now
            self._forget_oldest()
        return Decided((change,), session=session.id)

    def _leave(self, session: Session, user: UserId, reason: LeaveReason) -> Change:
        host = session.host
        if host is not None and host.user == user and session.heir is None:
            return self._end(session, _HOST_REASONS[reason])
        return self._keep(session.without(user), reason, before=session)

    def _govern(self, user: UserId, request: HostRequest) -> Change:
        session = self.sessions.get(request.session)
        if session is None:
            raise SignalError(ErrorCode.NOT_A_MEMBER)
        match request:
            case ChangeRequest():
                changed = session.changed(user, request.label, request.locked, request.lobby)
                return self._keep(changed, turned_away=RefusalReason.FULL, before=session)
            case Admit():
                return self._keep(session.admitted(user, request.user))
            case Refuse():
                refused = session.refused(user, request.user)
                return self._keep(refused, turned_away=RefusalReason.REFUSED, before=session)
            case Remove():
                return self._keep(session.expelled(user, request.user), LeaveReason.REMOVED, before=session)
            case HandOver():
                return self._keep(session.handed_over(user, request.user))
            case EndRequest():
                session.check_host(user)
                return self._end(session, EndReason.BY_HOST)
            case _ as never:
                assert_never(never)

    def _end(self, session: Session, reason: EndReason) -> Change:
        if session.state is not SessionState.OPEN:
            raise SignalError(ErrorCode.UNKNOWN_SESSION)
        ended = session.ended()
        self._keep(ended, before=session)
        if ended.state is SessionState.KEPT:
            self.kept[ended.id] = self.now
            self._forget_oldest()
        return SessionEnded(ended, reason)

    def _keep(
        self,
        session: Session,
        reason: LeaveReason = LeaveReason.LEFT,
        turned_away: RefusalReason = RefusalReason.ENDED,
        before: Session | None = None,
    ) -> SessionChanged:
        """Make this the session's record, and make the identities agree with it and with the one before."""
        for person in session.people:
            self.users[person].sessions.add(session.id)
        for person in before.people - session.people if before is not None else ():
            self.users[person].sessions.discard(session.id)
        if session.state is SessionState.OVER:
            self.sessions.pop(session.id, None)
            self.newest = max(self.newest, session.version)
        else:
            self.sessions[session.id] = session
        if session.state is not SessionState.KEPT:
            self.kept.pop(session.id, None)
        return SessionChanged(session, reason, turned_away)

    def _forget_oldest(self) -> None:
        """Forget as many kept sessions as are too many, the oldest at which nobody waits."""
        too_many = len(self.kept) - self.limits.kept_sessions
        if too_many > 0:
            for id in list(islice((id for id in self.kept if not self.sessions[id].visitors), too_many)):
                self._forget_kept(id)

    def _forget_kept(self, id: SessionId) -> None:
        """Forget a kept session, unless somebody waits there: then it is as new."""
        del self.kept[id]
        session = self.sessions[id]
        if session.visitors:
            self.kept[id] = self.now
        else:
            state = SESSION_TRANSITIONS[session.state, SessionEvent.FORGOTTEN]
            self._keep(evolve(session, state=state))

    def _session(self, id: SessionId) -> Session:
        session = self.sessions.get(id)
        if session is None:
            raise SignalError(ErrorCode.UNKNOWN_SESSION)
        return session

    def _is_host_key(self, id: SessionId, key: Secret | None) -> bool:
        return key is not None and hmac.compare_digest(key.encode(), host_key(self.host_secret, id).encode())

    def _same(self, id: SessionId, grant: Grant | None) -> frozenset[UserId]:
        """Who in a session is the same person, by their tokens, as one whose token lets them open it."""
        if grant is None or grant.session != id:
            raise SignalError(ErrorCode.WRONG_HOST_KEY)
        known = self.sessions.get(id)
        grants = () if known is None else ((member.user, self.users[member.user].grant) for member in known.members)
        return frozenset(user for user, other in grants if other is not None and other.user == grant.user)

    def _check_room(self, identity: Identity) -> None:
        if len(identity.sessions) >= self.limits.user_sessions:
            raise SignalError(ErrorCode.TOO_MANY_SESSIONS)
