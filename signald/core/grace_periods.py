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

    `LEFT` is the client's 1000, a deliberate close; `RELOADING` is its 1001, a page that is left or loaded again;
    `OFFENCE` is a code of the server's that blames the client; `LOST` is any other.
    """

    LEFT = 1
    RELOADING = 2
    LOST = 3
    OFFENCE = 4


@define
class GracePeriods:
    """Marks users as away when their connection is lost, and ends their identities when they do not come back.

    Attributes:
        limits: the seconds of grace within which a client can resume.
        deadlines: the hub's deadlines.
        mailboxes: the users and what is kept for them.
        decisions: the pending decisions; a resume under way extends the grace.
        ended_early: how many users ended before their grace was over, to make room for others.

    """

    limits: Limits
    deadlines: Deadlines
    mailboxes: Mailboxes
    decisions: PendingDecisions
    ended_early: int = 0

    def disconnect(self, user: User, reason: DisconnectReason, now: float) -> list[Action]:
        """Start the grace of a user whose connection ended, or end its identity where it left or cannot resume."""
        user.peer = None
        user.has_offended = reason is DisconnectReason.OFFENCE
        if reason is DisconnectReason.LEFT:
            return self._end_identity(user, UserEvent.LEFT, LeaveReason.LEFT)
        user.transition(UserEvent.LOST)
        if user.instance is None:
            return self._end_identity(user, UserEvent.EXPIRED, LeaveReason.GONE)
        is_reloading = reason is DisconnectReason.RELOADING
        user.grace_ends = now + (self.limits.reload_seconds if is_reloading else self.limits.grace_seconds)
        self.deadlines.add(user.grace_ends, DeadlineKind.GRACE, user.id)
        self.mailboxes.away.add(user.id, user.address)
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

    def make_room(self) -> list[Action]:
        """End the identity of the user that has been away for longest of the address with most users that are away.

        So an address that leaves identities behind pays for it, and not the next client. A user whose resume is under
        way is spared.
        """
        for id in self.mailboxes.away.of_fullest():
            if not self.decisions.is_resuming(id):
                self.ended_early += 1
                return self._end_identity(self.mailboxes.users[id], UserEvent.EXPIRED, LeaveReason.GONE)
        return []

    def leave(self, id: UserId) -> list[Action]:
        """End the identity of a user that is away and has told the process before this one that it leaves."""
        user = self.mailboxes.users.get(id)
        if user is None or user.state is not UserState.AWAY or self.decisions.is_resuming(id):
            return []
        return self._end_identity(user, UserEvent.EXPIRED, LeaveReason.LEFT)

    def _end_identity(self, user: User, event: UserEvent, reason: LeaveReason) -> list[Action]:
        user.transition(event)
        self.mailboxes.remove_user(user)
        return [self.decisions.submit(EndIdentity(user.id, reason))]
