"""The registry in memory: it decides about identities and membership where one process is all there is."""

from __future__ import annotations

from typing import assert_never

from attrs import define, field

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
from signald.errors import ErrorCode, SignalError
from signald.ids import IdSource
from signald.limits import Limits
from signald.messages import EndReason, LeaveReason, Role, SessionId, UserId
from signald.sessions import Session

_HOST_REASONS = {LeaveReason.LEFT: EndReason.HOST_LEFT, LeaveReason.GONE: EndReason.HOST_GONE}


@define
class MemoryRegistry:
    """The one that knows every identity and every session.

    Attributes:
        ids: makes new ids.
        limits: `user_sessions` is checked here.
        sessions: the records as they are now.
        users: every identity, with the sessions that it is in.

    """

    ids: IdSource
    limits: Limits
    sessions: dict[SessionId, Session] = field(factory=dict)
    users: dict[UserId, set[SessionId]] = field(factory=dict)

    def decide(self, operation: Operation) -> Outcome:
        """Carry out an operation whole, or refuse it and change nothing."""
        try:
            match operation:
                case Identify():
                    return self._identify()
                case Forget():
                    self.users.pop(operation.user, None)
                    return Done()
                case OpenSession():
                    return self._open(operation)
                case JoinSession():
                    return self._join(operation)
                case LeaveSession():
                    return self._leave(operation)
                case EndSession():
                    return self._end(self._session(operation.session), operation.reason)
                case _ as never:
                    assert_never(never)
        except SignalError as error:
            return Refused(error.code)

    def _identify(self) -> Outcome:
        user = self.ids.user()
        while user in self.users:
            user = self.ids.user()
        self.users[user] = set()
        return Identified(user)

    def _open(self, operation: OpenSession) -> Outcome:
        self._check_room(operation.user)
        id = self.ids.session()
        while id in self.sessions:
            id = self.ids.session()
        session = Session.opened(id, operation.capacity, operation.user, operation.traits)
        self.sessions[id] = session
        self.users[operation.user].add(id)
        return SessionChanged(session)

    def _join(self, operation: JoinSession) -> Outcome:
        session = self._session(operation.session).joined(operation.user, operation.traits)
        self._check_room(operation.user)
        self.sessions[session.id] = session
        self.users[operation.user].add(session.id)
        return SessionChanged(session)

    def _leave(self, operation: LeaveSession) -> Outcome:
        session = self._session(operation.session)
        rest = session.without(operation.user)
        if any(member.user == operation.user and member.role is Role.HOST for member in session.members):
            return self._end(session, _HOST_REASONS[operation.reason])
        self.sessions[session.id] = rest
        self._forget_membership(operation.user, session.id)
        return SessionChanged(rest, operation.reason)

    def _end(self, session: Session, reason: EndReason) -> Outcome:
        del self.sessions[session.id]
        for member in session.members:
            self._forget_membership(member.user, session.id)
        return SessionEnded(session.id, reason)

    def _forget_membership(self, user: UserId, session: SessionId) -> None:
        self.users.get(user, set()).discard(session)

    def _session(self, id: SessionId) -> Session:
        session = self.sessions.get(id)
        if session is None:
            raise SignalError(ErrorCode.UNKNOWN_SESSION)
        return session

    def _check_room(self, user: UserId) -> None:
        if len(self.users[user]) >= self.limits.user_sessions:
            raise SignalError(ErrorCode.TOO_MANY_SESSIONS)
