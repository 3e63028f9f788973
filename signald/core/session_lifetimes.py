"""Timeouts of open sessions: a session ends when it has been idle for too long, and at a fixed age in any case."""

from __future__ import annotations

from attrs import define, field

from signald.core.deadlines import DeadlineKind, Deadlines
from signald.core.limits import Limits
from signald.core.messages import SessionId


@define
class SessionLifetimes:
    """Tracks when each open session was last active and when it has to end.

    Attributes:
        limits: the idle timeout and the longest life of a session.
        deadlines: the hub's deadlines; each open session has one for its life and one for its next idle check.
        active: when each session last had a change or a forwarded message, monotonic seconds.
        expires: when each session ends in any case, monotonic seconds.
        idle_checks: when each session is next checked for being idle, monotonic seconds.

    """

    limits: Limits
    deadlines: Deadlines
    active: dict[SessionId, float] = field(factory=dict)
    expires: dict[SessionId, float] = field(factory=dict)
    idle_checks: dict[SessionId, float] = field(factory=dict)

    def record_activity(self, id: SessionId, now: float) -> None:
        """Postpone a session's idle timeout, since something was forwarded or changed in it."""
        self.active[id] = now

    def start(self, id: SessionId, now: float) -> None:
        """Start the timeouts of a session that has just opened; a session that has them keeps them."""
        if id not in self.active:
            self.restore(id, now, now + self.limits.session_life_seconds)

    def restore(self, id: SessionId, active: float, expires: float) -> None:
        """Set a session's timeouts: `active` is when it was last active, `expires` when its life ends."""
        self.active[id] = active
        self.expires[id] = expires
        self._schedule_idle_check(id, active + self.limits.session_idle_seconds)
        self.deadlines.add(expires, DeadlineKind.LIFE, id)

    def stop(self, id: SessionId) -> None:
        """Stop the timeouts of a session that has ended or has no users on this node."""
        self.active.pop(id, None)
        self.expires.pop(id, None)
        self.idle_checks.pop(id, None)

    def is_expired(self, id: SessionId, now: float) -> bool:
        """Whether a session's life is over; False for one without timeouts."""
        return id in self.expires and self.expires[id] <= now

    def check_idle(self, id: SessionId, due: float, members: int, now: float) -> bool:
        """Whether a session has been idle for too long; if not, schedule the next check.

        A session with several members is never idle: they may talk without signaling.

        Arguments:
            id: the session.
            due: the time of the deadline that asks for this check. A check that was rescheduled since does nothing.
            members: how many members the session has.
            now: monotonic seconds.

        """
        if self.idle_checks.get(id) != due:
            return False
        idle_at = (now if members > 1 else self.active[id]) + self.limits.session_idle_seconds
        if idle_at > now:
            self._schedule_idle_check(id, idle_at)
            return False
        return True

    def _schedule_idle_check(self, id: SessionId, at: float) -> None:
        self.idle_checks[id] = at
        self.deadlines.add(at, DeadlineKind.IDLE, id)
