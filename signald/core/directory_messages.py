"""Messages of the directory: what clients that are reached by ids of their own choice say and are told."""

from __future__ import annotations

from enum import Enum
from typing import NewType

from attrs import field, frozen

from signald.core.errors import ErrorCode
from signald.core.users import PeerId

__all__ = [
    "ClientId",
    "ClientJoined",
    "ClientLeft",
    "Delivered",
    "DirectoryAction",
    "DirectoryEvent",
    "Disconnect",
    "Envelope",
    "EnvelopeKind",
    "IdTaken",
    "Notify",
    "Registered",
    "Registration",
    "Rejected",
    "Room",
    "Unreachable",
]

ClientId = NewType("ClientId", str)
"""The id of a client, by which others reach it; it has nothing to do with the ids of users and sessions."""


class EnvelopeKind(Enum):
    """What an envelope contains."""

    OFFER = "offer"
    ANSWER = "answer"
    CANDIDATE = "candidate"
    LEAVE = "leave"
    EXPIRE = "expire"
    MESSAGE = "message"

    @property
    def waits(self) -> bool:
        """Whether such an envelope waits for a receiver that is not connected."""
        return self in _WAITING_KINDS


_WAITING_KINDS = frozenset({EnvelopeKind.OFFER, EnvelopeKind.ANSWER, EnvelopeKind.CANDIDATE})


@frozen
class Room:
    """A place where clients meet who do not know each other's ids.

    Attributes:
        name: its name.
        size: how many clients make a group that no other one enters; None where all who come are together.

    """

    name: str
    size: int | None = None


@frozen
class Registration:
    """A client's claim to an id.

    Attributes:
        id: the id.
        holder: identifies who may take the id over: a digest of the client's secret, or its verified user.
        other_holders: who the client is as well, so that it gets back an id that it had under other rules.
        room: the room that the client enters, where it reaches the others in its group and nobody else; None for a
            client that reaches all others without a room.

    """

    id: ClientId
    holder: str = field(repr=False)
    other_holders: tuple[str, ...] = field(default=(), repr=False)
    room: Room | None = None


@frozen
class Envelope:
    """A message to another client.

    Attributes:
        kind: what it contains.
        receiver: the id of the other client.
        frame: the text that the receiver is sent, which names the sender.

    """

    kind: EnvelopeKind
    receiver: ClientId
    frame: bytes = field(repr=False)


@frozen
class Registered:
    """The client has its id."""

    id: ClientId


@frozen
class Delivered:
    """A message of another client."""

    kind: EnvelopeKind
    frame: bytes = field(repr=False)


@frozen
class Unreachable:
    """A client to which messages were sent has not connected in time, or too many wait for it."""

    id: ClientId


@frozen
class IdTaken:
    """The id belongs to another client."""


@frozen
class Rejected:
    """The client cannot have an id, for this error."""

    code: ErrorCode


@frozen
class ClientJoined:
    """Another client has entered the room; whoever is told is to send it an offer."""

    id: ClientId


@frozen
class ClientLeft:
    """Another client has left the room."""

    id: ClientId


DirectoryEvent = Registered | Delivered | Unreachable | IdTaken | Rejected | ClientJoined | ClientLeft
"""What a client is told."""


@frozen
class Notify:
    """Send an event to a connection."""

    peer: PeerId
    event: DirectoryEvent


@frozen
class Disconnect:
    """Close a connection; the code is None where its client asked for that."""

    peer: PeerId
    code: ErrorCode | None


DirectoryAction = Notify | Disconnect
"""What the directory returns to be carried out, in order."""
