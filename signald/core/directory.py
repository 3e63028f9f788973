"""The directory: clients without sessions, which reach each other by their ids or meet in rooms.

It is a registry of its own: no id of it is ever one of a user or a session. It holds plain data and no sockets or
clocks; all times are monotonic seconds. A rejected claim or message changes nothing but its sender's message budget.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from itertools import islice, takewhile

from attrs import define, field, frozen

from signald.core.budgets import SLOW_START_MESSAGES
from signald.core.directory_messages import (
    ClientId,
    ClientJoined,
    ClientLeft,
    Delivered,
    DirectoryAction,
    Disconnect,
    Envelope,
    EnvelopeKind,
    IdTaken,
    Notify,
    Registered,
    Registration,
    Rejected,
    Room,
    Unreachable,
)
from signald.core.directory_queues import WaitingMessage, WaitingMessages
from signald.core.directory_rooms import Group, Rooms
from signald.core.errors import ErrorCode
from signald.core.limits import AddressKey, Limits, TokenBucket
from signald.core.users import PeerId

__all__ = ["EXPELLED_AT_ONCE", "Client", "ClientRecord", "Directory", "WaitingRecord"]

EXPELLED_AT_ONCE = 256
"""Silent clients that a tick disconnects, so that it takes milliseconds when a network fails; the next ticks disconnect
the others."""


@define
class Client:
    """A connected client.

    Attributes:
        id: its id.
        holder: who may take the id over (`Registration`).
        peer: its connection.
        address: the address of its connection.
        budget: the rate limit of its messages.
        heard_at: when its last message arrived.
        group: the group of its room; None without a room.

    """

    id: ClientId
    holder: str = field(repr=False)
    peer: PeerId
    address: AddressKey
    budget: TokenBucket
    heard_at: float
    group: Group | None = None


@frozen
class ClientRecord:
    """A client in a snapshot: its id, and who may take it over."""

    id: ClientId
    holder: str = field(repr=False)


@frozen
class WaitingRecord:
    """A waiting message in a snapshot.

    Attributes:
        sender: the id of its sender.
        address: the address of its sender.
        receiver: the id of its receiver.
        kind: what it contains.
        frame: the text that the receiver is sent.

    """

    sender: ClientId
    address: AddressKey
    receiver: ClientId
    kind: EnvelopeKind
    frame: str = field(repr=False)


@define
class Directory:
    """The clients by id, and the messages to clients that are not connected.

    Attributes:
        limits: all limits.
        clients: the connected clients.
        waiting: the messages to others.
        rooms: the groups of clients in rooms.
        reserved: who may take an id that was in use when the previous process stopped, and until when.

    """

    limits: Limits
    clients: dict[ClientId, Client] = field(factory=dict, init=False)
    waiting: WaitingMessages = field(init=False)
    rooms: Rooms = field(factory=Rooms, init=False)
    reserved: dict[ClientId, tuple[str, float]] = field(factory=dict, init=False)
    _by_peer: OrderedDict[PeerId, Client] = field(factory=OrderedDict, init=False)
    """The connected clients, in the order of their last messages."""

    def __attrs_post_init__(self) -> None:
        """Start without clients."""
        self.waiting = WaitingMessages(self.limits)

    def reload_limits(self, limits: Limits) -> None:
        """Replace the limits; connected clients keep their message rate."""
        self.limits = self.waiting.limits = limits

    def register(
        self, peer: PeerId, address: AddressKey, registration: Registration, now: float, *, slow_start: bool = False
    ) -> list[DirectoryAction]:
        """Give an id to a new connection, deliver what waits for it, and tell those in its room.

        A connection that has the id and the same holder is replaced: it is a ghost, whose end was not noticed yet. In a
        room nobody is, since its clients do not choose their ids.

        Arguments:
            peer: the connection.
            address: its address.
            registration: the id, and who may have it.
            now: monotonic seconds.
            slow_start: whether it starts with a part of its message budget.

        """
        id, room = registration.id, registration.room
        old = self.clients.get(id)
        holder = self._holder(id, now)
        holders = () if room is not None else (registration.holder, *registration.other_holders)
        if holder is not None and holder not in holders:
            return [Notify(peer, IdTaken()), Disconnect(peer, ErrorCode.ID_TAKEN)]
        if holder is None and len(self.clients) + len(self.reserved) >= self.limits.users:
            return self.reject(peer, ErrorCode.SERVER_FULL)
        group: Group | None = None
        if room is not None:
            if not self._is_possible(room):
                return self.reject(peer, ErrorCode.BAD_CAPACITY)
            group = self.rooms.enter(room, id, peer, self.limits.room_members)
            if group is None:
                return self.reject(peer, ErrorCode.ROOM_FULL)
        actions: list[DirectoryAction] = []
        if old is not None:
            # Another tab with the same token is alive, and its user has to know.
            actions += [Notify(old.peer, IdTaken()), Disconnect(old.peer, ErrorCode.REPLACED), *self._remove(old)]
        self.reserved.pop(id, None)
        budget = TokenBucket.full(self.limits.message_rate, self.limits.message_burst, now)
        if slow_start:
            budget.start_slowly(SLOW_START_MESSAGES)
        self.clients[id] = self._by_peer[peer] = Client(id, registration.holder, peer, address, budget, now, group)
        actions.append(Notify(peer, Registered(id)))
        if group is not None:
            # What waits for this id was sent by somebody outside of the room.
            return actions + [Notify(other, ClientJoined(id)) for other in group.members.values() if other != peer]
        for message in self.waiting.take(id):
            actions.append(Notify(peer, Delivered(message.envelope.kind, message.envelope.frame)))
        return actions

    def reject(self, peer: PeerId, code: ErrorCode) -> list[DirectoryAction]:
        """Refuse an id to a new connection."""
        return [Notify(peer, Rejected(code)), Disconnect(peer, code)]

    def peer_of(self, id: ClientId, sender: PeerId) -> PeerId | None:
        """Return the connection of a client that a sender reaches; None where `forward` decides."""
        client, other = self.clients.get(id), self._by_peer.get(sender)
        return None if client is None or other is None or client.group is not other.group else client.peer

    def charge(self, peer: PeerId, now: float) -> bool:
        """Take a message that is forwarded at once from its sender's budget.

        False, and nothing has changed, where `forward` decides.
        """
        sender = self._by_peer.get(peer)
        if sender is None or not sender.budget.take(now):
            return False
        self.note_alive(peer, now)
        return True

    def note_alive(self, peer: PeerId, now: float) -> None:
        """Note that a client is alive, without a charge; a connection without an id is ignored."""
        client = self._by_peer.get(peer)
        if client is not None:
            client.heard_at = now
            self._by_peer.move_to_end(peer)

    def forward(self, peer: PeerId, envelope: Envelope, now: float) -> list[DirectoryAction]:
        """Forward a message, or keep it for a receiver that is not connected.

        The sender is told at once if no more messages can wait for that receiver. In a room no message waits: whoever
        is not in the group has left it.
        """
        sender, actions = self._hear(peer, now)
        if sender is None:
            return actions
        receiver = self.clients.get(envelope.receiver)
        if receiver is not None and receiver.group is sender.group:
            return [Notify(receiver.peer, Delivered(envelope.kind, envelope.frame))]
        if receiver is not None or sender.group is not None or not envelope.kind.waits:
            return []
        if self.waiting.keep(WaitingMessage(sender.id, sender.address, envelope), now):
            return []
        return [Notify(peer, Unreachable(envelope.receiver))]

    def hear(self, peer: PeerId, now: float) -> list[DirectoryAction]:
        """Note that a client is alive: a heartbeat has arrived, or a message that means nothing."""
        return self._hear(peer, now)[1]

    def leave(self, peer: PeerId, now: float) -> list[DirectoryAction]:
        """Free the id of a client that gives it back, and close its connection."""
        sender, actions = self._hear(peer, now)
        if sender is None:
            return actions
        return self._expel(sender, None)

    def disconnected(self, peer: PeerId) -> list[DirectoryAction]:
        """Free the id of a client whose connection has ended, and tell those in its room."""
        client = self._by_peer.get(peer)
        return [] if client is None else self._remove(client)

    def tick(self, now: float, is_held: Callable[[PeerId], bool] = lambda _: False) -> list[DirectoryAction]:
        """Expire waiting messages and reservations, and close connections without heartbeats; call this each second.

        Arguments:
            now: monotonic seconds.
            is_held: whether the server does not read from a connection, so that its heartbeats may be unread.

        """
        actions: list[DirectoryAction] = []
        for message in self.waiting.take_expired(now):
            sender = self.clients.get(message.sender)
            if sender is not None:
                actions.append(Notify(sender.peer, Unreachable(message.envelope.receiver)))
        seconds = self.limits.directory_silence_seconds
        oldest = islice(self._by_peer.values(), EXPELLED_AT_ONCE)
        for client in list(takewhile(lambda client: client.heard_at + seconds <= now, oldest)):
            if is_held(client.peer):
                # What it has sent is read when the hold ends, and so it gets its whole time again.
                self.note_alive(client.peer, now)
            else:
                actions += self._expel(client, ErrorCode.HEARTBEAT_TIMEOUT)
        self.reserved = {id: kept for id, kept in self.reserved.items() if kept[1] > now}
        return actions

    # Snapshots

    def client_records(self) -> list[ClientRecord]:
        """Return the ids in use, and those that are reserved."""
        reserved = [ClientRecord(id, holder) for id, (holder, _) in self.reserved.items()]
        return [*(ClientRecord(client.id, client.holder) for client in self.clients.values()), *reserved]

    def waiting_records(self) -> list[WaitingRecord]:
        """Return the messages to clients that are not connected."""
        return [
            WaitingRecord(
                message.sender,
                message.address,
                message.envelope.receiver,
                message.envelope.kind,
                message.envelope.frame.decode(),
            )
            for message in self.waiting.messages
        ]

    def restore(self, clients: list[ClientRecord], waiting: list[WaitingRecord], now: float) -> None:
        """Reserve the ids of another process for their holders, and keep its waiting messages as if they were new."""
        until = now + self.limits.grace_seconds
        self.reserved.update({record.id: (record.holder, until) for record in clients})
        for record in waiting:
            envelope = Envelope(record.kind, record.receiver, record.frame.encode())
            self.waiting.keep(WaitingMessage(record.sender, record.address, envelope), now)

    # Details

    def _holder(self, id: ClientId, now: float) -> str | None:
        """Who has an id, or may have it again; None where it is free."""
        client = self.clients.get(id)
        if client is not None:
            return client.holder
        holder, until = self.reserved.get(id, (None, now))
        return holder if until > now else None

    def _hear(self, peer: PeerId, now: float) -> tuple[Client | None, list[DirectoryAction]]:
        """Take a message from a client's budget; the client is None where it has no id, or is closed for its rate."""
        client = self._by_peer.get(peer)
        if client is None:
            return None, []
        if not client.budget.take(now):
            return None, self._expel(client, ErrorCode.TOO_MANY_MESSAGES)
        self.note_alive(peer, now)
        return client, []

    def _expel(self, client: Client, code: ErrorCode | None) -> list[DirectoryAction]:
        return [Disconnect(client.peer, code), *self._remove(client)]

    def _remove(self, client: Client) -> list[DirectoryAction]:
        """Free a client's id; returns what those in its room are told."""
        del self.clients[client.id], self._by_peer[client.peer]
        group = client.group
        if group is None:
            return []
        self.rooms.leave(group, client.id)
        return [Notify(peer, ClientLeft(client.id)) for peer in group.members.values()]

    def _is_possible(self, room: Room) -> bool:
        """Whether the group of a room can get complete."""
        return room.size is None or 1 <= room.size <= self.limits.room_members
