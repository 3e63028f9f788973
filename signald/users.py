"""Identities, and the peers that speak for them."""

from __future__ import annotations

from collections import deque
from typing import NewType

from attrs import define, field

from signald.limits import AddressKey, TokenBucket
from signald.messages import Request, SessionId, Traits, UserId

PeerId = NewType("PeerId", int)
"""One connected endpoint."""

DecisionId = NewType("DecisionId", int)
"""One decision that was asked for."""


@define
class Peer:
    """One connected endpoint.

    Attributes:
        id: which.
        address: what its failed guesses are counted under.
        traits: what its dialect can do, and since its hello what its program can.
        budget: of messages.
        user: who it speaks for; None before its welcome.
        decision: what its next message has to wait for.
        waiting: its messages that wait for `decision`, in order.
        closing: whether it was told to go; what it says since then is not heard.

    """

    id: PeerId
    address: AddressKey
    traits: Traits
    budget: TokenBucket
    user: UserId | None = None
    decision: DecisionId | None = None
    waiting: deque[Request] = field(factory=deque)
    closing: bool = False


@define
class User:
    """An identity on this node.

    Attributes:
        id: who.
        peer: the endpoint that speaks for it.
        sessions: those that it has been told it is in.

    """

    id: UserId
    peer: PeerId
    sessions: set[SessionId] = field(factory=set)
