"""One session: members, those who wait, settings. Immutable: a change makes a new record with the next version."""

from __future__ import annotations

from enum import Enum

from attrs import evolve, field, frozen

from signald.core.errors import ErrorCode, SignalError
from signald.core.members import Member, Person, Visitor
from signald.core.messages import RequestId, Role, SessionId, Traits, UserId, WaitReason

NEGOTIATIONS_AN_EPOCH = 4096
"""By how much the numbers of a pair's negotiations rise when one of the two begins anew."""

_MOST_SEATS = 2**31 // NEGOTIATIONS_AN_EPOCH
_MOST_REMOVED = 64


class SessionState(Enum):
    """Whether anybody can meet in a session."""

    OPEN = "open"
    KEPT = "kept"
    OVER = "over"


class SessionEvent(Enum):
    """What makes a session change its state."""

    HOST_CAME = "host came with the key"
    ENDED = "ended, not kept"
    ENDED_KEPT = "ended, kept"
    FORGOTTEN = "nobody came back"


SESSION_TRANSITIONS = {
    (SessionState.OPEN, SessionEvent.HOST_CAME): SessionState.OPEN,
    (SessionState.OPEN, SessionEvent.ENDED): SessionState.OVER,
    (SessionState.OPEN, SessionEvent.ENDED_KEPT): SessionState.KEPT,
    (SessionState.KEPT, SessionEvent.HOST_CAME): SessionState.OPEN,
    (SessionState.KEPT, SessionEvent.FORGOTTEN): SessionState.OVER,
}
"""The state after something in a state; nothing else happens to a session."""


@frozen
class Settings:
    """What a session's host chose.

    Attributes:
        capacity: the most members.
        label: the session's name.
        password: the hash of what those who join have to know.
        lobby: whether the host admits each who joins.
        succession: whether the longest member is the host when the host is gone.
        keep: whether the id stays known, for the holder of the host key.
        relay_only: whether all media goes through TURN servers; the same for as long as the session is open.
        locked: whether nobody can join.

    """

    capacity: int = 2
    label: str | None = None
    password: str | None = field(default=None, repr=False)
    lobby: bool = False
    succession: bool = False
    keep: bool = False
    relay_only: bool = False
    locked: bool = False

    def check_relay(self, traits: Traits) -> None:
        """Do nothing for one who connects as this session wants it.

        Raises:
            SignalError: `relay-needed`.

        """
        if self.relay_only and not traits.relays:
            raise SignalError(ErrorCode.RELAY_NEEDED)


