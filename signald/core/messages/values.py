"""The values inside messages: roles, reasons, candidates, ICE servers, and how one member is described to another."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from attrs import field, frozen

from signald.core.messages.identifiers import UserId


def bounded(most: int, least: int = 0) -> Mapping[str, int]:
    """Field metadata with the bounds of a request's value.

    They bound the characters of a text, the elements of a list or the value of a number. The dialects check them when
    they decode, so that the hub need not.
    """
    return {"most": most, "least": least}


INTERNAL: Mapping[str, bool] = {"internal": True}
"""Field metadata of what a message carries between a dialect and the hub, without a key in the native protocol."""


class Role(Enum):
    """A member's role in a session."""

    HOST = "host"
    GUEST = "guest"


class LeaveReason(Enum):
    """The reason why a member left a session."""

    LEFT = "left"
    GONE = "gone"
    REMOVED = "removed"
    REPLACED = "replaced"


class EndReason(Enum):
    """The reason why a session ended; `REMOVED`, `REPLACED` and `GONE` mean that it ended for the receiver alone."""

    HOST_LEFT = "host-left"
    HOST_GONE = "host-gone"
    BY_HOST = "by-host"
    IDLE = "idle"
    EXPIRED = "expired"
    REMOVED = "removed"
    REPLACED = "replaced"
    GONE = "gone"


class WaitReason(Enum):
    """Whether a visitor waits for the host to come, or in the lobby for the host to admit it."""

    HOST = "host"
    LOBBY = "lobby"


class RefusalReason(Enum):
    """The reason why a waiting visitor was not admitted."""

    REFUSED = "refused"
    FULL = "full"
    ENDED = "ended"


class Survival(Enum):
    """The part of a user's state that a resume restored."""

    EVERYTHING = "everything"
    MEMBERSHIP = "membership"
    NOTHING = "nothing"


@frozen
class Negotiation:
    """An offer/answer exchange of two members, identified by the offerer and the number of its offer, from 1."""

    offerer: UserId
    n: int = field(metadata=bounded(2**31 - 1, least=1))


@frozen
class Candidate:
    """An ICE candidate (W3C `RTCIceCandidateInit`), which the server forwards without interpreting it.

    Attributes:
        candidate: the candidate-attribute (RFC 8839 §5.1); old clients send an empty text as end-of-candidates.
        sdp_mid: `sdpMid`.
        sdp_m_line_index: `sdpMLineIndex`.
        username_fragment: `usernameFragment`.

    """

    candidate: str = field(metadata=bounded(4096))
    sdp_mid: str | None = field(default=None, metadata=bounded(256))
    sdp_m_line_index: int | None = field(default=None, metadata=bounded(65535))
    username_fragment: str | None = field(default=None, metadata=bounded(256))


@frozen
class Source:
    """The text from which a dialect decoded a message, for receivers of the same dialect, who get it unchanged.

    The hub never reads the text. It compares kinds, so that it need not know the dialects.

    Attributes:
        kind: the kind of the text; receivers whose `Traits.source_kind` is the same read it.
        text: the text as the client sent it.
        translated: whether the other fields of the message have the same meaning. If not, only those receivers can get
            the message.

    """

    kind: str
    text: str = field(repr=False)
    translated: bool = True


@frozen
class Traits:
    """The capabilities of a client: those of its dialect, as far as its hello does not rule them out.

    Attributes:
        rollback: whether it can roll back its own offer; a client that cannot has to be the impolite peer.
        renegotiates: whether it supports more than one offer/answer exchange with the same member.
        waits: whether it understands that a join may have to wait for admission.
        messages: whether it accepts application messages.
        relays: whether it connects through TURN servers alone in a session that demands it.
        most_members: the largest session that it supports; None for any.
        source_kind: the kind of `Source` that it reads; None for none.

    """

    rollback: bool = True
    renegotiates: bool = True
    waits: bool = True
    messages: bool = True
    relays: bool = False
    most_members: int | None = None
    source_kind: str | None = None


@frozen
class MemberView:
    """A session member as the server describes it to another member, the receiver.

    Attributes:
        user: the member's identity.
        role: host or guest.
        polite: whether the receiver is the polite peer towards this member (W3C perfect negotiation).
        offers_first: whether the receiver makes the pair's first offer.
        base: the pair's negotiations are numbered from `base + 1`; it rises when one of the two starts over.
        renegotiates: whether this member supports more than one offer/answer exchange.
        messages: whether this member accepts application messages.
        away: whether its connection is lost and the reconnect grace runs.
        name: its display name.
        former: its earlier user id, which its rejoin ticket proves; None for a member that came without a ticket.
        connected: whether both have said, when they came back, that they still have their peer connection: they keep
            it, and do not negotiate from the start.

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
    former: UserId | None = None
    connected: bool = False


@frozen
class ServerLimits:
    """The limits that a client needs: bytes per message, messages per second and at once, members per session."""

    message_bytes: int
    messages_per_second: float
    messages_burst: int
    session_members: int
