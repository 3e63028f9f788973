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

_MAX_EXPECTED = 64
"""The most members whose return a session expects."""


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
        expected: the latest members that did not leave on purpose: who shows the rejoin ticket of one of them is let in
            without password, lobby and lock.
        state: open, kept or over.
        seats: how many seats and epochs members have got so far (`Member.seat`, `Member.epoch`).
        version: the number of this version, from 1.

    """

    id: SessionId
    settings: Settings
    members: tuple[Member, ...]
    visitors: tuple[Visitor, ...] = ()
    removed: tuple[UserId, ...] = ()
    expected: tuple[UserId, ...] = ()
    state: SessionState = SessionState.OPEN
    seats: int = 1
    version: int = 1

    @classmethod
    def new(cls, id: SessionId, settings: Settings, host: Person) -> Session:
        """Make a new session with its host."""
        return cls(
            id, settings, members=(Member(host, Role.HOST, 0, 0, keyed=True),), expected=tuple(host.connected or ())
        )

    @classmethod
    def awaiting_host(cls, id: SessionId, version: int, *, keep: bool) -> Session:
        """Make a kept session without members, at which a guest waits before the host opens it.

        Without `keep`, it is over as soon as nobody waits any more.
        """
        return cls(id, Settings(keep=keep), members=(), state=SessionState.KEPT, version=version)

    @property
    def host(self) -> Member | None:
        """The host; None in a session that is not open."""
        return next((member for member in self.members if member.role is Role.HOST), None)

    @property
    def wait_reason(self) -> WaitReason:
        """Why its visitors wait: for admission, or for the host."""
        return WaitReason.LOBBY if self.state is SessionState.OPEN else WaitReason.HOST

    @property
    def awaits_first_host(self) -> bool:
        """Whether it exists only because holders of rejoin tickets wait here; their host has not come back yet."""
        return self.state is SessionState.KEPT and not self.settings.keep

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

    def expects(self, person: Person) -> bool:
        """Whether a user has shown the rejoin ticket of a member that did not leave on purpose."""
        return person.former is not None and person.former in self.expected

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

        Arguments:
            person: the user that joins; a member whose return is expected needs no password and no admission.
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
        if not {user, person.former}.isdisjoint(self.removed):
            raise SignalError(ErrorCode.UNKNOWN_SESSION)
        if self.member(user) is not None or self.visitor(user) is not None:
            raise SignalError(ErrorCode.ALREADY_MEMBER)
        returns = self.expects(person)
        if self.settings.password is not None and proof != self.settings.password and not returns:
            raise SignalError(ErrorCode.PASSWORD_NEEDED if proof is None else ErrorCode.WRONG_PASSWORD)
        self.settings.check_relay(person.traits)
        if self.settings.locked and self.state is SessionState.OPEN and not returns:
            raise SignalError(ErrorCode.SESSION_LOCKED)
        if self.state is SessionState.OPEN and not self.has_room_for(person.traits):
            raise SignalError(ErrorCode.SESSION_FULL)
        if self.state is SessionState.OPEN and (returns or not self.settings.lobby):
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
        Visitors whose return the new host expects become guests in any case; others that have shown a rejoin ticket and
        no password are turned away where the session has one.

        Arguments:
            host: the new host; it expects those with whom it still has its peer connections.
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
            expected=self._expected_with(*(host.connected or ())),
            state=SESSION_TRANSITIONS[self.state, SessionEvent.HOST_CAME],
            version=self.version + 1,
        )
        if not session.has_room_for(host.traits):
            raise SignalError(ErrorCode.SESSION_FULL)
        session._check_lobby()
        if settings.password is not None and self.awaits_first_host:
            # They could wait without the password because nobody knew it then.
            session = session._without_strangers()
        return session._with_member(host, Role.HOST, keyed=same is None)._with_lobby_resolved()

    # Leaving

    def without(self, user: UserId, *, returns: bool = False) -> Session:
        """The session without this guest or visitor, or without a host that `next_host` succeeds.

        Arguments:
            user: the guest, visitor or host.
            returns: whether the return of this member is expected, since it did not leave on purpose.

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
        expected = self._expected_with(user) if returns and member is not None else self.expected
        return evolve(self, members=members, visitors=visitors, expected=expected, version=self.version + 1)

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

    def with_renewed_member(self, user: UserId, traits: Traits, connected: tuple[UserId, ...] = ()) -> Session:
        """The session with a member that has lost its state: all its negotiations start over, with its new traits.

        It still has its peer connections with the users `connected` (`views.have_connection`). A visitor has no
        negotiations; for it only the traits are updated. The result is the same object where nothing changes.

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
        renewed = evolve(member, person=evolve(member.person, traits=traits, connected=connected), epoch=self.seats)
        members = tuple(renewed if other.user == user else other for other in self.members)
        return evolve(self, members=members, seats=self.seats + 1, version=self.version + 1)

    def with_connections_unknown(self, users: frozenset[UserId]) -> Session:
        """The session with these members not having said yet with whom they still have their peer connections."""
        members = tuple(
            evolve(member, person=evolve(member.person, connected=None)) if member.user in users else member
            for member in self.members
        )
        return evolve(self, members=members)

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

    def _expected_with(self, *users: UserId) -> tuple[UserId, ...]:
        return (*self.expected, *users)[-_MAX_EXPECTED:]

    def _without_strangers(self) -> Session:
        """The session without the visitors that have shown a rejoin ticket of which nobody expects the return."""
        return evolve(
            self,
            visitors=tuple(
                visitor for visitor in self.visitors if visitor.person.former is None or self.expects(visitor.person)
            ),
        )

    def _with_lobby_resolved(self) -> Session:
        """Turn expected visitors, and without a lobby all, into guests while there is room.

        The others stay in the lobby; without a lobby they are turned away.
        """
        session = evolve(self, visitors=())
        for visitor in self.visitors:
            is_admitted = not self.settings.lobby or self.expects(visitor.person)
            if is_admitted and session.has_room_for(visitor.person.traits):
                session = session._with_member(visitor.person, Role.GUEST)
            elif self.settings.lobby:
                session = evolve(session, visitors=(*session.visitors, visitor))
        return session

    def _check_lobby(self) -> None:
        if self.settings.lobby and not all(member.traits.waits for member in self.members):
            raise SignalError(ErrorCode.UNSUPPORTED_BY_PEER)
