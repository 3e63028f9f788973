"""Who is in a session or waits at it."""

from __future__ import annotations

from attrs import frozen

from signald.core.messages import RequestId, Role, Traits, UserId


@frozen
class Person:
    """Who wants to be in a session.

    Attributes:
        user: the identity.
        traits: what the user's program can do.
        name: what the user calls itself.
        away: whether the user's connection is lost just now.

    """

    user: UserId
    traits: Traits
    name: str | None = None
    away: bool = False


@frozen
class Member:
    """A user in a session.

    Attributes:
        person: who.
        role: host or guest.
        seat: counts all who ever joined this session, from 0; the later joiner of a pair has the higher one.
        epoch: as `seat` at first; higher than all before when the user begins anew.
        keyed: whether the member came with the host key, or with the session's first opening.

    """

    person: Person
    role: Role
    seat: int
    epoch: int
    keyed: bool = False

    @property
    def user(self) -> UserId:
        """The member's identity."""
        return self.person.user

    @property
    def traits(self) -> Traits:
        """What the member's program can do."""
        return self.person.traits


@frozen
class Visitor:
    """One who waits at a session; `request` is what it called its join."""

    person: Person
    request: RequestId | None = None

    @property
    def user(self) -> UserId:
        """The visitor's identity."""
        return self.person.user
