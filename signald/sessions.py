"""One session: its members, their roles, its capacity. Immutable: a change makes a new record with the next version."""

from __future__ import annotations

from attrs import evolve, frozen

from signald.errors import ErrorCode, SignalError
from signald.messages import MemberView, Role, SessionId, Traits, UserId


@frozen
class Member:
    """A user in a session.

    Attributes:
        user: who.
        role: host or guest.
        seat: counts all who ever joined this session, from 0; the later joiner of a pair has the higher one.
        traits: what the user's program can do.

    """

    user: UserId
    role: Role
    seat: int
    traits: Traits


@frozen
class Session:
    """A meeting of a host and guests.

    Attributes:
        id: its id.
        capacity: the most members that the host wants.
        members: in the order in which they came; the host is the first.
        seats: how many have ever joined.
        version: counts the changes, from 1.

    """

    id: SessionId
    capacity: int
    members: tuple[Member, ...]
    seats: int = 1
    version: int = 1

    @classmethod
    def opened(cls, id: SessionId, capacity: int, host: UserId, traits: Traits) -> Session:
        """Make a new session with its host."""
        return cls(id=id, capacity=capacity, members=(Member(host, Role.HOST, 0, traits),))

    def member(self, user: UserId) -> Member | None:
        """The member that this user is, if any."""
        return next((member for member in self.members if member.user == user), None)

    def others(self, user: UserId) -> tuple[Member, ...]:
        """The members other than this user, in the order in which they came."""
        return tuple(member for member in self.members if member.user != user)

    def joined(self, user: UserId, traits: Traits) -> Session:
        """The session with one guest more.

        Raises:
            SignalError: `already-member`; `session-full`, also when a member's program (or the new one's) understands
                no session of that size.

        """
        if self.member(user) is not None:
            raise SignalError(ErrorCode.ALREADY_MEMBER)
        understood = (member.most_members for member in (traits, *(member.traits for member in self.members)))
        room = min([self.capacity, *(most for most in understood if most is not None)])
        if len(self.members) >= room:
            raise SignalError(ErrorCode.SESSION_FULL)
        guest = Member(user, Role.GUEST, self.seats, traits)
        return evolve(self, members=(*self.members, guest), seats=self.seats + 1, version=self.version + 1)

    def without(self, user: UserId) -> Session:
        """The session without this member.

        Raises:
            SignalError: `not-a-member`.

        """
        if self.member(user) is None:
            raise SignalError(ErrorCode.NOT_A_MEMBER)
        return evolve(self, members=self.others(user), version=self.version + 1)


def is_polite(member: Member, other: Member) -> bool:
    """Whether `member` yields to `other` in a collision of offers (W3C perfect negotiation).

    The earlier one is polite, unless it cannot roll back and the later one can.
    """
    if member.traits.rollback != other.traits.rollback:
        return member.traits.rollback
    return member.seat < other.seat


def view(member: Member, viewer: Member) -> MemberView:
    """A member as `viewer` is told of it."""
    return MemberView(
        user=member.user,
        role=member.role,
        polite=is_polite(viewer, member),
        renegotiates=member.traits.renegotiates,
    )
