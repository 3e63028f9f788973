"""The ids of users and sessions that have changed since the journal last wrote them."""

from __future__ import annotations

from attrs import define, field

from signald.core.messages import SessionId, UserId

__all__ = ["ChangeSet"]


@define
class ChangeSet:
    """Collects changed ids, each once and in the order of their first change, until `take` empties it.

    The registry adds to it, and the journal empties it after each decision, so it stays small.
    """

    _users: dict[UserId, None] = field(init=False, factory=dict)
    _sessions: dict[SessionId, None] = field(init=False, factory=dict)

    def __bool__(self) -> bool:
        """Whether anything has changed."""
        return bool(self._users or self._sessions)

    def add_user(self, id: UserId) -> None:
        """Note that an identity is new, changed or over."""
        self._users[id] = None

    def add_session(self, id: SessionId) -> None:
        """Note that a session is new, changed or over."""
        self._sessions[id] = None

    def take(self) -> tuple[list[UserId], list[SessionId]]:
        """Return the changed users and the changed sessions, and start over."""
        users, sessions = list(self._users), list(self._sessions)
        self._users.clear()
        self._sessions.clear()
        return users, sessions
