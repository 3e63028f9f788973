"""Sessions that are kept for the holder of the host key, through the hub and the registry."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.decisions import OpenSession
from signald.core.errors import ErrorCode
from signald.core.hub import Ending
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
    """What kinds of events these are."""
    return [type(event) for event in events]


class Case(SynchronousTestCase):
    """A session with a host key."""

    limits = Limits(kept_sessions=2, kept_seconds=1000.0)

    def setUp(self) -> None:
        """Ann opens it."""
        self.world = World(self.limits)
        self.ann = Client(self.world)
        opened = self.ann.say(Open(keep=True))[-1]
        assert isinstance(opened, Opened)
        assert opened.host_key is not None
        self.session, self.key = opened.session, opened.host_key

    def again(self, client: Client, **settings: bool | int | str) -> list[Event]:
        """Open it again with the key."""
        return client.say(Open(session=self.session, host_key=self.key, id=ID, **settings))  # type: ignore[arg-type]

    def kept(self) -> tuple[Client, SessionId]:
        """Another session that is kept, and its host."""
        host = Client(self.world)
        session = host.open(Open(keep=True))
        host.say(End(session))
        return host, session


class HostKeyTests(Case):
    """Whoever has the key is the host."""

    def test_only_a_session_to_be_kept_has_one(self) -> None:
        """It is told once, in the reply."""
        [opened] = self.ann.say(Open())
        assert isinstance(opened, Opened)
        self.assertIsNone(opened.host_key)

    def test_it_opens_the_same_id_again(self) -> None:
        """With settings anew, also for another identity; the key stays the same."""
        self.ann.lose(Ending.LEFT)
        host = Client(self.world)
        [opened] = self.again(host, capacity=3, label="again", keep=True)
        self.assertEqual(opened, Opened(self.session, 3, False, False, label="again", host_key=self.key, id=ID))

    def test_a_wrong_key_is_refused(self) -> None:
        """Whether the session is kept, open or unknown; as is a key without a session and a session without a key."""
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
            self.assertEqual(stranger.say(Open(session=session, host_key=key)), [Error(ErrorCode.WRONG_HOST_KEY, Open)])
        self.assertEqual(self.world.state(), before)

    def test_one_who_waits_and_opens_may_be_let_in_before(self) -> None:
        """That is no reply to the opening: it is a guest, and the opening is refused."""
        self.ann.lose(Ending.LEFT)
        bob, host = Client(self.world), Client(self.world)
        bob.say(Join(self.session))
        self.world.holding = (OpenSession,)
        self.assertEqual(self.again(bob, keep=True), [])
        held, self.world.held, self.world.holding = self.world.held, [], ()
        self.assertEqual(types(self.again(host, keep=True)), [Opened])
        [joined] = bob.hears()
        assert isinstance(joined, Joined)
        self.assertIs(joined.role, Role.GUEST)
        self.world.act(held)
        refused = Error(ErrorCode.ALREADY_MEMBER, Open, session=self.session, id=ID)
        self.assertEqual(bob.hears(), [refused])

    def test_the_host_of_an_open_session_is_replaced(self) -> None:
        """It is told so; the guest meets the new one."""
        bob = Client(self.world)
        bob.say(Join(self.session))
        host = Client(self.world)
        [opened] = self.again(host)
        assert isinstance(opened, Opened)
        self.assertEqual([(m.user, m.role, m.offers_first) for m in opened.members], [(bob.user, Role.GUEST, True)])
        self.assertEqual(self.ann.hears()[-1], Ended(self.session, EndReason.REPLACED))
        left, joined, changed = bob.hears()
        self.assertEqual(left, MemberLeft(self.session, self.ann.user, LeaveReason.REPLACED))
        assert isinstance(joined, MemberJoined)
        self.assertEqual((joined.member.user, joined.member.role), (host.user, Role.HOST))
        self.assertEqual(changed, HostChanged(self.session, host.user))

    def test_a_host_by_hand_over_is_a_guest_then(self) -> None:
        """The one who came with the key is replaced though it is a guest by now."""
        bob = Client(self.world)
        bob.say(Join(self.session))
        self.ann.say(HandOver(self.session, bob.user))
        bob.hears()
        host = Client(self.world)
        [opened] = self.again(host)
        assert isinstance(opened, Opened)
        self.assertEqual([(m.user, m.role) for m in opened.members], [(bob.user, Role.GUEST)])
        self.assertEqual(self.ann.hears()[-1], Ended(self.session, EndReason.REPLACED))
        self.assertEqual(types(bob.hears()), [MemberLeft, MemberJoined, HostChanged])

    def test_a_serde_guest_meets_the_new_host(self) -> None:
        """Who came later now, and offers first: once, with a number above all before."""
        peer, user = self.world.welcomed(SERDE)
        self.world.say(peer, Join(self.session))
        host = Client(self.world)
        [opened] = self.again(host)
        assert isinstance(opened, Opened)
        [guest] = opened.members
        self.assertEqual((guest.user, guest.offers_first, guest.base), (user, True, 4096))
        for n, code in ((4098, ErrorCode.UNSUPPORTED_BY_PEER), (4097, None)):
            told = host.say(Offer(self.session, user, Negotiation(host.user, n), "v=0"))
            self.assertEqual([event.code for event in told if isinstance(event, Error)], [code] if code else [])
        self.assertEqual(types(self.world.hears(peer))[-1], ForwardedOffer)
        self.world.say(peer, Answer(self.session, None, Negotiation(host.user, 4097), "v=0"))
        self.assertEqual(types(host.hears()), [ForwardedAnswer])

    def test_a_full_session_has_no_room_for_another_host(self) -> None:
        """Its host by succession stays."""
        opened = self.ann.say(Open(2, keep=True, succession=True))[-1]
        assert isinstance(opened, Opened)
        guests = [Client(self.world), Client(self.world)]
        guests[0].say(Join(opened.session))
        self.ann.say(Leave(opened.session))
        guests[1].say(Join(opened.session))
        host = Client(self.world)
        refused = Error(ErrorCode.SESSION_FULL, Open)
        self.assertEqual(host.say(Open(2, session=opened.session, host_key=opened.host_key)), [refused])

    def test_the_lobby_is_told(self) -> None:
        """To the one who comes with the key, and no more to the one before."""
        bob = Client(self.world)
        opened = self.ann.say(Open(lobby=True, keep=True))[-1]
        assert isinstance(opened, Opened)
        bob.say(Join(opened.session, name="Bob"))
        self.ann.hears()
        host = Client(self.world)
        events = host.say(Open(lobby=True, session=opened.session, host_key=opened.host_key))
        self.assertEqual(types(events), [Opened, Knock])
        self.assertEqual(self.ann.hears(), [Ended(opened.session, EndReason.REPLACED)])
        self.assertEqual(bob.hears(), [])


class EarlyTests(Case):
    """Guests who come before the host."""

    def setUp(self) -> None:
        """Ann has gone; Bob and Cat come."""
        super().setUp()
        self.ann.say(End(self.session))
        self.bob, self.cat = Client(self.world), Client(self.world)
        for guest in (self.bob, self.cat):
            self.assertEqual(guest.say(Join(self.session, id=ID)), [Waiting(self.session, WaitReason.HOST, ID)])

    def test_they_are_members_when_the_host_is_back(self) -> None:
        """As far as there is room, in their order; their joins are answered."""
        [opened] = self.again(self.ann)
        assert isinstance(opened, Opened)
        self.assertEqual([member.user for member in opened.members], [self.bob.user])
        [joined] = self.bob.hears()
        assert isinstance(joined, Joined)
        self.assertEqual((joined.id, joined.members[0].offers_first), (ID, True))
        self.assertEqual(self.cat.hears(), [NotAdmitted(self.session, RefusalReason.FULL, ID)])

    def test_they_wait_in_the_lobby_when_there_is_one(self) -> None:
        """They are told that it is another reason; the host hears of both."""
        self.assertEqual(types(self.again(self.ann, lobby=True)), [Opened, Knock, Knock])
        for guest in (self.bob, self.cat):
            self.assertEqual(guest.hears(), [Waiting(self.session, WaitReason.LOBBY)])

    def test_they_may_leave_or_be_gone(self) -> None:
        """Nothing of them stays."""
        self.bob.say(Leave(self.session))
        self.cat.lose()
        self.world.tick(31)
        self.assertEqual(self.world.registry.sessions[self.session].visitors, ())
        self.assertNotIn(self.session, self.world.hub.sessions)

    def test_one_who_cannot_wait_is_told_so(self) -> None:
        """A program that does not know of it."""
        peer, _ = self.world.welcomed(SERDE)
        self.assertEqual(self.world.say(peer, Join(self.session)), [Error(ErrorCode.CANNOT_WAIT, Join)])

    def test_a_session_that_is_not_open_is_never_idle(self) -> None:
        """Those who wait are told nothing."""
        self.world.tick(self.limits.session_life_seconds + 1)
        self.assertEqual([types(guest.hears()) for guest in (self.bob, self.cat)], [[Ack], [Ack]])


class KeptTests(Case):
    """How long a session is known that nobody has open."""

    def test_it_is_known_for_so_long(self) -> None:
        """Then it is unknown; the key still opens it."""
        self.ann.say(End(self.session))
        self.world.tick(999)
        self.assertIs(self.world.registry.sessions[self.session].state, SessionState.KEPT)
        self.world.tick(2)
        self.assertEqual((self.world.registry.sessions, self.world.registry.kept), ({}, {}))
        bob = Client(self.world)
        self.assertEqual(bob.say(Join(self.session)), [Error(ErrorCode.UNKNOWN_SESSION, Join)])
        self.assertEqual(types(self.again(self.ann))[-1:], [Opened])
        self.assertEqual(types(bob.say(Join(self.session)))[-1:], [Joined])

    def test_one_at_which_somebody_waits_is_not_forgotten(self) -> None:
        """Its time begins anew, until nobody waits."""
        self.ann.say(End(self.session))
        bob = Client(self.world)
        bob.say(Join(self.session))
        self.world.tick(1001)
        self.assertEqual(list(self.world.registry.kept), [self.session])
        bob.say(Leave(self.session))
        self.world.tick(999)
        self.assertEqual(list(self.world.registry.kept), [self.session])
        self.world.tick(2)
        self.assertEqual(self.world.registry.sessions, {})

    def test_the_oldest_are_forgotten_when_there_are_too_many(self) -> None:
        """An open session is none of them."""
        self.ann.say(End(self.session))
        _, second = self.kept()
        _, third = self.kept()
        self.assertEqual(list(self.world.registry.kept), [second, third])
        self.assertNotIn(self.session, self.world.registry.sessions)

    def test_those_at_which_somebody_waits_do_not_add_up(self) -> None:
        """They are passed over, and the oldest of the others are forgotten: as many as are too many."""
        self.ann.say(End(self.session))
        bob = Client(self.world)
        bob.say(Join(self.session))
        _, second = self.kept()
        bob.say(Join(second))
        for _ in range(3):
            self.kept()
        self.assertEqual(list(self.world.registry.kept), [self.session, second])
        bob.lose(Ending.LEFT)
        _, last = self.kept()
        self.assertEqual(list(self.world.registry.kept), [second, last])

    def test_one_that_is_open_again_is_not_forgotten(self) -> None:
        """Its time ends when it is opened."""
        self.ann.say(End(self.session))
        self.again(self.ann, keep=True)
        self.world.tick(1001)
        self.assertIs(self.world.registry.sessions[self.session].state, SessionState.OPEN)
        self.assertEqual(self.world.registry.kept, {})

    def test_one_that_is_not_to_be_kept_any_more(self) -> None:
        """It is over with its end; the key still opens it."""
        self.again(Client(self.world))
        self.assertEqual(types(self.ann.hears()), [Ended])
        host = Client(self.world)
        self.again(host)
        host.say(End(self.session))
        self.assertNotIn(self.session, self.world.registry.sessions)
        self.assertEqual(types(self.again(self.ann)), [Opened])

    def test_a_key_that_is_used_while_the_session_ends(self) -> None:
        """What is opened then is newer than all before, whatever its id has been."""
        first = Client(self.world)
        self.again(first)
        bob = Client(self.world)
        bob.say(Join(self.session))
        host = Client(self.world)
        [decide] = self.world.hub.received(
            host.peer, Open(session=self.session, host_key=self.key, id=ID), self.world.now
        )
        first.say(End(self.session))
        self.assertNotIn(self.session, self.world.hub.sessions)
        self.world.act([decide])
        self.assertEqual(types(host.hears()), [Opened])
