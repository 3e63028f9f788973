"""What is decided outside the hub, by whoever knows: operations on identities and membership, and their outcomes."""

from __future__ import annotations

from attrs import frozen

from signald.errors import ErrorCode
from signald.messages import EndReason, LeaveReason, SessionId, Traits, UserId
from signald.sessions import Session


@frozen
class Identify:
    """Make a new identity; its outcome is `Identified`."""


@frozen
class Forget:
    """End an identity that is in no session; its outcome is `Done`."""

    user: UserId


@frozen
class OpenSession:
    """Open a session with this user as its host; its outcome is `SessionChanged`."""

    user: UserId
    traits: Traits
    capacity: int


@frozen
class JoinSession:
    """Make this user a guest; its outcome is `SessionChanged`."""

    user: UserId
    traits: Traits
    session: SessionId


@frozen
class LeaveSession:
    """End this user's membership; its outcome is `SessionChanged`, or `SessionEnded` when it was the host's."""

    user: UserId
    session: SessionId
    reason: LeaveReason


@frozen
class EndSession:
    """End a session; its outcome is `SessionEnded`."""

    session: SessionId
    reason: EndReason


Operation = Identify | Forget | OpenSession | JoinSession | LeaveSession | EndSession


@frozen
class Identified:
    """There is a new identity."""

    user: UserId


@frozen
class SessionChanged:
    """The session is now like this.

    Attributes:
        session: its record.
        reason: why those who are no longer in it left; None when nobody left.

    """

    session: Session
    reason: LeaveReason | None = None


@frozen
class SessionEnded:
    """The session is no more."""

    session: SessionId
    reason: EndReason


@frozen
class Refused:
    """Nothing has changed."""

    code: ErrorCode


@frozen
class Done:
    """It is so; there is nothing to tell."""


Outcome = Identified | SessionChanged | SessionEnded | Refused | Done
"""Any operation may also be `Refused`."""
