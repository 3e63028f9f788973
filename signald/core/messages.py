"""The messages between peers and the hub, whatever dialect they travel in: plain attrs classes and their id types.

The bounds of a request's values stand in the fields' metadata; the dialects check them, so that the hub need not.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NewType

from attrs import field, frozen

from signald.core.errors import ErrorCode

UserId = NewType("UserId", str)
"""An identity: 26 symbols of Crockford's base 32."""

SessionId = NewType("SessionId", str)
"""A session: ten symbols of Crockford's base 32, canonical form."""

RequestId = NewType("RequestId", str)
"""What a client calls its request; the reply or error carries the same."""

Secret = NewType("Secret", str)
"""256 random bits in base64url, 43 symbols: a resume secret or a host key."""

Instance = NewType("Instance", str)
"""What a client chose at random when it started: a reloaded page is another one."""

Count = NewType("Count", int)
"""How many countable messages (docs/protocol.md, "Resume")."""

MOST_TOKEN = 4096
"""Characters of a token: enough for one with dozens of claims, and little enough to keep."""


def _bounded(most: int, least: int = 0) -> Mapping[str, int]:
    """Field metadata: the most characters or elements that a request may have; of a number, its range."""
    return {"most": most, "least": least}


class Role(Enum):
    """A member's part in a session."""

    HOST = "host"
    GUEST = "guest"


class LeaveReason(Enum):
    """Why a member is no longer one."""

    LEFT = "left"
    GONE = "gone"
    REMOVED = "removed"
    REPLACED = "replaced"


class EndReason(Enum):
    """Why a session is no more, or (`REMOVED`, `REPLACED`, `GONE`) is no more for the one who is told."""

    HOST_LEFT = "host-left"
    HOST_GONE = "host-gone"
    BY_HOST = "by-host"
    IDLE = "idle"
    EXPIRED = "expired"
    REMOVED = "removed"
    REPLACED = "replaced"
    GONE = "gone"


class WaitReason(Enum):
    """What somebody waits for who knocked at a session."""

    HOST = "host"
    LOBBY = "lobby"


class RefusalReason(Enum):
    """Why somebody who waited is not admitted."""

    REFUSED = "refused"
    FULL = "full"
    ENDED = "ended"


class Survival(Enum):
    """What a resume found."""

    EVERYTHING = "everything"
    MEMBERSHIP = "membership"
    NOTHING = "nothing"


@frozen
class Negotiation:
    """One offer/answer exchange of a pair: the n-th offer, counted from 1, of `offerer` to the other."""

    offerer: UserId
    n: int = field(metadata=_bounded(2**31 - 1, least=1))


@frozen
class Candidate:
    """An ICE candidate (W3C `RTCIceCandidateInit`); nothing in it is interpreted.

    Attributes:
        candidate: the candidate-attribute (RFC 8839 §5.1); empty for end-of-candidates of old clients.
        sdp_mid: `sdpMid`.
        sdp_m_line_index: `sdpMLineIndex`.
        username_fragment: `usernameFragment`.

    """

    candidate: str = field(metadata=_bounded(4096))
    sdp_mid: str | None = field(default=None, metadata=_bounded(256))
    sdp_m_line_index: int | None = field(default=None, metadata=_bounded(65535))
    username_fragment: str | None = field(default=None, metadata=_bounded(256))


@frozen
class IceServer:
    """A STUN or TURN server for clients (W3C `RTCIceServer`).

    Attributes:
        urls: `stun:`, `turn:` or `turns:` URIs (RFC 7064, RFC 7065).
        username: for TURN.
        credential: for TURN.
        expires: seconds for which the credential is valid; None when it does not expire.

    """

    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = field(default=None, repr=False)
    expires: float | None = None


