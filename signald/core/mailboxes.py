"""What goes to users: sent to their peers, and kept until it is acknowledged."""

from __future__ import annotations

from attrs import define, field

from signald.core.actions import Action, Close, Send
from signald.core.deadlines import DeadlineKind, Deadlines
from signald.core.errors import ErrorCode
from signald.core.limits import AddressKey, Limits
from signald.core.mailbox import ByteQuota, Inbox, Outbox
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
from signald.core.users import Peer, PeerEvent, PeerId, PeerState, User


@define
class Mailboxes:
    """Delivers events.

    Attributes:
        limits: of what is kept.
        deadlines: the hub's.
        users: every identity here.
        room: what all outboxes hold.
        rooms: what those of the users of one address hold, by the address at which each was welcomed first.

    """

    limits: Limits
    deadlines: Deadlines
    users: dict[UserId, User] = field(factory=dict)
    quota: ByteQuota = field(init=False)
    address_quotas: dict[AddressKey, ByteQuota] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        """Make the room, which has a limit too."""
        self.quota = ByteQuota(self.limits.outboxes_bytes)

    def reload_limits(self, limits: Limits) -> None:
        """Go on with other limits, also for what users have waiting already."""
        self.limits = limits
        self.quota.limit = limits.outboxes_bytes
        for room in self.address_quotas.values():
            room.limit = limits.address_outboxes_bytes
        for user in self.users.values():
            user.outbox.limits = user.inbox.limits = limits

    def add_user(
        self, id: UserId, peer: PeerId | None, address: AddressKey, traits: Traits, instance: Instance | None
    ) -> User:
        """Make a new identity's user."""
        room = self.address_quotas.setdefault(
            address, ByteQuota(self.limits.address_outboxes_bytes, self.quota, address)
        )
        room.outboxes += 1
        outbox = Outbox(self.limits, room)
        user = self.users[id] = User(id, address, traits, instance, outbox, Inbox(self.limits), peer=peer)
        return user

    def remove_user(self, user: User) -> None:
        """Forget a user, and what waits for it."""
        del self.users[user.id]
        user.outbox.clear()
        room = user.outbox.quota
        room.outboxes -= 1
        # By the room's address: the user's own may be another one by now.
        if not room.outboxes and room.address is not None:
            del self.address_quotas[room.address]

    def send_event(self, user: User | None, event: Event) -> list[Action]:
        """Send an event to a user; while it is away, keep what counts for its return."""
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
        """Answer a request with an error."""
        return self.send_event(user, Error(code=code, about=type(request), session=session, id=request.id))

    def has_room_for(self, user: User | None, event: CountedEvent) -> bool:
        """Whether a message of another member can be told to a user."""
        return user is not None and (user.instance is None or user.outbox.has_room_for(event))

    def count_message(self, user: User, bytes: int, now: float) -> list[Action]:
        """Count a message of a user, and acknowledge when it is time."""
        if user.instance is None:
            return []
        due = user.inbox.ack_due
        if user.inbox.count_message(bytes, now):
            return self.send_ack(user)
        if due is None and user.inbox.ack_due is not None:
            self.deadlines.add(user.inbox.ack_due, DeadlineKind.ACK, user.id)
        return []

    def send_ack(self, user: User) -> list[Action]:
        """Tell a user how many of its messages have come; one that is away is told when it is back."""
        return [] if user.peer is None else [Send(user.peer, Ack(Count(user.inbox.acknowledge())))]

    def send_due_ack(self, id: UserId, now: float) -> list[Action]:
        """Acknowledge what has waited for long enough."""
        user = self.users.get(id)
        if user is None or user.inbox.ack_due is None or user.inbox.ack_due > now:
            return []
        return self.send_ack(user)


def close_peer(peer: Peer, code: ErrorCode) -> list[Action]:
    """Tell a peer to go; what it says from now on is not heard."""
    if peer.state is PeerState.CLOSING:
        return []
    peer.transition(PeerEvent.CLOSE)
    peer.queue.waiting.clear()
    return [Close(peer.id, code)]
