"""What a session's host does, through the hub: lobby, lock, remove, hand over, succession."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.errors import ErrorCode
from signald.core.hub import Ending
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
    """What kinds of events these are."""
    return [type(event) for event in events]


class Case(SynchronousTestCase):
    """A host."""

    settings = Open(8)
    limits = Limits(session_knocks=2)

    def setUp(self) -> None:
        """Open the session."""
        self.world = World(self.limits)
        self.ann = Client(self.world)
        self.session = self.ann.open(self.settings)

    def come(self) -> Client:
        """Somebody joins or knocks."""
        client = Client(self.world)
        client.say(Join(self.session, id=ID))
        self.ann.hears()
        return client


class LobbyTests(Case):
    """Those who join wait until the host says."""

    settings = Open(3, lobby=True)

    def test_a_knock(self) -> None:
        """The one who joins waits, and the host hears its name."""
        bob = Client(self.world)
        self.assertEqual(bob.say(Join(self.session, name="Bob", id=ID)), [Waiting(self.session, WaitReason.LOBBY, ID)])
        self.assertEqual(self.ann.hears(), [Knock(self.session, bob.user, "Bob")])

    def test_one_who_is_admitted(self) -> None:
        """Its join is answered late, and the host hears of a member and no more of a knock."""
        bob = self.come()
        events = self.ann.say(Admit(self.session, bob.user, ID))
        self.assertEqual(types(events), [MemberJoined, KnockOver, Done])
        [joined] = bob.hears()
        assert isinstance(joined, Joined)
        self.assertEqual((joined.role, joined.id), (Role.GUEST, ID))

    def test_one_who_is_refused(self) -> None:
        """Its join is answered late too; it may knock again."""
        bob = self.come()
        self.assertEqual(self.ann.say(Refuse(self.session, bob.user, ID)), [KnockOver(self.session, bob.user), DONE])
        self.assertEqual(bob.hears(), [NotAdmitted(self.session, RefusalReason.REFUSED, ID)])
        self.assertEqual(types(bob.say(Join(self.session))), [Waiting])

    def test_so_many_wait(self) -> None:
        """The next one is refused."""
        self.come()
        self.come()
        cat = Client(self.world)
        self.assertEqual(cat.say(Join(self.session)), [Error(ErrorCode.LOBBY_FULL, Join)])

    def test_one_who_cannot_wait(self) -> None:
        """A program that does not know of waiting is told so."""
        peer, _ = self.world.welcomed(SERDE)
        self.assertEqual(self.world.say(peer, Join(self.session)), [Error(ErrorCode.CANNOT_WAIT, Join)])

    def test_one_who_waits_is_no_member(self) -> None:
        """It reaches nobody, and nobody reaches it."""
        bob = self.come()
        offer = Offer(self.session, bob.user, Negotiation(self.ann.user, 1), "")
        self.assertEqual(self.ann.say(offer), [Error(ErrorCode.UNKNOWN_MEMBER, Offer, self.session)])
        offer = Offer(self.session, self.ann.user, Negotiation(bob.user, 1), "")
        self.assertEqual(bob.say(offer), [Error(ErrorCode.NOT_A_MEMBER, Offer)])
        self.assertEqual(bob.say(Leave(self.session, ID)), [Left(self.session, ID)])
        self.assertEqual(self.ann.hears(), [KnockOver(self.session, bob.user)])

    def test_one_who_waits_and_is_gone(self) -> None:
        """The host hears nothing of its absence, only of its end."""
        bob = self.come()
        bob.lose()
        self.assertEqual(self.ann.hears(), [])
        self.world.tick(31)
        self.assertIn(KnockOver(self.session, bob.user), self.ann.hears())

    def test_one_is_admitted_while_it_is_away(self) -> None:
        """It hears of it when it is back; the others see that it is away."""
        bob = self.come()
        bob.lose()
        joined = self.ann.say(Admit(self.session, bob.user))[0]
        assert isinstance(joined, MemberJoined)
        self.assertTrue(joined.member.away)
        self.assertEqual(types(bob.resume()), [Joined])

    def test_the_session_ends(self) -> None:
        """Those who wait are told."""
        bob = self.come()
        self.assertEqual(self.ann.say(End(self.session, ID)), [Ended(self.session, EndReason.BY_HOST), DONE])
        self.assertEqual(bob.hears(), [NotAdmitted(self.session, RefusalReason.ENDED, ID)])

    def test_the_lobby_is_switched_off(self) -> None:
        """Those who wait come in as far as there is room; those who join then do not wait."""
        bob, cat = self.come(), self.come()
        self.ann.say(Admit(self.session, bob.user))
        bob.hears()
        dan = self.come()
        events = self.ann.say(Change(self.session, lobby=False))
        self.assertEqual(types(events), [MemberJoined, Changed, KnockOver, KnockOver, Done])
        self.assertEqual(types(cat.hears()), [Joined])
        self.assertEqual(types(bob.hears()), [MemberJoined, Changed])
        self.assertEqual(dan.hears(), [NotAdmitted(self.session, RefusalReason.FULL, ID)])

    def test_waiting_counts_as_being_in_a_session(self) -> None:
        """One user cannot knock everywhere."""
        world = World(Limits(user_sessions=1))
        session = Client(world).open(Open(lobby=True))
        bob = Client(world)
        bob.say(Join(session))
        self.assertEqual(bob.say(Open()), [Error(ErrorCode.TOO_MANY_SESSIONS, Open)])
        bob.say(Leave(session))
        self.assertEqual(types(bob.say(Open())), [Opened])

    def test_a_serde_host_has_no_lobby(self) -> None:
        """Its program could not hear who knocks."""
        peer, _ = self.world.welcomed(SERDE)
        self.assertEqual(self.world.say(peer, Open(lobby=True)), [Error(ErrorCode.UNSUPPORTED_BY_PEER, Open)])


class LockTests(Case):
    """A locked session takes nobody in."""

    def test_it_is_locked_and_unlocked(self) -> None:
        """Everybody hears of it; those who are in it stay."""
        bob = self.come()
        self.assertEqual(
            self.ann.say(Change(self.session, locked=True, id=ID)), [Changed(self.session, True, False), DONE]
        )
        self.assertEqual(bob.hears(), [Changed(self.session, True, False)])
        cat = Client(self.world)
        self.assertEqual(cat.say(Join(self.session)), [Error(ErrorCode.SESSION_LOCKED, Join)])
        self.ann.say(Change(self.session, locked=False))
        self.assertEqual(types(cat.say(Join(self.session))), [Joined])


class RemovalTests(Case):
    """A guest who is removed."""

    def test_it_is_told_and_cannot_come_back(self) -> None:
        """The id is as unknown to it as any other; the others hear of it."""
        bob, cat = self.come(), self.come()
        self.ann.hears()
        bob.hears()
        left = MemberLeft(self.session, bob.user, LeaveReason.REMOVED)
        self.assertEqual(self.ann.say(Remove(self.session, bob.user, ID)), [left, DONE])
        self.assertEqual(bob.hears(), [Ended(self.session, EndReason.REMOVED)])
        self.assertEqual(cat.hears(), [left])
        self.assertEqual(bob.say(Join(self.session)), [Error(ErrorCode.UNKNOWN_SESSION, Join)])
        offer = Offer(self.session, self.ann.user, Negotiation(bob.user, 1), "")
        self.assertEqual(bob.say(offer), [Error(ErrorCode.NOT_A_MEMBER, Offer)])

    def test_one_who_is_away_hears_of_it_when_it_is_back(self) -> None:
        """It is in the session no more."""
        bob = self.come()
        bob.lose()
        self.ann.say(Remove(self.session, bob.user))
        self.assertEqual(bob.resume(), [Ended(self.session, EndReason.REMOVED)])


class HandOverTests(Case):
    """Another host."""

    def test_the_guest_is_the_host(self) -> None:
        """All hear of it; the host of before has the guest's rights, and leaves without an end."""
        bob, cat = self.come(), self.come()
        bob.hears()
        changed = HostChanged(self.session, bob.user)
        self.assertEqual(self.ann.say(HandOver(self.session, bob.user, ID)), [changed, DONE])
        self.assertEqual((bob.hears(), cat.hears()), ([changed], [changed]))
        refused = Error(ErrorCode.WRONG_ROLE, Remove, self.session)
        self.assertEqual(self.ann.say(Remove(self.session, cat.user)), [refused])
        self.assertEqual(self.ann.say(Leave(self.session)), [Left(self.session)])
        self.assertEqual(bob.hears(), [MemberLeft(self.session, self.ann.user, LeaveReason.LEFT)])
        bob.say(End(self.session))
        self.assertEqual(cat.hears()[-1], Ended(self.session, EndReason.BY_HOST))


