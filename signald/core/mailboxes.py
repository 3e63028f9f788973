"""Mailboxes: every event to a user goes through its outbox, every message from it is counted in its inbox."""

from __future__ import annotations

from attrs import define, field

from signald.core.actions import Action, Close, ReportError, Send
from signald.core.away_users import AwayUsers
from signald.core.deadlines import DeadlineKind, Deadlines
from signald.core.errors import ErrorCode
from signald.core.limits import AddressKey, Limits
from signald.core.mailbox import Inbox, Outbox
from signald.core.message_sizes import message_size
from signald.core.messages import (
    UNCOUNTED,
    Ack,
    Count,
    CountedEvent,
    Error,
    Event,
    Instance,
    Request,
    SessionId,
    Traits,
    UserId,
)
from signald.core.outbox_quotas import ByteQuota, TotalQuota
from signald.core.users import Peer, PeerEvent, PeerId, PeerState, User


@define
class Mailboxes:
    """Delivers events to users and acknowledges their messages.

    Attributes:
        limits: the bounds of the outboxes and inboxes.
        deadlines: the hub's deadlines.
        users: the users of this node.
        away: those of them that are away.
        quota: the bytes of all outboxes together.
        address_quotas: the bytes of the outboxes of each address, where a user counts under the address of its first
            welcome.

    """

    limits: Limits
    deadlines: Deadlines
    users: dict[UserId, User] = field(factory=dict)
    away: AwayUsers = field(factory=AwayUsers)
    quota: TotalQuota = field(init=False)
    address_quotas: dict[AddressKey, ByteQuota] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        """Create the quota of all outboxes."""
        self.quota = TotalQuota(self.limits.outboxes_bytes, self.limits.address_outboxes_bytes)

    def reload_limits(self, limits: Limits) -> None:
        """Replace the limits, also those of existing mailboxes."""
        self.limits = limits
        self.quota.reload_limits(limits.outboxes_bytes, limits.address_outboxes_bytes)
        for user in self.users.values():
            user.outbox.limits = user.inbox.limits = limits

    def add_user(
        self, id: UserId, peer: PeerId | None, address: AddressKey, traits: Traits, instance: Instance | None
    ) -> User:
        """Create the user of a new identity, with its mailboxes."""
        quota = self.address_quotas.get(address)
        if quota is None:
            quota = self.address_quotas[address] = self.quota.create_quota(address)
        outbox = Outbox(self.limits, quota)
        quota.outboxes[outbox] = None
        user = self.users[id] = User(id, address, traits, instance, outbox, Inbox(self.limits), peer=peer)
        return user

    def remove_user(self, user: User) -> None:
        """Remove a user, which has no connection any more, and discard the events in its outbox."""
        del self.users[user.id]
        user.peer = None
        self.away.discard(user.id)
        user.outbox.clear()
        quota = user.outbox.quota
        del quota.outboxes[user.outbox]
        # The quota knows its address; the user's own address may be another one after a resume.
        if not quota.outboxes:
            del self.address_quotas[quota.address]
            self.quota.remove_quota(quota.address)

    def send_event(self, user: User | None, event: Event) -> list[Action]:
        """Send an event to a user, and keep a counted one until the user acknowledges it.

        An event for a user that is away is only kept; a resume replays it. None as the user means one that this node
        does not know: nothing is sent.
        """
        if user is None:
            return []
        if not isinstance(event, UNCOUNTED):
            if user.instance is None:
                user.outbox.count_unkept()
            else:
                user.outbox.append(event)
        return [] if user.peer is None else [Send(user.peer, event)]

    def reject_request(
        self, user: User, code: ErrorCode, request: Request, session: SessionId | None = None
    ) -> list[Action]:
        """Send the error that rejects a request."""
        return self.send_event(user, Error(code=code, about=type(request), session=session, id=request.id))

    def abandon(self, user: User, error: Exception) -> list[Action]:
        """Close the connection of a user for whom an event could not be made; the others are told theirs.

        The user resumes with its memberships alone and is told about them anew: nobody knows which of the events in its
        outbox it was sent.
        """
        user.outbox.discard()
        return [ReportError(user.peer, error)]

    def has_room_for(self, user: User | None, event: CountedEvent) -> bool:
        """Whether a user's outbox has room for a message from another member."""
        return user is not None and (user.instance is None or user.outbox.has_room(message_size(event)))

    def count_message(self, user: User, bytes: int, now: float) -> list[Action]:
        """Count a message from a user, and acknowledge when enough messages or bytes are outstanding."""
        if user.instance is None:
            return []
        inbox = user.inbox
        due = inbox.ack_due
        if inbox.count_message(bytes, now):
            return self.send_ack(user)
        if due is None and inbox.ack_due is not None:
            self.deadlines.add(inbox.ack_due, DeadlineKind.ACK, user.id)
        return []

    def send_ack(self, user: User) -> list[Action]:
        """Acknowledge all counted messages of a user; one that is away learns the number when it resumes."""
        return [] if user.peer is None else [Send(user.peer, Ack(Count(user.inbox.acknowledge())))]

    def send_due_ack(self, id: UserId, now: float) -> list[Action]:
        """Acknowledge a user's messages when the oldest of them has waited long enough."""
        user = self.users.get(id)
        if user is None or user.inbox.ack_due is None or user.inbox.ack_due > now:
            return []
        return self.send_ack(user)


def close_peer(peer: Peer, code: ErrorCode) -> list[Action]:
    """Close a peer's connection with an error, and ignore all further requests from it."""
    if peer.state is PeerState.CLOSING:
        return []
    peer.transition(PeerEvent.CLOSE)
    peer.queue.waiting.clear()
    return [Close(peer.id, code)]
