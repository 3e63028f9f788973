"""Requests: the messages from a client to the hub."""

from __future__ import annotations

from attrs import field, frozen

from signald.core.messages.identifiers import Count, Instance, RequestId, Secret, SessionId, UserId
from signald.core.messages.values import INTERNAL, Candidate, Negotiation, Source, bounded

MAX_TICKET_CHARACTERS = 128
"""The most characters of a rejoin ticket; those of this version have at most 100."""

MAX_CONNECTED_USERS = 64
"""The most users with whom a client can say that it is still connected."""


@frozen
class Hello:
    """The first request of a new client: its protocol version and its capabilities.

    Attributes:
        version: the protocol's version.
        agent: the name of the program.
        features: what the program can or cannot do, such as `no-rollback` or `relay-only`.
        instance: a client that gives one can resume later.
        token: a signed statement of what the client may do (docs/tokens.md).

    """

    version: int
    agent: str | None = field(default=None, metadata=bounded(64))
    features: tuple[str, ...] = field(default=(), metadata=bounded(32))
    instance: Instance | None = None
    token: str | None = field(default=None, repr=False)
    id: RequestId | None = None


@frozen
class Resume:
    """The first request of a reconnecting client, which resumes its identity.

    Attributes:
        version: the protocol's version.
        user: the identity to resume.
        secret: the newest resume secret that the client has.
        instance: the id of the client's run; another one than before means that the client lost its state.
        received: how many counted events the client has received.
        agent, features: as in `Hello`.
        token: as in `Hello`; it counts for the new identity that replaces one that cannot be resumed.
        connected: the members of the client's sessions with whom it still has its peer connections. It counts where
            only the membership is restored.

    """

    version: int
    user: UserId
    secret: Secret = field(repr=False)
    instance: Instance
    received: Count
    agent: str | None = field(default=None, metadata=bounded(64))
    features: tuple[str, ...] = field(default=(), metadata=bounded(32))
    token: str | None = field(default=None, repr=False)
    connected: tuple[UserId, ...] = field(default=(), metadata=bounded(MAX_CONNECTED_USERS))
    id: RequestId | None = None


@frozen
class Open:
    """Open a new session with the sender as its host, or reopen a kept one.

    Attributes:
        capacity: the most members, the host included.
        name: the host's display name.
        label: the session's name.
        password: the password that those who join have to give.
        lobby: whether the host has to admit each guest.
        succession: whether the longest-standing guest becomes the host when the host leaves.
        keep: whether the session is kept after its end, and the host gets a host key to reopen it.
        relay_only: whether all media has to go through TURN servers.
        session, host_key: the kept session to reopen, and its key; a token for that session replaces the key.
        ticket: the rejoin ticket of an earlier identity of the sender; the ticket of a host replaces the key of a
            session that is not open.
        connected: the users with whom the sender still has its peer connections, by the ids that it knows. Those of
            them who show their tickets are let in without password and lobby.

    """

    capacity: int = 2
    name: str | None = field(default=None, metadata=bounded(64))
    label: str | None = field(default=None, metadata=bounded(64))
    password: str | None = field(default=None, metadata=bounded(128, least=1), repr=False)
    lobby: bool = False
    succession: bool = False
    keep: bool = False
    relay_only: bool = False
    session: SessionId | None = None
    host_key: Secret | None = field(default=None, repr=False)
    ticket: str | None = field(default=None, metadata=bounded(MAX_TICKET_CHARACTERS), repr=False)
    connected: tuple[UserId, ...] = field(default=(), metadata=bounded(MAX_CONNECTED_USERS))
    id: RequestId | None = None


