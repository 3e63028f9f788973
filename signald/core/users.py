"""Peers, which are connections, and users, which are identities that outlive a connection; with their states."""

from __future__ import annotations

from enum import Enum
from typing import NewType

from attrs import define, field, frozen

from signald.core.limits import AddressKey, TokenBucket
from signald.core.mailbox import Inbox, Outbox
from signald.core.messages import Instance, Request, SessionId, Traits, UserId
from signald.core.sessions import Session

PeerId = NewType("PeerId", int)
"""The id of one connection."""

DecisionId = NewType("DecisionId", int)
"""The id of one pending decision."""


class PeerState(Enum):
    """The state of a connection."""

    GREETING = "greeting"
    WELCOMED = "welcomed"
    CLOSING = "closing"
    CLOSED = "closed"


class PeerEvent(Enum):
    """An event that changes a connection's state."""

    WELCOME = "hello or resume, welcome"
    CLOSE = "refused, replaced or overrun"
    SOCKET_CLOSED = "socket closed"


PEER_TRANSITIONS = {
    (PeerState.GREETING, PeerEvent.WELCOME): PeerState.WELCOMED,
    (PeerState.GREETING, PeerEvent.CLOSE): PeerState.CLOSING,
    (PeerState.GREETING, PeerEvent.SOCKET_CLOSED): PeerState.CLOSED,
    (PeerState.WELCOMED, PeerEvent.CLOSE): PeerState.CLOSING,
    (PeerState.WELCOMED, PeerEvent.SOCKET_CLOSED): PeerState.CLOSED,
    (PeerState.CLOSING, PeerEvent.SOCKET_CLOSED): PeerState.CLOSED,
}
"""The next state for each state and event; no other combination occurs."""


class UserState(Enum):
    """The state of a user: connected, away within its reconnect grace, or ended."""

    PRESENT = "present"
    AWAY = "away"
    OVER = "over"


class UserEvent(Enum):
    """An event that changes a user's state."""

    RESUMED = "resume"
    LOST = "socket lost"
    LEFT = "socket closed with 1000"
    EXPIRED = "grace over"
    SECRET_REUSED = "spent secret used"  # noqa: S105 # no secret


USER_TRANSITIONS = {
    (UserState.PRESENT, UserEvent.RESUMED): UserState.PRESENT,
    (UserState.PRESENT, UserEvent.LOST): UserState.AWAY,
    (UserState.PRESENT, UserEvent.LEFT): UserState.OVER,
    (UserState.PRESENT, UserEvent.SECRET_REUSED): UserState.OVER,
    (UserState.AWAY, UserEvent.RESUMED): UserState.PRESENT,
    (UserState.AWAY, UserEvent.EXPIRED): UserState.OVER,
    (UserState.AWAY, UserEvent.SECRET_REUSED): UserState.OVER,
}
"""The next state for each state and event. A user that cannot resume ends as soon as its socket is lost."""


@define
class RequestQueue:
    """Requests that are handled one after the other.

    Attributes:
        decision: the pending decision that the queue waits for; None where the next request is handled at once.
        waiting: the queued requests, in order; a list, since an empty deque takes 760 bytes and there are few of them.

    """

    decision: DecisionId | None = None
    waiting: list[Request] = field(factory=list)


@define
class Peer:
    """One connection.

    Attributes:
        id: the connection's id.
        address: the address to which its failed guesses are charged.
        traits: the capabilities of its dialect, and after its hello those of its program.
        budget: the rate limit of its messages.
        state: requests that arrive while it is closing are ignored.
        user: its user; None before the welcome, and after another connection has resumed the user.
        queue: its requests before the welcome.
        routes: the cached routes of its messages (`direct_forwarding`), by session, by addressee, and by whether
            they are application messages.

    """

    id: PeerId
    address: AddressKey
    traits: Traits
    budget: TokenBucket
    state: PeerState = PeerState.GREETING
    user: UserId | None = None
    queue: RequestQueue = field(factory=RequestQueue)
    routes: dict[tuple[SessionId, UserId | None, bool], Route] = field(factory=dict)

    def transition(self, event: PeerEvent) -> None:
        """Change the state as `PEER_TRANSITIONS` says."""
        self.state = PEER_TRANSITIONS[self.state, event]


@define
class User:
    """A user of this node: an identity, connected or away.

    Attributes:
        id: the identity.
        address: the address of its latest connection.
        traits: the capabilities of its program.
        instance: the id of its program's run; None where it cannot resume.
        outbox: the events to it that it has not acknowledged.
        inbox: counts the messages from it.
        state: present, with a peer, or away, without one.
        peer: its connection; None while it is away.
        grace_ends: when the identity ends unless it is resumed before, monotonic seconds.
        rotation: the number of its newest resume secret.
        confirmed: whether its client has shown that it has that secret.
        credentials_due: when its TURN credentials have to be renewed, monotonic seconds; None where it has none.
        has_offended: whether its last connection that ended was closed for its misbehaviour.
        restarted: whether the last welcome reset the message counters and the client has not confirmed it yet.
        sessions: the sessions of which it is a member, according to the events that it was sent.
        waiting_at: the sessions at which it waits, according to the events that it was sent.
        queue: its requests.

    """

    id: UserId
    address: AddressKey
    traits: Traits
    instance: Instance | None
    outbox: Outbox
    inbox: Inbox
    state: UserState = UserState.PRESENT
    peer: PeerId | None = None
    grace_ends: float = 0.0
    rotation: int = 1
    confirmed: bool = True
    credentials_due: float | None = None
    has_offended: bool = False
    restarted: bool = False
    sessions: set[SessionId] = field(factory=set)
    waiting_at: set[SessionId] = field(factory=set)
    queue: RequestQueue = field(factory=RequestQueue)

    def transition(self, event: UserEvent) -> None:
        """Change the state as `USER_TRANSITIONS` says."""
        self.state = USER_TRANSITIONS[self.state, event]


@frozen(eq=False)
class Route:
    """The receivers of a sender's messages to one addressee in one version of a session.

    It is valid while the session's record is the same object, since a record never changes, and while each receiver
    has the same connection.

    Attributes:
        session: the session's record.
        receivers: the receivers.
        peers: their connections, in the same order.

    """

    session: Session
    receivers: tuple[User, ...]
    peers: tuple[PeerId, ...]
