"""Grace periods: what happens to a user when its connection is lost, and when the reconnect grace is over."""

from __future__ import annotations

from enum import Enum

from attrs import define

from signald.core.actions import Action
from signald.core.deadlines import DeadlineKind, Deadlines
from signald.core.decisions import EndIdentity, MarkAway
from signald.core.limits import Limits
from signald.core.mailboxes import Mailboxes
from signald.core.messages import LeaveReason, UserId
from signald.core.pending_decisions import RETRY_SECONDS, PendingDecisions
from signald.core.users import User, UserEvent, UserState


class DisconnectReason(Enum):
    """The way a connection ended, by its close code (RFC 6455 §7.4.1).

    `LEFT` is 1000, a deliberate close; `RELOADING` is 1001, a page that is left or loaded again; `LOST` is any other.
    """

    LEFT = 1
    RELOADING = 2
    LOST = 3


@define
class GracePeriods:
    """Marks users as away when their connection is lost, and ends their identities when they do not come back.

    Attributes:
        limits: the seconds of grace within which a client can resume.
        deadlines: the hub's deadlines.
        mailboxes: the users and what is kept for them.
        decisions: the pending decisions; a resume under way extends the grace.

    """

    limits: Limits
    deadlines: Deadlines
    mailboxes: Mailboxes
    decisions: PendingDecisions

    def disconnect(self, user: User, reason: DisconnectReason, now: float) -> list[Action]:
        """Start the grace of a user whose connection ended, or end its identity where it left or cannot resume."""
        user.peer = None
        if reason is DisconnectReason.LEFT:
            return self._end_identity(user, UserEvent.LEFT, LeaveReason.LEFT)
        user.transition(UserEvent.LOST)
        if user.instance is None:
            return self._end_identity(user, UserEvent.EXPIRED, LeaveReason.GONE)
        is_reloading = reason is DisconnectReason.RELOADING
        user.grace_ends = now + (self.limits.reload_seconds if is_reloading else self.limits.grace_seconds)
        self.deadlines.add(user.grace_ends, DeadlineKind.GRACE, user.id)
        return [self.decisions.submit(MarkAway(user.id))]

    def expire_grace(self, id: UserId, now: float) -> list[Action]:
        """End the identity of a user that is still away when its grace is over."""
        user = self.mailboxes.users.get(id)
        if user is None or user.state is not UserState.AWAY or user.grace_ends > now:
            return []
        if self.decisions.is_resuming(id):
            self.deadlines.add(now + RETRY_SECONDS, DeadlineKind.GRACE, id)
            return []
        return self._end_identity(user, UserEvent.EXPIRED, LeaveReason.GONE)

    def _end_identity(self, user: User, event: UserEvent, reason: LeaveReason) -> list[Action]:
        user.transition(event)
        self.mailboxes.remove_user(user)
        return [self.decisions.submit(EndIdentity(user.id, reason))]
