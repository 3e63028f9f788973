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
    room: ByteQuota = field(init=False)
    rooms: dict[AddressKey, ByteQuota] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        """Make the room, which has a limit too."""
        self.room = ByteQuota(self.limits.outboxes_bytes)

    def configure(self, limits: Limits) -> None:
        """Go on with other limits, also for what users have waiting already."""
        self.limits = limits
        self.room.most = limits.outboxes_bytes
        for room in self.rooms.values():
            room.most = limits.address_outboxes_bytes
        for user in self.users.values():
            user.outbox.limits = user.inbox.limits = limits

    def add(
        self, id: UserId, peer: PeerId | None, address: AddressKey, traits: Traits, instance: Instance | None
    ) -> User:
        """Make a new identity's user."""
        room = self.rooms.setdefault(address, ByteQuota(self.limits.address_outboxes_bytes, self.room, address))
        room.outboxes += 1
        outbox = Outbox(self.limits, room)
        user = self.users[id] = User(id, address, traits, instance, outbox, Inbox(self.limits), peer=peer)
        return user

    def drop(self, user: User) -> None:
        """Forget a user, and what waits for it."""
        del self.users[user.id]
        user.outbox.clear()
        room = user.outbox.room
        room.outboxes -= 1
        # By the room's address: the user's own may be another one by now.
        if not room.outboxes and room.address is not None:
            del self.rooms[room.address]

    def tell(self, user: User | None, event: Event) -> list[Action]:
        """Send an event to a user; while it is away, keep what counts for its return."""
        if user is None:
            return []
        if not isinstance(event, UNCOUNTED):
            if user.instance is None:
                user.outbox.skip()
            else:
                user.outbox.put(event)
        return [] if user.peer is None else [Send(user.peer, event)]

    def refuse(self, user: User, code: ErrorCode, request: Request, session: SessionId | None = None) -> list[Action]:
        """Answer a request with an error."""
        return self.tell(user, Error(code=code, about=type(request), session=session, id=request.id))

    def has_room(self, user: User | None, event: CountedEvent) -> bool:
        """Whether a message of another member can be told to a user."""
        return user is not None and (user.instance is None or user.outbox.has_room(event))

    def count(self, user: User, bytes: int, now: float) -> list[Action]:
        """Count a message of a user, and acknowledge when it is time."""
        if user.instance is None:
            return []
        due = user.inbox.due
        if user.inbox.take(bytes, now):
            return self.acknowledge(user)
        if due is None and user.inbox.due is not None:
            self.deadlines.add(user.inbox.due, DeadlineKind.ACK, user.id)
        return []

    def acknowledge(self, user: User) -> list[Action]:
        """Tell a user how many of its messages have come; one that is away is told when it is back."""
        return [] if user.peer is None else [Send(user.peer, Ack(Count(user.inbox.acknowledge())))]

    def acknowledge_due(self, id: UserId, now: float) -> list[Action]:
        """Acknowledge what has waited for long enough."""
        user = self.users.get(id)
        if user is None or user.inbox.due is None or user.inbox.due > now:
            return []
        return self.acknowledge(user)


def close(peer: Peer, code: ErrorCode) -> list[Action]:
    """Tell a peer to go; what it says from now on is not heard."""
    if peer.state is PeerState.CLOSING:
        return []
    peer.step(PeerEvent.CLOSE)
    peer.queue.waiting.clear()
    return [Close(peer.id, code)]