@frozen
class Join:
    """Join a session as a guest.

    Attributes:
        session: the session.
        name: the guest's display name.
        password: the session's password.
        ticket: the rejoin ticket of an earlier identity of the sender, which was a member of the session.
        connected: as in `Open`.

    """

    session: SessionId
    name: str | None = field(default=None, metadata=bounded(64))
    password: str | None = field(default=None, metadata=bounded(128, least=1), repr=False)
    ticket: str | None = field(default=None, metadata=bounded(MAX_TICKET_CHARACTERS), repr=False)
    connected: tuple[UserId, ...] = field(default=(), metadata=bounded(MAX_CONNECTED_USERS))
    id: RequestId | None = None


@frozen
class Leave:
    """Leave a session, or stop waiting to be admitted to it."""

    session: SessionId
    id: RequestId | None = None


@frozen
class Change:
    """Change a session's settings; None leaves one unchanged. This and the requests up to `End` are the host's."""

    session: SessionId
    label: str | None = field(default=None, metadata=bounded(64))
    locked: bool | None = None
    lobby: bool | None = None
    id: RequestId | None = None


@frozen
class Admit:
    """Admit a visitor from the lobby."""

    session: SessionId
    user: UserId
    id: RequestId | None = None


@frozen
class Refuse:
    """Turn a visitor in the lobby away."""

    session: SessionId
    user: UserId
    id: RequestId | None = None


@frozen
class Remove:
    """Remove a guest from the session; the guest cannot join it again."""

    session: SessionId
    user: UserId
    id: RequestId | None = None


@frozen
class HandOver:
    """Make a guest the host in the sender's place."""

    session: SessionId
    user: UserId
    id: RequestId | None = None


@frozen
class End:
    """End the session for all members."""

    session: SessionId
    id: RequestId | None = None


@frozen
class Offer:
    """A session description that starts a negotiation (RFC 9429 §4.1.1).

    `to` is the receiver. Dialects without addresses set it to None, which means the only other member.
    """

    session: SessionId
    to: UserId | None
    negotiation: Negotiation
    sdp: str
    id: RequestId | None = None


@frozen
class Answer:
    """A session description that completes a negotiation; `to` is as in `Offer`."""

    session: SessionId
    to: UserId | None
    negotiation: Negotiation
    sdp: str
    id: RequestId | None = None


@frozen
class Candidates:
    """A batch of ICE candidates; `end` marks the end of candidates (RFC 8838 §13).

    `to` is as in `Offer`; with None and no other member yet, the server keeps the batch for the next one that joins.
    `negotiation` is None where a dialect does not number negotiations and none is under way. `source` is the candidate
    as the sender's dialect received it, where that dialect forwards it unchanged.
    """

    session: SessionId
    to: UserId | None
    negotiation: Negotiation | None
    candidates: tuple[Candidate, ...] = field(metadata=bounded(64))
    end: bool = False
    id: RequestId | None = None
    source: Source | None = field(default=None, metadata=INTERNAL)


@frozen
class IceError:
    """A description of an ICE failure for the other member; `to` is as in `Offer`.

    `source` is the whole text where the sender's dialect forwards it unchanged and `text` is a part of it.
    """

    session: SessionId
    to: UserId | None
    text: str = field(metadata=bounded(1024))
    id: RequestId | None = None
    source: Source | None = field(default=None, metadata=INTERNAL)


@frozen
class AppMessage:
    """An application message to one member, or with `to` None to every other member that accepts such messages."""

    session: SessionId
    content: str = field(metadata=bounded(16384))
    to: UserId | None = None
    id: RequestId | None = None


@frozen
class Ack:
    """An acknowledgement of all counted messages up to `received`; both sides send it."""

    received: Count
    id: RequestId | None = None


@frozen
class Ping:
    """A check whether the server still answers."""

    id: RequestId | None = None


@frozen
class Debug:
    """A request to write the number of users and sessions into the server's log."""

    id: RequestId | None = None


Forwardable = Offer | Answer | Candidates | IceError | AppMessage
HostRequest = Change | Admit | Refuse | Remove | HandOver | End
Request = Hello | Resume | Open | Join | Leave | HostRequest | Forwardable | Ack | Ping | Debug