@frozen
class Traits:
    """What a peer can take part in, told by its dialect and its hello.

    Attributes:
        rollback: whether it can take back its own offer; if not, it has to be the impolite side.
        renegotiates: whether it takes more than one offer/answer exchange with the same member.
        waits: whether it understands that it is not a member yet.
        messages: whether it hears application messages.
        relays: whether it connects through TURN servers alone where a session wants it.
        most_members: the largest session it understands; None for any.

    """

    rollback: bool = True
    renegotiates: bool = True
    waits: bool = True
    messages: bool = True
    relays: bool = False
    most_members: int | None = None


@frozen
class MemberView:
    """A member as another one is told of it.

    Attributes:
        user: who.
        role: host or guest.
        polite: whether the one who is told yields to this member in a collision of offers (W3C perfect negotiation).
        offers_first: whether the one who is told makes the pair's first offer.
        base: the numbers of the pair's negotiations are greater.
        renegotiates: whether this member takes more than one offer/answer exchange.
        messages: whether this member hears application messages.
        away: whether its connection is lost just now.
        name: what it calls itself.

    """

    user: UserId
    role: Role
    polite: bool
    offers_first: bool
    base: int
    renegotiates: bool = True
    messages: bool = True
    away: bool = False
    name: str | None = None


# Requests: from a peer to the hub


@frozen
class Hello:
    """The first request: who the client is and what it can do.

    Attributes:
        version: of the protocol.
        agent: name of the program.
        features: what it can or cannot do.
        instance: with one, it wants to resume later.
        token: what it may do, signed by whom the server trusts (docs/tokens.md).

    """

    version: int
    agent: str | None = field(default=None, metadata=_bounded(64))
    features: tuple[str, ...] = field(default=(), metadata=_bounded(32))
    instance: Instance | None = None
    token: str | None = field(default=None, metadata=_bounded(MOST_TOKEN), repr=False)
    id: RequestId | None = None


@frozen
class Resume:
    """The first request of one who comes back.

    Attributes:
        version: of the protocol.
        user, secret: who the client was.
        instance: of the client.
        received: the countable messages that it has.
        agent, features: as in `Hello`.
        token: as in `Hello`, for the new identity that it gets where there is nothing to resume.

    """

    version: int
    user: UserId
    secret: Secret = field(repr=False)
    instance: Instance
    received: Count
    agent: str | None = field(default=None, metadata=_bounded(64))
    features: tuple[str, ...] = field(default=(), metadata=_bounded(32))
    token: str | None = field(default=None, metadata=_bounded(MOST_TOKEN), repr=False)
    id: RequestId | None = None


@frozen
class Open:
    """Open a session with the sender as its host, or a kept one again.

    Attributes:
        capacity: how many members at most.
        name: what the host calls itself.
        label: the session's name.
        password: what those who join have to know.
        lobby: whether the host admits each who joins.
        succession: whether the longest member is the host when the host is gone.
        keep: whether the host wants a host key.
        relay_only: whether all media goes through TURN servers.
        session, host_key: of the kept session that is to be opened again; the sender's token may do in the key's place.

    """

    capacity: int = 2
    name: str | None = field(default=None, metadata=_bounded(64))
    label: str | None = field(default=None, metadata=_bounded(64))
    password: str | None = field(default=None, metadata=_bounded(128, least=1), repr=False)
    lobby: bool = False
    succession: bool = False
    keep: bool = False
    relay_only: bool = False
    session: SessionId | None = None
    host_key: Secret | None = field(default=None, repr=False)
    id: RequestId | None = None


@frozen
class Join:
    """Become a guest of a session; `name` is what the guest calls itself."""

    session: SessionId
    name: str | None = field(default=None, metadata=_bounded(64))
    password: str | None = field(default=None, metadata=_bounded(128, least=1), repr=False)
    id: RequestId | None = None


@frozen
class Leave:
    """Stop being a member of a session, or waiting at it."""

    session: SessionId
    id: RequestId | None = None


