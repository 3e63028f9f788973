"""Requests of a session's host, through the hub: lobby, lock, removal, hand-over and succession."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from signald.core.errors import ErrorCode
from signald.core.hub import DisconnectReason
from signald.core.limits import Limits
from signald.core.messages import (
    Admit,
    Change,
    Changed,
    Done,
    End,
    Ended,
    EndReason,
    Error,
    Event,
    HandOver,
    HostChanged,
    Join,
    Joined,
    Knock,
    KnockOver,
    Leave,
    LeaveReason,
    Left,
    MemberAway,
    MemberJoined,
    MemberLeft,
    Negotiation,
    NotAdmitted,
    Offer,
    Open,
    Opened,
    RefusalReason,
    Refuse,
    Remove,
    RequestId,
    Role,
    Waiting,
    WaitReason,
)
from tests.support.world import SERDE, Client, World

ID = RequestId("7")
DONE = Done(ID)


def types(events: list[Event]) -> list[type]:
    """The classes of events."""
    return [type(event) for event in events]


class Case(SynchronousTestCase):
    """A session with a host."""

    settings = Open(8)
    limits = Limits(session_knocks=2)

    def setUp(self) -> None:
        """Open the session."""
        self.world = World(self.limits)
        self.ann = Client(self.world)
        self.session = self.ann.open(self.settings)

    def join_client(self) -> Client:
        """Let a client join or knock."""
        client = Client(self.world)
        client.send(Join(self.session, id=ID))
        self.ann.receive()
        return client


class LobbyTests(Case):
    """A lobby: those who join wait for admission."""

    settings = Open(3, lobby=True)

    def test_a_knock(self) -> None:
        """The visitor waits, and the host gets its name."""
        bob = Client(self.world)
        self.assertEqual(bob.send(Join(self.session, name="Bob", id=ID)), [Waiting(self.session, WaitReason.LOBBY, ID)])
        self.assertEqual(self.ann.receive(), [Knock(self.session, bob.user, "Bob")])

    def test_a_visitor_is_admitted(self) -> None:
        """The visitor's join gets its response, and the host gets the new member and the end of the knock."""
        bob = self.join_client()
        events = self.ann.send(Admit(self.session, bob.user, ID))
        self.assertEqual(types(events), [MemberJoined, KnockOver, Done])
        [joined] = bob.receive()
        assert isinstance(joined, Joined)
        self.assertEqual((joined.role, joined.id), (Role.GUEST, ID))

    def test_a_visitor_is_turned_away(self) -> None:
        """The visitor's join is rejected when the host refuses it; the visitor may knock again."""
        bob = self.join_client()
        self.assertEqual(self.ann.send(Refuse(self.session, bob.user, ID)), [KnockOver(self.session, bob.user), DONE])
        self.assertEqual(bob.receive(), [NotAdmitted(self.session, RefusalReason.REFUSED, ID)])
        self.assertEqual(types(bob.send(Join(self.session))), [Waiting])

    def test_the_number_of_visitors_is_bounded(self) -> None:
        """A visitor beyond the bound is refused."""
        self.join_client()
        self.join_client()
        cat = Client(self.world)
        self.assertEqual(cat.send(Join(self.session)), [Error(ErrorCode.LOBBY_FULL, Join)])

    def test_a_program_that_cannot_wait_is_refused(self) -> None:
        """A program that does not support waiting gets an error."""
        peer, _ = self.world.welcome_peer(SERDE)
        self.assertEqual(self.world.send(peer, Join(self.session)), [Error(ErrorCode.CANNOT_WAIT, Join)])

    def test_a_visitor_is_no_member(self) -> None:
        """A visitor neither reaches members nor is reached by them."""
        bob = self.join_client()
        offer = Offer(self.session, bob.user, Negotiation(self.ann.user, 1), "")
        self.assertEqual(self.ann.send(offer), [Error(ErrorCode.UNKNOWN_MEMBER, Offer, self.session)])
        offer = Offer(self.session, self.ann.user, Negotiation(bob.user, 1), "")
        self.assertEqual(bob.send(offer), [Error(ErrorCode.NOT_A_MEMBER, Offer)])
        self.assertEqual(bob.send(Leave(self.session, ID)), [Left(self.session, ID)])
        self.assertEqual(self.ann.receive(), [KnockOver(self.session, bob.user)])

    def test_a_visitor_is_gone(self) -> None:
        """When a visitor is away, the host gets no event.

        When the visitor's identity ends, the host gets the end of the knock.
        """
        bob = self.join_client()
        bob.lose()
        self.assertEqual(self.ann.receive(), [])
        self.world.tick(31)
        self.assertIn(KnockOver(self.session, bob.user), self.ann.receive())

    def test_a_visitor_is_admitted_while_it_is_away(self) -> None:
        """A visitor that is admitted while away gets its membership on resume; the others see that it is away."""
        bob = self.join_client()
        bob.lose()
        joined = self.ann.send(Admit(self.session, bob.user))[0]
        assert isinstance(joined, MemberJoined)
        self.assertTrue(joined.member.away)
        self.assertEqual(types(bob.resume()), [Joined])

    def test_the_session_ends(self) -> None:
        """The visitors get the event that the session has ended."""
        bob = self.join_client()
        self.assertEqual(self.ann.send(End(self.session, ID)), [Ended(self.session, EndReason.BY_HOST), DONE])
        self.assertEqual(bob.receive(), [NotAdmitted(self.session, RefusalReason.ENDED, ID)])

    def test_the_lobby_is_switched_off(self) -> None:
        """Visitors become guests while there is room, and later joins do not wait for admission."""
        bob, cat = self.join_client(), self.join_client()
        self.ann.send(Admit(self.session, bob.user))
        bob.receive()
        dan = self.join_client()
        events = self.ann.send(Change(self.session, lobby=False))
        self.assertEqual(types(events), [MemberJoined, Changed, KnockOver, KnockOver, Done])
        self.assertEqual(types(cat.receive()), [Joined])
        self.assertEqual(types(bob.receive()), [MemberJoined, Changed])
        self.assertEqual(dan.receive(), [NotAdmitted(self.session, RefusalReason.FULL, ID)])

    def test_waiting_counts_as_being_in_a_session(self) -> None:
        """The limit on a user's sessions includes the sessions in whose lobby the user waits."""
        world = World(Limits(user_sessions=1))
        session = Client(world).open(Open(lobby=True))
        bob = Client(world)
        bob.send(Join(session))
        self.assertEqual(bob.send(Open()), [Error(ErrorCode.TOO_MANY_SESSIONS, Open)])
        bob.send(Leave(session))
        self.assertEqual(types(bob.send(Open())), [Opened])

    def test_a_serde_host_has_no_lobby(self) -> None:
        """A host whose program does not support knocks cannot open a lobby."""
        peer, _ = self.world.welcome_peer(SERDE)
        self.assertEqual(self.world.send(peer, Open(lobby=True)), [Error(ErrorCode.UNSUPPORTED_BY_PEER, Open)])


