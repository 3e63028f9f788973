"""The messages between peers and the hub, whatever dialect they travel in: plain attrs classes and their id types.

The bounds of a request's values stand in the fields' metadata; the dialects check them, so that the hub need not.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NewType

from attrs import field, frozen

from signald.errors import ErrorCode

UserId = NewType("UserId", str)
"""An identity: 26 symbols of Crockford's base 32."""

SessionId = NewType("SessionId", str)
"""A session: ten symbols of Crockford's base 32, canonical form."""

RequestId = NewType("RequestId", str)
"""What a client calls its request; the reply or error carries the same."""


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


class EndReason(Enum):
    """Why a session is no more."""

    HOST_LEFT = "host-left"
    HOST_GONE = "host-gone"
    IDLE = "idle"
    EXPIRED = "expired"


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
        most_members: the largest session it understands; None for any.

    """

    rollback: bool = True
    renegotiates: bool = True
    most_members: int | None = None


@frozen
class MemberView:
    """A member as another one is told of it.

    Attributes:
        user: who.
        role: host or guest.
        polite: whether the one who is told yields to this member in a collision of offers (W3C perfect negotiation).
        renegotiates: whether this member takes more than one offer/answer exchange.

    """

    user: UserId
    role: Role
    polite: bool
    renegotiates: bool


# Requests: from a peer to the hub


@frozen
class Hello:
    """The first request: who the client is and what it can do."""

    version: int
    agent: str | None = field(default=None, metadata=_bounded(64))
    features: tuple[str, ...] = field(default=(), metadata=_bounded(32))
    id: RequestId | None = None


@frozen
class Open:
    """Open a session of at most `capacity` members, with the sender as its host."""

    capacity: int = 2
    id: RequestId | None = None


@frozen
class Join:
    """Become a guest of a session."""

    session: SessionId
    id: RequestId | None = None


@frozen
class Leave:
    """Stop being a member of a session."""

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
class Ping:
    """A question whether the server is still there."""

    id: RequestId | None = None


@frozen
class Debug:
    """A request for a line in the server's log with the number of users and sessions."""

    id: RequestId | None = None


Forwardable = Offer | Answer | Candidates | IceError
Request = Hello | Open | Join | Leave | Offer | Answer | Candidates | IceError | Ping | Debug


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
    """The reply to `Hello`."""

    version: int
    server: str
    user: UserId
    features: tuple[str, ...]
    limits: ServerLimits
    ice_servers: tuple[IceServer, ...]
    id: RequestId | None = None


@frozen
class Opened:
    """The reply to `Open`."""

    session: SessionId
    capacity: int
    id: RequestId | None = None


@frozen
class Joined:
    """The reply to `Join`; `members` are the others, in the order in which they came."""

    session: SessionId
    capacity: int
    members: tuple[MemberView, ...]
    id: RequestId | None = None


@frozen
class Left:
    """The reply to `Leave`."""

    session: SessionId
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
class Ended:
    """The session is no more."""

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


Event = (
    Welcome
    | Opened
    | Joined
    | Left
    | MemberJoined
    | MemberLeft
    | Ended
    | ForwardedOffer
    | ForwardedAnswer
    | ForwardedCandidates
    | ForwardedIceError
    | Error
    | Pong
)