@frozen
class Session:
    """A meeting of a host and guests.

    Attributes:
        id: its id.
        settings: what the host chose.
        members: in the order in which they came; empty in a session that is kept and not open.
        visitors: those who wait to be members, in the order in which they came.
        removed: those whom a host removed, the latest.
        state: open or kept.
        seats: how many seats and epochs were ever given.
        version: counts the changes, from 1.

    """

    id: SessionId
    settings: Settings
    members: tuple[Member, ...]
    visitors: tuple[Visitor, ...] = ()
    removed: tuple[UserId, ...] = ()
    state: SessionState = SessionState.OPEN
    seats: int = 1
    version: int = 1

    @classmethod
    def opened(cls, id: SessionId, settings: Settings, host: Person) -> Session:
        """Make a new session with its host."""
        return cls(id, settings, members=(Member(host, Role.HOST, 0, 0, keyed=True),))

    @classmethod
    def expected(cls, id: SessionId, version: int) -> Session:
        """Make a session that nobody has opened yet, and that somebody will: it is as one that is kept."""
        return cls(id, Settings(keep=True), members=(), state=SessionState.KEPT, version=version)

    @property
    def host(self) -> Member | None:
        """The host; None in a session that is not open."""
        return next((member for member in self.members if member.role is Role.HOST), None)

    @property
    def waits_for(self) -> WaitReason:
        """What its visitors wait for."""
        return WaitReason.LOBBY if self.state is SessionState.OPEN else WaitReason.HOST

    @property
    def people(self) -> frozenset[UserId]:
        """Members and visitors."""
        return frozenset({member.user for member in self.members} | {visitor.user for visitor in self.visitors})

    def member(self, user: UserId) -> Member | None:
        """The member that this user is, if any."""
        return next((member for member in self.members if member.user == user), None)

    def visitor(self, user: UserId) -> Visitor | None:
        """The visitor that this user is, if any."""
        return next((visitor for visitor in self.visitors if visitor.user == user), None)

    def others(self, user: UserId) -> tuple[Member, ...]:
        """The members other than this user, in the order in which they came."""
        return tuple(member for member in self.members if member.user != user)

    def has_room(self, traits: Traits) -> bool:
        """Whether one more of these traits would fit, by the settings and by what all programs understand."""
        if self.settings.relay_only and not traits.relays:
            return False
        understood = [traits.most_members, *(member.traits.most_members for member in self.members)]
        room = min([self.settings.capacity, *(most for most in understood if most is not None)])
        return len(self.members) < room and self.seats < _MOST_SEATS

    # Coming

    def arrived(self, person: Person, request: RequestId | None, proof: str | None, most_visitors: int) -> Session:
        """The session with one guest more, or one visitor.

        Args:
            person: who comes.
            request: what it called its request.
            proof: the hash of the password that it gave, where that was right; empty where it was wrong.
            most_visitors: who may wait at most.

        Raises:
            SignalError: in this order: `unknown-session` for one who was removed, `already-member`,
                `password-needed` or `wrong-password`, `relay-needed`, `session-locked`, `session-full`, `cannot-wait`,
                `lobby-full`.

        """
        user = person.user
        if user in self.removed:
            raise SignalError(ErrorCode.UNKNOWN_SESSION)
        if self.member(user) is not None or self.visitor(user) is not None:
            raise SignalError(ErrorCode.ALREADY_MEMBER)
        if self.settings.password is not None and proof != self.settings.password:
            raise SignalError(ErrorCode.PASSWORD_NEEDED if proof is None else ErrorCode.WRONG_PASSWORD)
        self.settings.check_relay(person.traits)
        if self.settings.locked and self.state is SessionState.OPEN:
            raise SignalError(ErrorCode.SESSION_LOCKED)
        if self.state is SessionState.OPEN and not self.has_room(person.traits):
            raise SignalError(ErrorCode.SESSION_FULL)
        if self.state is SessionState.OPEN and not self.settings.lobby:
            return evolve(self._seated(person, Role.GUEST), version=self.version + 1)
        if not person.traits.waits:
            raise SignalError(ErrorCode.CANNOT_WAIT)
        if len(self.visitors) >= most_visitors:
            raise SignalError(ErrorCode.LOBBY_FULL)
        return evolve(self, visitors=(*self.visitors, Visitor(person, request)), version=self.version + 1)

    def claimed(self, host: Person, settings: Settings, same: frozenset[UserId] | None = None) -> Session:
        """The session with the holder of the host key as its host, open, and with these settings.

        Who had come with the key is no longer in it, a host of another kind is a guest, and without a lobby those who
        wait are let in as far as there is room; the others wait no longer.

        Args:
            host: who opens it.
            settings: the new ones.
            same: for a host who has shown a token and no key: who in the session is the same person, and is no longer
                in it. Who had come with the key is a guest then.

        Raises:
            SignalError: `already-member`; `relay-needed`; `session-full`; `unsupported-by-peer`, a lobby with one who
                does not know it.

        """
        if self.member(host.user) is not None or self.visitor(host.user) is not None:
            raise SignalError(ErrorCode.ALREADY_MEMBER)
        replaced = frozenset(member.user for member in self.members if member.keyed) if same is None else same
        rest = tuple(evolve(member, role=Role.GUEST) for member in self.members if member.user not in replaced)
        if self.state is SessionState.OPEN:
            # Its members were told, and have connections of this kind.
            settings = evolve(settings, relay_only=self.settings.relay_only)
        settings.check_relay(host.traits)
        session = evolve(
            self,
            settings=settings,
            members=rest,
            state=SESSION_TRANSITIONS[self.state, SessionEvent.HOST_CAME],
            version=self.version + 1,
        )
        if not session.has_room(host.traits):
            raise SignalError(ErrorCode.SESSION_FULL)
        session._check_lobby()
        return session._seated(host, Role.HOST, keyed=same is None)._let_in()

    # Going

    def without(self, user: UserId) -> Session:
        """The session without this guest or visitor, or without a host whom `heir` follows.

        Raises:
            SignalError: `not-a-member`.

        """
        member = self.member(user)
        if member is None and self.visitor(user) is None:
            raise SignalError(ErrorCode.NOT_A_MEMBER)
        heir = self.heir if member is not None and member.role is Role.HOST else None
        members = tuple(
            evolve(other, role=Role.HOST) if heir is not None and other.user == heir.user else other
            for other in self.others(user)
        )
        visitors = tuple(visitor for visitor in self.visitors if visitor.user != user)
        return evolve(self, members=members, visitors=visitors, version=self.version + 1)

    @property
    def heir(self) -> Member | None:
        """Who is the host when the host is gone: the longest member, one who is not away if there is one."""
        guests = [member for member in self.members if member.role is Role.GUEST]
        if not self.settings.succession or not guests:
            return None
        return min(guests, key=lambda member: (member.person.away, member.seat))

    def ended(self) -> Session:
        """The session without any member, kept or over."""
        event = SessionEvent.ENDED_KEPT if self.settings.keep else SessionEvent.ENDED
        state = SESSION_TRANSITIONS[self.state, event]
        visitors = self.visitors if state is SessionState.KEPT else ()
        settings = evolve(self.settings, locked=False)
        return evolve(self, settings=settings, members=(), visitors=visitors, state=state, version=self.version + 1)

    # What the host does

    def changed(self, host: UserId, label: str | None, locked: bool | None, lobby: bool | None) -> Session:
        """The session with other settings; None leaves one as it is.

        Raises:
            SignalError: `not-a-member`, `wrong-role`; `unsupported-by-peer`, a lobby with one who does not know it.

        """
        self.check_host(host)
        settings = evolve(
            self.settings,
            label=self.settings.label if label is None else label or None,
            locked=self.settings.locked if locked is None else locked,
            lobby=self.settings.lobby if lobby is None else lobby,
        )
        session = evolve(self, settings=settings, version=self.version + 1)
        session._check_lobby()
        return session._let_in()

    def admitted(self, host: UserId, user: UserId) -> Session:
        """The session with a visitor as a guest.

        Raises:
            SignalError: `not-a-member`, `wrong-role`, `unknown-member`, `session-full`.

        """
        self.check_host(host)
        visitor = self.visitor(user)
        if visitor is None:
            raise SignalError(ErrorCode.UNKNOWN_MEMBER)
        if not self.has_room(visitor.person.traits):
            raise SignalError(ErrorCode.SESSION_FULL)
        return self.without(user)._seated(visitor.person, Role.GUEST)

    def refused(self, host: UserId, user: UserId) -> Session:
        """The session without a visitor.

        Raises:
            SignalError: `not-a-member`, `wrong-role`, `unknown-member`.

        """
        self.check_host(host)
        if self.visitor(user) is None:
            raise SignalError(ErrorCode.UNKNOWN_MEMBER)
        return self.without(user)

    def expelled(self, host: UserId, user: UserId) -> Session:
        """The session without a guest, who cannot come back.

        Raises:
            SignalError: `not-a-member`, `wrong-role`, `unknown-member`.

        """
        self.check_host(host)
        if user == host or self.member(user) is None:
            raise SignalError(ErrorCode.UNKNOWN_MEMBER)
        return evolve(self.without(user), removed=(*self.removed, user)[-_MOST_REMOVED:])

    def handed_over(self, host: UserId, user: UserId) -> Session:
        """The session with a guest as its host, and the host as a guest.

        Raises:
            SignalError: `not-a-member`, `wrong-role`, `unknown-member`.

        """
        self.check_host(host)
        if user == host or self.member(user) is None:
            raise SignalError(ErrorCode.UNKNOWN_MEMBER)
        members = tuple(
            evolve(member, role=Role.HOST if member.user == user else Role.GUEST) for member in self.members
        )
        return evolve(self, members=members, version=self.version + 1)

    def check_host(self, user: UserId) -> None:
        """Do nothing for the host.

        Raises:
            SignalError: `not-a-member`, `wrong-role`.

        """
        member = self.member(user)
        if member is None:
            raise SignalError(ErrorCode.NOT_A_MEMBER)
        if member.role is not Role.HOST:
            raise SignalError(ErrorCode.WRONG_ROLE)

    # Presence

    def marked(self, user: UserId, away: bool) -> Session:
        """The session with a member or visitor away, or back; itself where that is nothing new."""
        person = self._person(user)
        return self if person is None or person.away is away else self._with(evolve(person, away=away))

    def renewed(self, user: UserId, traits: Traits) -> Session:
        """The session with a member who begins all negotiations anew, with what its program can do now.

        A visitor has nothing to begin anew; the session is itself where its traits are the same.

        Raises:
            SignalError: `unsupported-by-peer`, another member takes one exchange alone; `relay-needed`, its program
                does not connect as the session wants it; `session-full`, it was done too often.

        """
        member, visitor = self.member(user), self.visitor(user)
        if visitor is not None and visitor.person.traits != traits:
            return self._with(evolve(visitor.person, traits=traits))
        if member is None:
            return self
        if not all(other.traits.renegotiates for other in self.others(user)):
            raise SignalError(ErrorCode.UNSUPPORTED_BY_PEER)
        self.settings.check_relay(traits)
        if self.seats >= _MOST_SEATS:
            raise SignalError(ErrorCode.SESSION_FULL)
        renewed = evolve(member, person=evolve(member.person, traits=traits), epoch=self.seats)
        members = tuple(renewed if other.user == user else other for other in self.members)
        return evolve(self, members=members, seats=self.seats + 1, version=self.version + 1)

    def _person(self, user: UserId) -> Person | None:
        found = self.member(user) or self.visitor(user)
        return None if found is None else found.person

    def _with(self, person: Person) -> Session:
        members = tuple(evolve(m, person=person) if m.user == person.user else m for m in self.members)
        visitors = tuple(evolve(v, person=person) if v.user == person.user else v for v in self.visitors)
        return evolve(self, members=members, visitors=visitors, version=self.version + 1)

    def _seated(self, person: Person, role: Role, keyed: bool = False) -> Session:
        member = Member(person, role, seat=self.seats, epoch=self.seats, keyed=keyed)
        return evolve(self, members=(*self.members, member), seats=self.seats + 1)

    def _let_in(self) -> Session:
        """Without a lobby nobody waits in an open session: those for whom there is room are guests, the others go."""
        if self.settings.lobby:
            return self
        session = evolve(self, visitors=())
        for visitor in self.visitors:
            if session.has_room(visitor.person.traits):
                session = session._seated(visitor.person, Role.GUEST)
        return session

    def _check_lobby(self) -> None:
        if self.settings.lobby and not all(member.traits.waits for member in self.members):
            raise SignalError(ErrorCode.UNSUPPORTED_BY_PEER)
