"""A session as an immutable value: its members, visitors and settings, and the rules by which they change."""

from __future__ import annotations

from enum import Enum

from attrs import evolve, frozen

from signald.core.errors import ErrorCode, SignalError
from signald.core.members import Member, Person, Visitor
from signald.core.messages import RequestId, Role, SessionId, Traits, UserId, WaitReason
from signald.core.session_settings import Settings

NEGOTIATIONS_AN_EPOCH = 4096
"""By how much a pair's negotiation numbers rise when one of the two starts over."""

_MAX_SEATS = 2**31 // NEGOTIATIONS_AN_EPOCH
"""The most seats and epochs of a session: negotiation numbers have to stay below 2³¹."""

_MAX_REMOVED = 64
"""The most removed guests that a session remembers."""


class SessionState(Enum):
    """The state of a session: open, kept for its host key without members, or over."""

    OPEN = "open"
    KEPT = "kept"
    OVER = "over"


class SessionEvent(Enum):
    """An event that changes a session's state."""

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
"""The next state for each state and event; no other combination occurs."""


@frozen
class Session:
    """A meeting of a host and guests.

    The methods that change something return a new session with the next version; a rule that forbids the change raises
    `SignalError`.

    Attributes:
        id: the session's id.
        settings: the host's settings.
        members: the members in the order in which they joined; empty in a kept session.
        visitors: the users that wait for admission, in the order in which they came.
        removed: the latest guests that a host removed; they cannot join again.
        state: open, kept or over.
        seats: how many seats and epochs members have got so far (`Member.seat`, `Member.epoch`).
        version: the number of this version, from 1.

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
    def new(cls, id: SessionId, settings: Settings, host: Person) -> Session:
        """Make a new session with its host."""
        return cls(id, settings, members=(Member(host, Role.HOST, 0, 0, keyed=True),))

    @classmethod
    def awaiting_host(cls, id: SessionId, version: int) -> Session:
        """Make a kept session without members, at which a guest waits before the host opens it for the first time."""
        return cls(id, Settings(keep=True), members=(), state=SessionState.KEPT, version=version)

    @property
    def host(self) -> Member | None:
        """The host; None in a session that is not open."""
        return next((member for member in self.members if member.role is Role.HOST), None)

    @property
    def wait_reason(self) -> WaitReason:
        """Why its visitors wait: for admission, or for the host."""
        return WaitReason.LOBBY if self.state is SessionState.OPEN else WaitReason.HOST

    @property
    def user_ids(self) -> frozenset[UserId]:
        """The ids of all members and visitors."""
        return frozenset({member.user for member in self.members} | {visitor.user for visitor in self.visitors})

    def member(self, user: UserId) -> Member | None:
        """The member with this user id; None where the user is not a member."""
        return next((member for member in self.members if member.user == user), None)

    def visitor(self, user: UserId) -> Visitor | None:
        """The visitor with this user id; None where the user is not a visitor."""
        return next((visitor for visitor in self.visitors if visitor.user == user), None)

    def others(self, user: UserId) -> tuple[Member, ...]:
        """The members other than this user, in the order in which they joined."""
        return tuple(member for member in self.members if member.user != user)

    def has_room_for(self, traits: Traits) -> bool:
        """Whether a user with these traits can become a member, by the settings and by the traits of all members."""
        if self.settings.relay_only and not traits.relays:
            return False
        understood = [traits.most_members, *(member.traits.most_members for member in self.members)]
        room = min([self.settings.capacity, *(most for most in understood if most is not None)])
        return len(self.members) < room and self.seats < _MAX_SEATS

    # Joining

    def with_arrival(self, person: Person, request: RequestId | None, proof: str | None, most_visitors: int) -> Session:
        """The session with a new guest, or with a new visitor where the user has to wait.

        Args:
            person: the user that joins.
            request: the id of its request.
            proof: the session's password hash where the given password was right; empty where it was wrong; None
                where none was given.
            most_visitors: how many visitors may wait at most.

        Raises:
            SignalError: in this order: `unknown-session` for a removed guest, `already-member`,
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
        if self.state is SessionState.OPEN and not self.has_room_for(person.traits):
            raise SignalError(ErrorCode.SESSION_FULL)
        if self.state is SessionState.OPEN and not self.settings.lobby:
            return evolve(self._with_member(person, Role.GUEST), version=self.version + 1)
        if not person.traits.waits:
            raise SignalError(ErrorCode.CANNOT_WAIT)
        if len(self.visitors) >= most_visitors:
            raise SignalError(ErrorCode.LOBBY_FULL)
        return evolve(self, visitors=(*self.visitors, Visitor(person, request)), version=self.version + 1)

    def reopened_by(self, host: Person, settings: Settings, same: frozenset[UserId] | None = None) -> Session:
        """The session, opened or taken over by a host with the host key or a token for it, with new settings.

        The new host replaces the member that has opened the session with the key before. A host without the key
        becomes a guest. Without a lobby the visitors become guests while there is room; the rest is turned away.

        Args:
            host: the new host.
            settings: the new settings.
            same: for a host that has shown a token instead of the key: the members that are the same person by their
                tokens. The host replaces them, and a member with the key becomes a guest.

        Raises:
            SignalError: `already-member`; `relay-needed`; `session-full`; `unsupported-by-peer`, for a lobby in a
                session with a member whose program does not support lobbies.

        """
        if self.member(host.user) is not None or self.visitor(host.user) is not None:
            raise SignalError(ErrorCode.ALREADY_MEMBER)
        replaced = frozenset(member.user for member in self.members if member.keyed) if same is None else same
        rest = tuple(evolve(member, role=Role.GUEST) for member in self.members if member.user not in replaced)
        if self.state is SessionState.OPEN:
            # The members of an open session have connected by the old setting, so it stays.
            settings = evolve(settings, relay_only=self.settings.relay_only)
        settings.check_relay(host.traits)
        session = evolve(
            self,
            settings=settings,
            members=rest,
            state=SESSION_TRANSITIONS[self.state, SessionEvent.HOST_CAME],
            version=self.version + 1,
        )
        if not session.has_room_for(host.traits):
            raise SignalError(ErrorCode.SESSION_FULL)
        session._check_lobby()
        return session._with_member(host, Role.HOST, keyed=same is None)._with_lobby_resolved()

    # Leaving

    def without(self, user: UserId) -> Session:
        """The session without this guest or visitor, or without a host that `next_host` succeeds.

        Raises:
            SignalError: `not-a-member`.

        """
        member = self.member(user)
        if member is None and self.visitor(user) is None:
            raise SignalError(ErrorCode.NOT_A_MEMBER)
        successor = self.next_host if member is not None and member.role is Role.HOST else None
        members = tuple(
            evolve(other, role=Role.HOST) if successor is not None and other.user == successor.user else other
            for other in self.others(user)
        )
        visitors = tuple(visitor for visitor in self.visitors if visitor.user != user)
        return evolve(self, members=members, visitors=visitors, version=self.version + 1)

    @property
    def next_host(self) -> Member | None:
        """The guest that becomes the host when the host leaves: the first to have joined, preferably one not away.

        None where the settings allow no succession, or there is no guest.
        """
        guests = [member for member in self.members if member.role is Role.GUEST]
        if not self.settings.succession or not guests:
            return None
        return min(guests, key=lambda member: (member.person.away, member.seat))

    def ended(self) -> Session:
        """The session after its end: without members, and kept or over as the settings say."""
        event = SessionEvent.ENDED_KEPT if self.settings.keep else SessionEvent.ENDED
        state = SESSION_TRANSITIONS[self.state, event]
        visitors = self.visitors if state is SessionState.KEPT else ()
        settings = evolve(self.settings, locked=False)
        return evolve(self, settings=settings, members=(), visitors=visitors, state=state, version=self.version + 1)

    # Requests of the host

    def with_settings(self, host: UserId, label: str | None, locked: bool | None, lobby: bool | None) -> Session:
        """The session with changed settings; None leaves one unchanged.

        Raises:
            SignalError: `not-a-member`, `wrong-role`; `unsupported-by-peer`, for a lobby in a session with a member
                whose program does not support lobbies.

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
        return session._with_lobby_resolved()

    def with_visitor_admitted(self, host: UserId, user: UserId) -> Session:
        """The session with a visitor admitted as a guest.

        Raises:
            SignalError: `not-a-member`, `wrong-role`, `unknown-member`, `session-full`.

        """
        self.check_host(host)
        visitor = self.visitor(user)
        if visitor is None:
            raise SignalError(ErrorCode.UNKNOWN_MEMBER)
        if not self.has_room_for(visitor.person.traits):
            raise SignalError(ErrorCode.SESSION_FULL)
        return self.without(user)._with_member(visitor.person, Role.GUEST)

    def with_visitor_refused(self, host: UserId, user: UserId) -> Session:
        """The session with a visitor turned away.

        Raises:
            SignalError: `not-a-member`, `wrong-role`, `unknown-member`.

        """
        self.check_host(host)
        if self.visitor(user) is None:
            raise SignalError(ErrorCode.UNKNOWN_MEMBER)
        return self.without(user)

    def with_guest_removed(self, host: UserId, user: UserId) -> Session:
        """The session without a guest, which cannot join again.

        Raises:
            SignalError: `not-a-member`, `wrong-role`, `unknown-member`.

        """
        self.check_host(host)
        if user == host or self.member(user) is None:
            raise SignalError(ErrorCode.UNKNOWN_MEMBER)
        return evolve(self.without(user), removed=(*self.removed, user)[-_MAX_REMOVED:])

    def with_new_host(self, host: UserId, user: UserId) -> Session:
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
        """Check that a user is the host.

        Raises:
            SignalError: `not-a-member`, `wrong-role`.

        """
        member = self.member(user)
        if member is None:
            raise SignalError(ErrorCode.NOT_A_MEMBER)
        if member.role is not Role.HOST:
            raise SignalError(ErrorCode.WRONG_ROLE)

    # Presence

    def with_presence(self, user: UserId, away: bool) -> Session:
        """The session with a member or visitor marked as away or back; the same object where that changes nothing."""
        person = self._person(user)
        return self if person is None or person.away is away else self._with_person(evolve(person, away=away))

    def with_renewed_member(self, user: UserId, traits: Traits) -> Session:
        """The session with a member that has lost its state: all its negotiations start over, with its new traits.

        A visitor has no negotiations; for it only the traits are updated. The result is the same object where nothing
        changes.

        Raises:
            SignalError: `unsupported-by-peer`, another member supports a single exchange only; `relay-needed`, its
                program does not connect through TURN servers alone; `session-full`, all epochs are used up.

        """
        member, visitor = self.member(user), self.visitor(user)
        if visitor is not None and visitor.person.traits != traits:
            return self._with_person(evolve(visitor.person, traits=traits))
        if member is None:
            return self
        if not all(other.traits.renegotiates for other in self.others(user)):
            raise SignalError(ErrorCode.UNSUPPORTED_BY_PEER)
        self.settings.check_relay(traits)
        if self.seats >= _MAX_SEATS:
            raise SignalError(ErrorCode.SESSION_FULL)
        renewed = evolve(member, person=evolve(member.person, traits=traits), epoch=self.seats)
        members = tuple(renewed if other.user == user else other for other in self.members)
        return evolve(self, members=members, seats=self.seats + 1, version=self.version + 1)

    def _person(self, user: UserId) -> Person | None:
        found = self.member(user) or self.visitor(user)
        return None if found is None else found.person

    def _with_person(self, person: Person) -> Session:
        members = tuple(evolve(m, person=person) if m.user == person.user else m for m in self.members)
        visitors = tuple(evolve(v, person=person) if v.user == person.user else v for v in self.visitors)
        return evolve(self, members=members, visitors=visitors, version=self.version + 1)

    def _with_member(self, person: Person, role: Role, keyed: bool = False) -> Session:
        member = Member(person, role, seat=self.seats, epoch=self.seats, keyed=keyed)
        return evolve(self, members=(*self.members, member), seats=self.seats + 1)

    def _with_lobby_resolved(self) -> Session:
        """Without a lobby, turn visitors into guests while there is room and turn the rest away."""
        if self.settings.lobby:
            return self
        session = evolve(self, visitors=())
        for visitor in self.visitors:
            if session.has_room_for(visitor.person.traits):
                session = session._with_member(visitor.person, Role.GUEST)
        return session

    def _check_lobby(self) -> None:
        if self.settings.lobby and not all(member.traits.waits for member in self.members):
            raise SignalError(ErrorCode.UNSUPPORTED_BY_PEER)