class LockTests(Case):
    """A locked session admits no further guests."""

    def test_lock_and_unlock(self) -> None:
        """All members get the new setting and stay members."""
        bob = self.join_client()
        self.assertEqual(
            self.ann.send(Change(self.session, locked=True, id=ID)), [Changed(self.session, True, False), DONE]
        )
        self.assertEqual(bob.receive(), [Changed(self.session, True, False)])
        cat = Client(self.world)
        self.assertEqual(cat.send(Join(self.session)), [Error(ErrorCode.SESSION_LOCKED, Join)])
        self.ann.send(Change(self.session, locked=False))
        self.assertEqual(types(cat.send(Join(self.session))), [Joined])


class RemovalTests(Case):
    """A guest that is removed."""

    def test_a_removed_guest_cannot_join_again(self) -> None:
        """To the removed guest the session id is unknown from then on; the other members get an event."""
        bob, cat = self.join_client(), self.join_client()
        self.ann.receive()
        bob.receive()
        left = MemberLeft(self.session, bob.user, LeaveReason.REMOVED)
        self.assertEqual(self.ann.send(Remove(self.session, bob.user, ID)), [left, DONE])
        self.assertEqual(bob.receive(), [Ended(self.session, EndReason.REMOVED)])
        self.assertEqual(cat.receive(), [left])
        self.assertEqual(bob.send(Join(self.session)), [Error(ErrorCode.UNKNOWN_SESSION, Join)])
        offer = Offer(self.session, self.ann.user, Negotiation(bob.user, 1), "")
        self.assertEqual(bob.send(offer), [Error(ErrorCode.NOT_A_MEMBER, Offer)])

    def test_a_removed_guest_that_is_away_learns_it_when_it_is_back(self) -> None:
        """A resume of the removed guest restores no membership."""
        bob = self.join_client()
        bob.lose()
        self.ann.send(Remove(self.session, bob.user))
        self.assertEqual(bob.resume(), [Ended(self.session, EndReason.REMOVED)])