class SuccessionTests(Case):
    """A session that outlives its host."""

    settings = Open(8, succession=True)

    def test_the_host_leaves(self) -> None:
        """The longest guest is the host then, and hears who waits in the lobby."""
        bob, cat = self.come(), self.come()
        self.ann.say(Change(self.session, lobby=True))
        dan = self.come()
        for client in (bob, cat):
            client.hears()
        self.assertEqual(self.ann.say(Leave(self.session)), [Left(self.session)])
        news = [MemberLeft(self.session, self.ann.user, LeaveReason.LEFT), HostChanged(self.session, bob.user)]
        self.assertEqual(bob.hears(), [*news, Knock(self.session, dan.user)])
        self.assertEqual(cat.hears(), news)

    def test_the_host_is_gone(self) -> None:
        """One who is there follows rather than one who is away."""
        bob, cat = self.come(), self.come()
        self.ann.lose()
        self.world.tick(15)
        bob.lose()
        cat.hears()
        self.world.tick(15.1)
        self.assertEqual(
            cat.hears(),
            [MemberLeft(self.session, self.ann.user, LeaveReason.GONE), HostChanged(self.session, cat.user)],
        )

    def test_the_last_one_leaves(self) -> None:
        """Then it ends."""
        bob = self.come()
        self.ann.lose(Ending.LEFT)
        bob.hears()
        self.assertEqual(bob.say(Leave(self.session)), [Left(self.session)])
        self.assertEqual(self.world.registry.sessions, {})

    def test_without_it_the_session_ends(self) -> None:
        """For all."""
        session = self.ann.open(Open(8))
        bob = Client(self.world)
        bob.say(Join(session))
        self.ann.lose()
        self.assertEqual(bob.hears(), [MemberAway(session, self.ann.user)])
        self.world.tick(31)
        self.assertIn(Ended(session, EndReason.HOST_GONE), bob.hears())
