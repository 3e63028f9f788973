"""Identities, and the peers that speak for them."""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import NewType

from attrs import define, field

from signald.core.limits import AddressKey, TokenBucket
from signald.core.mailbox import Inbox, Outbox
from signald.core.messages import Instance, Request, SessionId, Traits, UserId

PeerId = NewType("PeerId", int)
"""One connected endpoint."""

DecisionId = NewType("DecisionId", int)
"""One decision that was asked for."""


class PeerState(Enum):
    """How far a connection has come."""

    GREETING = "greeting"
    WELCOMED = "welcomed"
    CLOSING = "closing"
    CLOSED = "closed"


class PeerEvent(Enum):
    """What makes a connection's state change."""

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
"""The state after something in a state; nothing else happens to a connection."""


class UserState(Enum):
    """Whether somebody speaks for an identity."""

    PRESENT = "present"
    AWAY = "away"
    OVER = "over"


class UserEvent(Enum):
    """What makes an identity's state change."""

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
"""The state after something in a state. An identity that cannot resume is over when its socket is lost."""


@define
class RequestQueue:
    """Requests that are taken one after the other.

    Attributes:
        decision: what the next one has to wait for.
        waiting: those that wait for it, in order.

    """

    decision: DecisionId | None = None
    waiting: deque[Request] = field(factory=deque)


@define
class Peer:
    """One connected endpoint.

    Attributes:
        id: which.
        address: what its failed guesses are counted under.
        traits: what its dialect can do, and since its hello what its program can.
        budget: of messages.
        state: what it says when it is closing is not heard.
        user: who it speaks for; None before its welcome, and when another one took over.
        queue: of its requests before the welcome.

    """

    id: PeerId
    address: AddressKey
    traits: Traits
    budget: TokenBucket
    state: PeerState = PeerState.GREETING
    user: UserId | None = None
    queue: RequestQueue = field(factory=RequestQueue)

    def step(self, event: PeerEvent) -> None:
        """Change the state as the table says."""
        self.state = PEER_TRANSITIONS[self.state, event]


@define
class User:
    """An identity on this node.

    Attributes:
        id: who.
        address: where its last peer came from.
        traits: what its program can do.
        instance: of its program; None where it cannot resume.
        outbox: what it was sent and has not acknowledged.
        inbox: what it has sent.
        state: present, with a peer, or away, without one.
        peer: the endpoint that speaks for it.
        until: when its absence ends it, monotonic seconds.
        rotation: which of its secrets is the newest.
        confirmed: whether it has shown that it has that secret.
        credentials_due: when its TURN credentials are to be told anew, monotonic seconds; None where it has none.
        restarted: whether its messages are counted anew since a welcome that it has not shown to have.
        sessions: those in which it is a member, as far as it was told.
        visits: those at which it waits, as far as it was told.
        queue: of its requests.

    """

    id: UserId
    address: AddressKey
    traits: Traits
    instance: Instance | None
    outbox: Outbox
    inbox: Inbox
    state: UserState = UserState.PRESENT
    peer: PeerId | None = None
    until: float = 0.0
    rotation: int = 1
    confirmed: bool = True
    credentials_due: float | None = None
    restarted: bool = False
    sessions: set[SessionId] = field(factory=set)
    visits: set[SessionId] = field(factory=set)
    queue: RequestQueue = field(factory=RequestQueue)

    def step(self, event: UserEvent) -> None:
        """Change the state as the table says."""
        self.state = USER_TRANSITIONS[self.state, event]
