"""What a member is told of a session."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from signald.core.members import Person
from signald.core.messages import (
    Changed,
    Event,
    HostChanged,
    Knock,
    KnockOver,
    LeaveReason,
    MemberAway,
    MemberBack,
    MemberJoined,
    MemberLeft,
    MemberRenewed,
    MemberView,
    Role,
    SessionId,
    Traits,
    UserId,
)
from signald.core.sessions import Session, Settings
from signald.core.views import base, knocks, news, view, views
from tests.support.world import SERDE

ANN = UserId("A" * 26)
BOB = UserId("B" * 26)
CAT = UserId("C" * 26)
ID = SessionId("7Q2M9RT6ZC")


def joined(session: Session, user: UserId, traits: Traits | None = None) -> Session:
    """The session after somebody with a name has come."""
    return session.arrived(Person(user, traits or Traits(), name=user[:1]), None, None, 8)


def told(known: Session, session: Session, user: UserId, reason: LeaveReason = LeaveReason.LEFT) -> list[Event]:
    """What a member of both records hears."""
    member = session.member(user)
    assert member is not None
    return news(known, session, member, reason)


class ViewTests(SynchronousTestCase):
    """One member, as another one sees it."""

    def setUp(self) -> None:
        """Ann, Bob and Cat."""
        self.session = Session.opened(ID, Settings(capacity=8), Person(ANN, Traits(), "Ann"))
        self.session = joined(joined(self.session, BOB), CAT)

    def test_each_pair_is_seen_from_both_sides(self) -> None:
        """The later one offers first, the earlier one is polite, and both agree on the base."""
        ann, bob, _ = self.session.members
        self.assertEqual(
            view(ann, bob), MemberView(ANN, Role.HOST, polite=False, offers_first=True, base=0, name="Ann")
        )
        self.assertEqual(view(bob, ann), MemberView(BOB, Role.GUEST, polite=True, offers_first=False, base=0, name="B"))

    def test_the_base_is_above_all_before(self) -> None:
        """Of a later pair, and after either side has begun anew."""
        ann, bob, cat = self.session.members
        self.assertEqual([base(ann, bob), base(ann, cat), base(bob, cat)], [0, 4096, 4096])
        ann, bob, cat = self.session.renewed(ANN, Traits()).members
        self.assertEqual([base(ann, bob), base(cat, ann), base(bob, cat)], [8192, 8192, 4096])

    def test_what_its_program_cannot_do_is_told(self) -> None:
        """And that it is away."""
        session = joined(Session.opened(ID, Settings(), Person(ANN, Traits())), BOB, SERDE).marked(BOB, away=True)
        ann, bob = session.members
        seen = view(bob, ann)
        self.assertEqual((seen.renegotiates, seen.messages, seen.away), (False, False, True))

    def test_the_others_are_listed_in_order(self) -> None:
        """Without the one who is told."""
        bob = self.session.members[1]
        self.assertEqual([other.user for other in views(self.session, bob)], [ANN, CAT])


class NewsTests(SynchronousTestCase):
    """The difference between two records."""

    def setUp(self) -> None:
        """Ann and Bob."""
        settings = Settings(capacity=8, succession=True)
        self.session = joined(Session.opened(ID, settings, Person(ANN, Traits())), BOB)

    def test_nothing_is_no_news(self) -> None:
        """Neither for the host nor for a guest."""
        self.assertEqual(told(self.session, self.session, ANN), [])
        self.assertEqual(told(self.session, self.session, BOB), [])

    def test_who_comes_and_goes(self) -> None:
        """With the reason; who goes is told of first."""
        more = joined(self.session, CAT)
        self.assertEqual(told(self.session, more, ANN), [MemberJoined(ID, view(more.members[2], more.members[0]))])
        self.assertEqual(told(more, self.session, ANN, LeaveReason.GONE), [MemberLeft(ID, CAT, LeaveReason.GONE)])
        other = joined(self.session.without(BOB), CAT)
        self.assertEqual([type(event) for event in told(self.session, other, ANN)], [MemberLeft, MemberJoined])

    def test_who_is_away_and_back(self) -> None:
        """One who comes while it is away is told of as such once."""
        away = self.session.marked(BOB, away=True)
        self.assertEqual(told(self.session, away, ANN), [MemberAway(ID, BOB)])
        self.assertEqual(told(away, self.session, ANN), [MemberBack(ID, BOB)])
        self.assertEqual(told(away, away, ANN), [])

    def test_who_begins_anew(self) -> None:
        """It is back as well, or lost again already: its view says it."""
        away = self.session.marked(BOB, away=True)
        renewed = away.renewed(BOB, Traits()).marked(BOB, away=False)
        expected = MemberRenewed(ID, view(renewed.members[1], renewed.members[0]))
        self.assertEqual(told(away, renewed, ANN), [expected])
        lost = self.session.renewed(BOB, Traits()).marked(BOB, away=True)
        [event] = told(self.session, lost, ANN)
        assert isinstance(event, MemberRenewed)
        self.assertTrue(event.member.away)

    def test_who_is_the_host(self) -> None:
        """Told to all that stay, the new one included."""
        followed = self.session.without(ANN)
        gone = MemberLeft(ID, ANN, LeaveReason.LEFT)
        self.assertEqual(told(self.session, followed, BOB), [gone, HostChanged(ID, BOB)])
        handed = self.session.handed_over(ANN, BOB)
        for user in (ANN, BOB):
            self.assertEqual(told(self.session, handed, user), [HostChanged(ID, BOB)])

    def test_what_is_different_in_the_settings(self) -> None:
        """Label, lock and lobby; the capacity is told to those who come."""
        changed = self.session.changed(ANN, "Monday", True, True)
        self.assertEqual(told(self.session, changed, BOB), [Changed(ID, True, True, "Monday")])
        wider = evolve(self.session, settings=evolve(self.session.settings, capacity=3))
        self.assertEqual(told(self.session, wider, BOB), [])

    def test_who_knocks(self) -> None:
        """Told to the host alone, and to a new host of all who wait."""
        lobby = self.session.changed(ANN, None, None, True)
        knocked = joined(lobby, CAT)
        self.assertEqual(told(lobby, knocked, ANN), [Knock(ID, CAT, "C")])
        self.assertEqual(told(lobby, knocked, BOB), [])
        self.assertEqual(told(knocked, lobby, ANN), [KnockOver(ID, CAT)])
        handed = knocked.handed_over(ANN, BOB)
        self.assertEqual(told(knocked, handed, BOB), [HostChanged(ID, BOB), Knock(ID, CAT, "C")])
        self.assertEqual(told(knocked, handed, ANN), [HostChanged(ID, BOB)])

    def test_nobody_knocks_where_nobody_is(self) -> None:
        """Those who wait at a session that is not open wait for its host."""
        kept = Session.opened(ID, Settings(keep=True), Person(ANN, Traits())).ended()
        self.assertEqual(knocks(joined(kept, BOB)), [])

    def test_one_may_be_told_of_a_session_without_a_host(self) -> None:
        """Such a record is between two others; nobody is the host of it."""
        nobody = evolve(self.session, members=self.session.members[1:])
        self.assertEqual(told(self.session, nobody, BOB), [MemberLeft(ID, ANN, LeaveReason.LEFT)])
        self.assertEqual(told(nobody, self.session, ANN)[-1], HostChanged(ID, ANN))