@frozen
class Change:
    """Make a session's settings different; None leaves one as it is. The host's, as those below to `End`."""

    session: SessionId
    label: str | None = field(default=None, metadata=_bounded(64))
    locked: bool | None = None
    lobby: bool | None = None
    id: RequestId | None = None


@frozen
class Admit:
    """Let one who waits in the lobby in."""

    session: SessionId
    user: UserId
    id: RequestId | None = None


@frozen
class Refuse:
    """Turn one who waits in the lobby away."""

    session: SessionId
    user: UserId
    id: RequestId | None = None


@frozen
class Remove:
    """End a guest's membership."""

    session: SessionId
    user: UserId
    id: RequestId | None = None


@frozen
class HandOver:
    """Make a guest the host."""

    session: SessionId
    user: UserId
    id: RequestId | None = None


@frozen
class End:
    """End the session for all."""

    session: SessionId
    id: RequestId | None = None


@frozen
class Offer:
    """A session description that opens a negotiation (RFC 9429 §4.1.1).

    `to` is None where a dialect has no addresses: it then means the only other member.
    """

    session: SessionId
    to: UserId | None
    negotiation: Negotiation
    sdp: str
    id: RequestId | None = None


@frozen
class Answer:
    """A session description that completes a negotiation; `to` as in `Offer`."""

    session: SessionId
    to: UserId | None
    negotiation: Negotiation
    sdp: str
    id: RequestId | None = None


@frozen
class Candidates:
    """A batch of candidates; `end` says that there are no more (RFC 8838 §13).

    `to` is as in `Offer`; with None the batch waits for the other member when there is none yet.
    `negotiation` is None where a dialect does not number negotiations and none is under way.
    """

    session: SessionId
    to: UserId | None
    negotiation: Negotiation | None
    candidates: tuple[Candidate, ...] = field(metadata=_bounded(64))
    end: bool = False
    id: RequestId | None = None


@frozen
class IceError:
    """What went wrong with ICE, told to the other member; `to` as in `Offer`."""

    session: SessionId
    to: UserId | None
    text: str = field(metadata=_bounded(1024))
    id: RequestId | None = None


@frozen
class AppMessage:
    """What an application wants told to a member, or with None to every other one that hears such messages."""

    session: SessionId
    content: str = field(metadata=_bounded(16384))
    to: UserId | None = None
    id: RequestId | None = None


@frozen
class Ack:
    """So many countable messages have arrived; both sides say it."""

    received: Count
    id: RequestId | None = None


@frozen
class Ping:
    """A question whether the server is still there."""

    id: RequestId | None = None


@frozen
class Debug:
    """A request for a line in the server's log with the number of users and sessions."""

    id: RequestId | None = None


Forwardable = Offer | Answer | Candidates | IceError | AppMessage
HostRequest = Change | Admit | Refuse | Remove | HandOver | End
Request = Hello | Resume | Open | Join | Leave | HostRequest | Forwardable | Ack | Ping | Debug


# Replies and events: from the hub to a peer


@frozen
class ServerLimits:
    """The limits that a client has to know: bytes a message, messages a second, messages at once, members a session."""

    message_bytes: int
    messages_per_second: float
    messages_burst: int
    session_members: int


@frozen
class Welcome:
    """The reply to `Hello` and `Resume`.

    Attributes:
        version: of the protocol.
        server: name and version.
        user: who the client is.
        features: what else the server can do.
        limits: those that a client has to know.
        ice_servers: for its peer connections.
        secret: to resume with; None where the client cannot.
        grace: seconds within which it may come back.
        resumed: after a resume, what survived.
        received: after a resume that found everything, the countable messages of the client that have arrived.
        role: what the client's token lets it be, where it has shown one.
        session: the only session that its token is good for; None for any.
        id: the request's.

    """

    version: int
    server: str
    user: UserId
    features: tuple[str, ...]
    limits: ServerLimits
    ice_servers: tuple[IceServer, ...]
    secret: Secret | None = field(default=None, repr=False)
    grace: float | None = None
    resumed: Survival | None = None
    received: Count | None = None
    role: Role | None = None
    session: SessionId | None = None
    id: RequestId | None = None


