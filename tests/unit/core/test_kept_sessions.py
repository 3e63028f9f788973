"""Sessions that are kept for the holder of the host key, through the hub and the registry."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.decisions import OpenSession
from signald.core.errors import ErrorCode
from signald.core.hub import DisconnectReason
from signald.core.limits import Limits
from signald.core.messages import (
    Ack,
    Answer,
    End,
    Ended,
    EndReason,
    Error,
    Event,
    ForwardedAnswer,
    ForwardedOffer,
    HandOver,
    HostChanged,
    Join,
    Joined,
    Knock,
    Leave,
    LeaveReason,
    MemberJoined,
    MemberLeft,
    Negotiation,
    NotAdmitted,
    Offer,
    Open,
    Opened,
    RefusalReason,
    RequestId,
    Role,
    Secret,
    SessionId,
    Waiting,
    WaitReason,
)
from signald.core.sessions import SessionState
from tests.support.world import SERDE, Client, World

ID = RequestId("7")
NOWHERE = SessionId("ZZZZZZZZZZ")
WRONG = Secret("A" * 43)


def types(events: list[Event]) -> list[type]:
    """The classes of events."""
    return [type(event) for event in events]


class Case(SynchronousTestCase):
    """A session with a host key."""

    limits = Limits(kept_sessions=2, kept_seconds=1000.0)

    def setUp(self) -> None:
        """Let Ann open it."""
        self.world = World(self.limits)
        self.ann = Client(self.world)
        opened = self.ann.send(Open(keep=True))[-1]
        assert isinstance(opened, Opened)
        assert opened.host_key is not None
        self.session, self.key = opened.session, opened.host_key

    def again(self, client: Client, **settings: bool | int | str) -> list[Event]:
        """Reopen the session with the key."""
        return client.send(Open(session=self.session, host_key=self.key, id=ID, **settings))  # type: ignore[arg-type] # each setting has one of the types

    def kept(self) -> tuple[Client, SessionId]:
        """Open another kept session, with its own host."""
        host = Client(self.world)
        session = host.open(Open(keep=True))
        host.send(End(session))
        return host, session


class HostKeyTests(Case):
    """The holder of the key is the host."""

    def test_only_a_session_to_be_kept_has_one(self) -> None:
        """Only a session that is to be kept has a host key, and only the reply to the opening contains it."""
        [opened] = self.ann.send(Open())
        assert isinstance(opened, Opened)
        self.assertIsNone(opened.host_key)

    def test_host_key_reopens_the_same_id(self) -> None:
        """Reopening applies the new settings, even for another identity; the key stays the same."""
        self.ann.lose(DisconnectReason.LEFT)
        host = Client(self.world)
        [opened] = self.again(host, capacity=3, label="again", keep=True)
        ticket = self.world.ticket(self.session, host.user, Role.HOST)
        expected = Opened(self.session, 3, False, False, label="again", host_key=self.key, ticket=ticket, id=ID)
        self.assertEqual(opened, expected)

    def test_a_wrong_key_is_refused(self) -> None:
        """A wrong key gets the same error for a kept, an open and an unknown session.

        A key without a session and a session without a key get that error too.
        """
        stranger = Client(self.world)
        _, kept = self.kept()
        before = self.world.state()
        for session, key in (
            (self.session, WRONG),
            (kept, self.key),
            (NOWHERE, self.key),
            (None, self.key),
            (self.session, None),
        ):
            self.assertEqual(
                stranger.send(Open(session=session, host_key=key)), [Error(ErrorCode.WRONG_HOST_KEY, Open)]
            )
        self.assertEqual(self.world.state(), before)

    def test_a_visitor_that_opens_may_be_admitted_before(self) -> None:
        """If a visitor is admitted while its opening is decided, it is a guest and its opening is rejected."""
        self.ann.lose(DisconnectReason.LEFT)
        bob, host = Client(self.world), Client(self.world)
        bob.send(Join(self.session))
        self.world.deferred_operations = (OpenSession,)
        self.assertEqual(self.again(bob, keep=True), [])
        held, self.world.deferred, self.world.deferred_operations = self.world.deferred, [], ()
        self.assertEqual(types(self.again(host, keep=True)), [Opened])
        [joined] = bob.receive()
        assert isinstance(joined, Joined)
        self.assertIs(joined.role, Role.GUEST)
        self.world.carry_out(held)
        refused = Error(ErrorCode.ALREADY_MEMBER, Open, session=self.session, id=ID)
        self.assertEqual(bob.receive(), [refused])

    def test_the_host_of_an_open_session_is_replaced(self) -> None:
        """The replaced host gets the reason; the guest meets the new host."""
        bob = Client(self.world)
        bob.send(Join(self.session))
        host = Client(self.world)
        [opened] = self.again(host)
        assert isinstance(opened, Opened)
        self.assertEqual([(m.user, m.role, m.offers_first) for m in opened.members], [(bob.user, Role.GUEST, True)])
        self.assertEqual(self.ann.receive()[-1], Ended(self.session, EndReason.REPLACED))
        left, joined, changed = bob.receive()
        self.assertEqual(left, MemberLeft(self.session, self.ann.user, LeaveReason.REPLACED))
        assert isinstance(joined, MemberJoined)
        self.assertEqual((joined.member.user, joined.member.role), (host.user, Role.HOST))
        self.assertEqual(changed, HostChanged(self.session, host.user))

    def test_a_host_by_hand_over_is_a_guest_then(self) -> None:
        """The member that reopens the session with the key is replaced although it is a guest by now."""
        bob = Client(self.world)
        bob.send(Join(self.session))
        self.ann.send(HandOver(self.session, bob.user))
        bob.receive()
        host = Client(self.world)
        [opened] = self.again(host)
        assert isinstance(opened, Opened)
        self.assertEqual([(m.user, m.role) for m in opened.members], [(bob.user, Role.GUEST)])
        self.assertEqual(self.ann.receive()[-1], Ended(self.session, EndReason.REPLACED))
        self.assertEqual(types(bob.receive()), [MemberLeft, MemberJoined, HostChanged])

    def test_a_serde_guest_meets_the_new_host(self) -> None:
        """The new host has joined later, so it sends the first offer: once, with a number above all earlier ones."""
        peer, user = self.world.welcome_peer(SERDE)
        self.world.send(peer, Join(self.session))
        host = Client(self.world)
        [opened] = self.again(host)
        assert isinstance(opened, Opened)
        [guest] = opened.members
        self.assertEqual((guest.user, guest.offers_first, guest.base), (user, True, 4096))
        for n, code in ((4098, ErrorCode.UNSUPPORTED_BY_PEER), (4097, None)):
            told = host.send(Offer(self.session, user, Negotiation(host.user, n), "v=0"))
            self.assertEqual([event.code for event in told if isinstance(event, Error)], [code] if code else [])
        self.assertEqual(types(self.world.receive(peer))[-1], ForwardedOffer)
        self.world.send(peer, Answer(self.session, None, Negotiation(host.user, 4097), "v=0"))
        self.assertEqual(types(host.receive()), [ForwardedAnswer])

    def test_a_full_session_has_no_room_for_another_host(self) -> None:
        """The opening is refused, and the host by succession stays."""
        opened = self.ann.send(Open(2, keep=True, succession=True))[-1]
        assert isinstance(opened, Opened)
        guests = [Client(self.world), Client(self.world)]
        guests[0].send(Join(opened.session))
        self.ann.send(Leave(opened.session))
        guests[1].send(Join(opened.session))
        host = Client(self.world)
        refused = Error(ErrorCode.SESSION_FULL, Open)
        self.assertEqual(host.send(Open(2, session=opened.session, host_key=opened.host_key)), [refused])

    def test_the_new_host_gets_the_knocks(self) -> None:
        """The knocks go to the new host, and no longer to the old one."""
        bob = Client(self.world)
        opened = self.ann.send(Open(lobby=True, keep=True))[-1]
        assert isinstance(opened, Opened)
        bob.send(Join(opened.session, name="Bob"))
        self.ann.receive()
        host = Client(self.world)
        events = host.send(Open(lobby=True, session=opened.session, host_key=opened.host_key))
        self.assertEqual(types(events), [Opened, Knock])
        self.assertEqual(self.ann.receive(), [Ended(opened.session, EndReason.REPLACED)])
        self.assertEqual(bob.receive(), [])


class EarlyTests(Case):
    """Guests join before the host has reopened the session."""

    def setUp(self) -> None:
        """Let Ann leave; then Bob and Cat join."""
        super().setUp()
        self.ann.send(End(self.session))
        self.bob, self.cat = Client(self.world), Client(self.world)
        for guest in (self.bob, self.cat):
            self.assertEqual(guest.send(Join(self.session, id=ID)), [Waiting(self.session, WaitReason.HOST, ID)])

    def test_visitors_become_members_when_the_host_reopens(self) -> None:
        """When the host reopens the session, visitors become guests in their order while there is room.

        Their joins get their replies then.
        """
        [opened] = self.again(self.ann)
        assert isinstance(opened, Opened)
        self.assertEqual([member.user for member in opened.members], [self.bob.user])
        [joined] = self.bob.receive()
        assert isinstance(joined, Joined)
        self.assertEqual((joined.id, joined.members[0].offers_first), (ID, True))
        self.assertEqual(self.cat.receive(), [NotAdmitted(self.session, RefusalReason.FULL, ID)])

    def test_visitors_wait_in_the_lobby_when_the_host_reopens(self) -> None:
        """The reason why the visitors wait changes to the lobby; the host gets both knocks."""
        self.assertEqual(types(self.again(self.ann, lobby=True)), [Opened, Knock, Knock])
        for guest in (self.bob, self.cat):
            self.assertEqual(guest.receive(), [Waiting(self.session, WaitReason.LOBBY)])

    def test_visitors_leave_no_state(self) -> None:
        """A visitor that leaves or whose identity ends leaves no state."""
        self.bob.send(Leave(self.session))
        self.cat.lose()
        self.world.tick(31)
        self.assertEqual(self.world.registry.sessions[self.session].visitors, ())
        self.assertNotIn(self.session, self.world.hub.sessions)

    def test_a_program_that_cannot_wait_is_refused(self) -> None:
        """A program that does not support waiting is refused."""
        peer, _ = self.world.welcome_peer(SERDE)
        self.assertEqual(self.world.send(peer, Join(self.session)), [Error(ErrorCode.CANNOT_WAIT, Join)])

    def test_a_session_that_is_not_open_is_never_idle(self) -> None:
        """A kept session that is not open has no idle timeout, and its visitors get no event."""
        self.world.tick(self.limits.session_life_seconds + 1)
        self.assertEqual([types(guest.receive()) for guest in (self.bob, self.cat)], [[Ack], [Ack]])


class KeptTests(Case):
    """A kept session is remembered for a limited time."""

    def test_a_kept_session_is_forgotten_after_its_time(self) -> None:
        """After that time the session id is unknown, and the key still opens it."""
        self.ann.send(End(self.session))
        self.world.tick(999)
        self.assertIs(self.world.registry.sessions[self.session].state, SessionState.KEPT)
        self.world.tick(2)
        self.assertEqual((self.world.registry.sessions, self.world.registry.kept_since), ({}, {}))
        bob = Client(self.world)
        self.assertEqual(bob.send(Join(self.session)), [Error(ErrorCode.UNKNOWN_SESSION, Join)])
        self.assertEqual(types(self.again(self.ann))[-1:], [Opened])
        self.assertEqual(types(bob.send(Join(self.session)))[-1:], [Joined])

    def test_session_with_visitors_is_not_forgotten(self) -> None:
        """A session with visitors is kept for another period, until none waits."""
        self.ann.send(End(self.session))
        bob = Client(self.world)
        bob.send(Join(self.session))
        self.world.tick(1001)
        self.assertEqual(list(self.world.registry.kept_since), [self.session])
        bob.send(Leave(self.session))
        self.world.tick(999)
        self.assertEqual(list(self.world.registry.kept_since), [self.session])
        self.world.tick(2)
        self.assertEqual(self.world.registry.sessions, {})

    def test_the_oldest_are_forgotten_when_there_are_too_many(self) -> None:
        """Open sessions do not count against the bound on kept sessions."""
        self.ann.send(End(self.session))
        _, second = self.kept()
        _, third = self.kept()
        self.assertEqual(list(self.world.registry.kept_since), [second, third])
        self.assertNotIn(self.session, self.world.registry.sessions)

    def test_sessions_with_visitors_do_not_count_against_the_limit(self) -> None:
        """Sessions with visitors are passed over, and the oldest others are forgotten, as many as exceed the limit."""
        self.ann.send(End(self.session))
        bob = Client(self.world)
        bob.send(Join(self.session))
        _, second = self.kept()
        bob.send(Join(second))
        for _ in range(3):
            self.kept()
        self.assertEqual(list(self.world.registry.kept_since), [self.session, second])
        bob.lose(DisconnectReason.LEFT)
        _, last = self.kept()
        self.assertEqual(list(self.world.registry.kept_since), [second, last])

    def test_a_reopened_session_is_not_forgotten(self) -> None:
        """Reopening a session cancels the time after which it is removed."""
        self.ann.send(End(self.session))
        self.again(self.ann, keep=True)
        self.world.tick(1001)
        self.assertIs(self.world.registry.sessions[self.session].state, SessionState.OPEN)
        self.assertEqual(self.world.registry.kept_since, {})

    def test_a_session_that_is_no_longer_to_be_kept(self) -> None:
        """A session that is not kept is over at its end, and the key still opens it."""
        self.again(Client(self.world))
        self.assertEqual(types(self.ann.receive()), [Ended])
        host = Client(self.world)
        self.again(host)
        host.send(End(self.session))
        self.assertNotIn(self.session, self.world.registry.sessions)
        self.assertEqual(types(self.again(self.ann)), [Opened])

    def test_a_key_that_is_used_while_the_session_ends(self) -> None:
        """The version of the session is higher than all earlier versions, whichever session had the id."""
        first = Client(self.world)
        self.again(first)
        bob = Client(self.world)
        bob.send(Join(self.session))
        host = Client(self.world)
        [decide] = self.world.hub.received(
            host.peer, Open(session=self.session, host_key=self.key, id=ID), self.world.now
        )
        first.send(End(self.session))
        self.assertNotIn(self.session, self.world.hub.sessions)
        self.world.carry_out([decide])
        self.assertEqual(types(host.receive()), [Opened])