class HandOverTests(Case):
    """A hand-over to another host."""

    def test_the_guest_is_the_host(self) -> None:
        """All members get the new host; the previous one has a guest's rights and may leave without an end.

        The new host gets the rejoin ticket of a host.
        """
        bob, cat = self.join_client(), self.join_client()
        bob.receive()
        changed = HostChanged(self.session, bob.user)
        ticket = self.world.ticket(self.session, bob.user, Role.HOST)
        self.assertEqual(self.ann.send(HandOver(self.session, bob.user, ID)), [changed, DONE])
        self.assertEqual((bob.receive(), cat.receive()), ([evolve(changed, ticket=ticket)], [changed]))
        refused = Error(ErrorCode.WRONG_ROLE, Remove, self.session)
        self.assertEqual(self.ann.send(Remove(self.session, cat.user)), [refused])
        self.assertEqual(self.ann.send(Leave(self.session)), [Left(self.session)])
        self.assertEqual(bob.receive(), [MemberLeft(self.session, self.ann.user, LeaveReason.LEFT)])
        bob.send(End(self.session))
        self.assertEqual(cat.receive()[-1], Ended(self.session, EndReason.BY_HOST))


class SuccessionTests(Case):
    """A session that continues without its host."""

    settings = Open(8, succession=True)

    def test_the_host_leaves(self) -> None:
        """The first guest to have joined becomes the host, and gets the knocks."""
        bob, cat = self.join_client(), self.join_client()
        self.ann.send(Change(self.session, lobby=True))
        dan = self.join_client()
        for client in (bob, cat):
            client.receive()
        self.assertEqual(self.ann.send(Leave(self.session)), [Left(self.session)])
        left, changed = (
            MemberLeft(self.session, self.ann.user, LeaveReason.LEFT),
            HostChanged(self.session, bob.user),
        )
        ticket = self.world.ticket(self.session, bob.user, Role.HOST)
        self.assertEqual(bob.receive(), [left, evolve(changed, ticket=ticket), Knock(self.session, dan.user)])
        self.assertEqual(cat.receive(), [left, changed])

    def test_the_host_is_gone(self) -> None:
        """A present guest becomes the host rather than a guest that is away."""
        bob, cat = self.join_client(), self.join_client()
        self.ann.lose()
        self.world.tick(15)
        bob.lose()
        cat.receive()
        self.world.tick(15.1)
        ticket = self.world.ticket(self.session, cat.user, Role.HOST)
        left = MemberLeft(self.session, self.ann.user, LeaveReason.GONE)
        self.assertEqual(cat.receive(), [left, HostChanged(self.session, cat.user, ticket)])

    def test_the_last_one_leaves(self) -> None:
        """Without another member the session ends."""
        bob = self.join_client()
        self.ann.lose(DisconnectReason.LEFT)
        bob.receive()
        self.assertEqual(bob.send(Leave(self.session)), [Left(self.session)])
        self.assertEqual(self.world.registry.sessions, {})

    def test_session_without_succession_ends(self) -> None:
        """All members get the event that the session has ended."""
        session = self.ann.open(Open(8))
        bob = Client(self.world)
        bob.send(Join(session))
        self.ann.lose()
        self.assertEqual(bob.receive(), [MemberAway(session, self.ann.user)])
        self.world.tick(31)
        self.assertIn(Ended(session, EndReason.HOST_GONE), bob.receive())
