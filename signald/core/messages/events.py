"""Events: the messages from the hub to a client, replies to requests among them."""

from __future__ import annotations

from attrs import field, frozen

from signald.core.errors import ErrorCode
from signald.core.ice_server import IceServer
from signald.core.messages.identifiers import Count, RequestId, Secret, SessionId, UserId
from signald.core.messages.requests import Ack, Hello, Ping, Request, Resume
from signald.core.messages.values import (
    INTERNAL,
    Candidate,
    EndReason,
    LeaveReason,
    MemberView,
    Negotiation,
    RefusalReason,
    Role,
    ServerLimits,
    Source,
    Survival,
    WaitReason,
)


@frozen
class Welcome:
    """The reply to `Hello` and `Resume`: the client's identity and the server's limits.

    Attributes:
        version: the protocol's version.
        server: the server's name and version.
        user: the client's identity.
        features: optional abilities of the server.
        limits: the limits that the client has to keep to.
        ice_servers: the STUN and TURN servers for its peer connections.
        secret: the secret for the next resume; None where the client cannot resume.
        grace: seconds after a lost connection within which the client may resume.
        hold: seconds after a `GoingAway` within which the client may resume.
        resumed: after a resume, how much of the earlier state was restored.
        received: after a resume that restored everything, how many counted messages of the client have arrived.
        role: the role that the client's token grants; None without a token.
        session: the only session that the token is valid for; None for any.
        reference: a pseudonym of the client, under which the operator finds it in the logs.
        id: the request's id.

    """

    version: int
    server: str
    user: UserId
    features: tuple[str, ...]
    limits: ServerLimits
    ice_servers: tuple[IceServer, ...]
    secret: Secret | None = field(default=None, repr=False)
    grace: float | None = None
    hold: float | None = None
    resumed: Survival | None = None
    received: Count | None = None
    role: Role | None = None
    session: SessionId | None = None
    reference: str | None = None
    id: RequestId | None = None


@frozen
class Opened:
    """The reply to `Open`; `members` are the others, and `host_key` reopens a kept session.

    `relay_only` says that all media goes through TURN servers. With `ticket` the client comes back into the session
    when the server has lost its identity; a client that cannot resume gets none.
    """

    session: SessionId
    capacity: int
    locked: bool
    lobby: bool
    members: tuple[MemberView, ...] = ()
    label: str | None = None
    host_key: Secret | None = field(default=None, repr=False)
    relay_only: bool = False
    ticket: str | None = field(default=None, repr=False)
    id: RequestId | None = None


@frozen
class Joined:
    """The receiver is a member now, or again after its state was lost; `members` are the others in join order.

    It is the reply to `Join`. `relay_only` and `ticket` are as in `Opened`.
    """

    session: SessionId
    capacity: int
    locked: bool
    lobby: bool
    role: Role
    members: tuple[MemberView, ...]
    label: str | None = None
    relay_only: bool = False
    ticket: str | None = field(default=None, repr=False)
    id: RequestId | None = None


@frozen
class Waiting:
    """The reply to `Join` where the sender has to wait for the host or for admission."""

    session: SessionId
    reason: WaitReason
    id: RequestId | None = None


@frozen
class NotAdmitted:
    """The receiver no longer waits for admission and has not become a member."""

    session: SessionId
    reason: RefusalReason
    id: RequestId | None = None


@frozen
class Left:
    """The reply to `Leave`."""

    session: SessionId
    id: RequestId | None = None


@frozen
class Done:
    """The reply to a request that succeeded and has no reply of its own: `done` on the wire."""

    id: RequestId | None = None


@frozen
class MemberJoined:
    """Another member joined."""

    session: SessionId
    member: MemberView


@frozen
class MemberLeft:
    """Another member left."""

    session: SessionId
    user: UserId
    reason: LeaveReason


@frozen
class MemberAway:
    """Another member's connection is lost; the server keeps messages to it until it is back."""

    session: SessionId
    user: UserId


@frozen
class MemberBack:
    """Another member has reconnected, and no message was lost."""

    session: SessionId
    user: UserId


@frozen
class MemberRenewed:
    """Another member has reconnected without its earlier state: all negotiations with it start over."""

    session: SessionId
    member: MemberView


@frozen
class HostChanged:
    """Another member has become the host, or the receiver has, with the `ticket` of a host."""

    session: SessionId
    user: UserId
    ticket: str | None = field(default=None, repr=False)


@frozen
class Changed:
    """The session's settings have changed to these."""

    session: SessionId
    locked: bool
    lobby: bool
    label: str | None = None


@frozen
class Knock:
    """A visitor waits in the lobby; only the host gets this."""

    session: SessionId
    user: UserId
    name: str | None = None


@frozen
class KnockOver:
    """A visitor no longer waits in the lobby; only the host gets this."""

    session: SessionId
    user: UserId


@frozen
class Ended:
    """The session has ended, or ended for the receiver alone."""

    session: SessionId
    reason: EndReason


@frozen
class ForwardedOffer:
    """An `Offer` from another member."""

    session: SessionId
    sender: UserId
    negotiation: Negotiation
    sdp: str


@frozen
class ForwardedAnswer:
    """An `Answer` from another member."""

    session: SessionId
    sender: UserId
    negotiation: Negotiation
    sdp: str


@frozen
class ForwardedCandidates:
    """`Candidates` from another member.

    There is a `source` where the receiver's dialect is the sender's and forwards texts unchanged.
    """

    session: SessionId
    sender: UserId
    candidates: tuple[Candidate, ...]
    negotiation: Negotiation | None = None
    end: bool = False
    source: Source | None = field(default=None, metadata=INTERNAL)


@frozen
class ForwardedIceError:
    """An `IceError` from another member.

    `source` is as in `ForwardedCandidates`.
    """

    session: SessionId
    sender: UserId
    text: str
    source: Source | None = field(default=None, metadata=INTERNAL)


@frozen
class ForwardedMessage:
    """An `AppMessage` from another member."""

    session: SessionId
    sender: UserId
    content: str


@frozen
class IceServers:
    """The STUN and TURN servers to use from now on; they replace the earlier ones."""

    ice_servers: tuple[IceServer, ...]


@frozen
class GoingAway:
    """The server is stopping; the client reconnects after `after` seconds, and holds messages for `hold` seconds."""

    after: float
    hold: float | None = None


@frozen
class Error:
    """A request was refused and changed nothing.

    Attributes:
        code: the error's code.
        about: the class of the refused request; None when it could not be determined.
        session: the session that the request names, only when the sender is a member of it.
        id: the refused request's id.

    """

    code: ErrorCode
    about: type[Request] | None = None
    session: SessionId | None = None
    id: RequestId | None = None


@frozen
class Pong:
    """The reply to `Ping`."""

    id: RequestId | None = None


CountedEvent = (
    Opened
    | Joined
    | Waiting
    | NotAdmitted
    | Left
    | Done
    | MemberJoined
    | MemberLeft
    | MemberAway
    | MemberBack
    | MemberRenewed
    | HostChanged
    | Changed
    | Knock
    | KnockOver
    | Ended
    | ForwardedOffer
    | ForwardedAnswer
    | ForwardedCandidates
    | ForwardedIceError
    | ForwardedMessage
)
Event = CountedEvent | Welcome | Error | Ack | IceServers | GoingAway | Pong

UNCOUNTED = (Hello, Resume, Welcome, Ack, Ping, Pong, Error, IceServers, GoingAway)
"""The messages that are neither counted nor replayed on a resume, in either direction (docs/protocol.md, "Resume")."""
