"""The people of a session: its members, and the visitors that wait for admission."""

from __future__ import annotations

from attrs import frozen

from signald.core.messages import RequestId, Role, Traits, UserId


@frozen
class Person:
    """What a session records of a user, as a member or a visitor.

    Attributes:
        user: the identity.
        traits: the capabilities of the user's program.
        name: the display name.
        away: whether the user's connection is lost and its grace period has not expired.
        former: the user's earlier identity, which its rejoin ticket proves; None without a ticket.
        connected: the users with whom it has said, when it came back, that it still has its peer connections; None
            where it has not come back since a crash of the server, so that it could not say it yet.

    """

    user: UserId
    traits: Traits
    name: str | None = None
    away: bool = False
    former: UserId | None = None
    connected: tuple[UserId, ...] | None = ()

    def may_be_connected_with(self, other: Person) -> bool:
        """Whether it has said that it still has its peer connection with this user, or can still say so."""
        return self.connected is None or not {other.user, other.former}.isdisjoint(self.connected)


@frozen
class Member:
    """A user in a session.

    Attributes:
        person: the user.
        role: host or guest.
        seat: the member's place in the order of all joins, from 0: the later joiner of a pair has the higher seat.
        epoch: equal to `seat` until the member loses its state; then it gets a new one, higher than all before, so
            that the negotiation numbers of its pairs rise.
        keyed: whether the member opened the session first, or with the host key.

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
        """The capabilities of the member's program."""
        return self.person.traits


@frozen
class Visitor:
    """A user that waits for admission to a session; `request` is the id of its `Join`."""

    person: Person
    request: RequestId | None = None

    @property
    def user(self) -> UserId:
        """The visitor's identity."""
        return self.person.user