@frozen
class Opened:
    """The reply to `Open`; `members` are the others, and `host_key` is what opens a kept session again.

    `relay_only` says that all media goes through TURN servers.
    """

    session: SessionId
    capacity: int
    locked: bool
    lobby: bool
    members: tuple[MemberView, ...] = ()
    label: str | None = None
    host_key: Secret | None = field(default=None, repr=False)
    relay_only: bool = False
    id: RequestId | None = None


@frozen
class Joined:
    """The reply to `Join`, and after a renewal; `members` are the others, in the order in which they came.

    `relay_only` is as in `Opened`.
    """

    session: SessionId
    capacity: int
    locked: bool
    lobby: bool
    role: Role
    members: tuple[MemberView, ...]
    label: str | None = None
    relay_only: bool = False
    id: RequestId | None = None


@frozen
class Waiting:
    """The reply to `Join` where the one who joins is not a member yet."""

    session: SessionId
    reason: WaitReason
    id: RequestId | None = None


@frozen
class NotAdmitted:
    """One who waited waits no longer, and is not a member."""

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
    """The reply to a request that has no other: `done` on the wire."""

    id: RequestId | None = None


@frozen
class MemberJoined:
    """Another member came."""

    session: SessionId
    member: MemberView


@frozen
class MemberLeft:
    """Another member went."""

    session: SessionId
    user: UserId
    reason: LeaveReason


@frozen
class MemberAway:
    """Another member's connection is lost; what is sent to it waits."""

    session: SessionId
    user: UserId


@frozen
class MemberBack:
    """Another member is back, and nothing was lost."""

    session: SessionId
    user: UserId


@frozen
class MemberRenewed:
    """Another member is back without what it knew of the negotiations: they begin anew."""

    session: SessionId
    member: MemberView


@frozen
class HostChanged:
    """A member is the host now."""

    session: SessionId
    user: UserId


@frozen
class Changed:
    """The session's settings are like this now."""

    session: SessionId
    locked: bool
    lobby: bool
    label: str | None = None


@frozen
class Knock:
    """Somebody waits in the lobby; the host is told."""

    session: SessionId
    user: UserId
    name: str | None = None


@frozen
class KnockOver:
    """Somebody waits in the lobby no longer; the host is told."""

    session: SessionId
    user: UserId


@frozen
class Ended:
    """The session is no more, or no more for the one who is told."""

    session: SessionId
    reason: EndReason


@frozen
class ForwardedOffer:
    """An `Offer` of another member."""

    session: SessionId
    sender: UserId
    negotiation: Negotiation
    sdp: str


@frozen
class ForwardedAnswer:
    """An `Answer` of another member."""

    session: SessionId
    sender: UserId
    negotiation: Negotiation
    sdp: str


@frozen
class ForwardedCandidates:
    """`Candidates` of another member."""

    session: SessionId
    sender: UserId
    candidates: tuple[Candidate, ...]
    negotiation: Negotiation | None = None
    end: bool = False


@frozen
class ForwardedIceError:
    """An `IceError` of another member."""

    session: SessionId
    sender: UserId
    text: str


@frozen
class ForwardedMessage:
    """An `AppMessage` of another member."""

    session: SessionId
    sender: UserId
    content: str


@frozen
class IceServers:
    """The STUN and TURN servers from now on, in the place of those that were told before."""

    ice_servers: tuple[IceServer, ...]


@frozen
class GoingAway:
    """The server is about to stop; `after` is the seconds after which the client is to come back."""

    after: float


@frozen
class Error:
    """A request was refused and changed nothing.

    Attributes:
        code: which error.
        about: the class of the refused request; None when it could not be told.
        session: the session it was about, only when the sender is a member of it.
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
"""What is not counted in a resume (docs/protocol.md, "Resume"), in either direction; all else is."""
