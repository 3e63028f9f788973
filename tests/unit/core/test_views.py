"""A session from the viewpoint of one member."""

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
from signald.core.session_settings import Settings
from signald.core.sessions import Session
from signald.core.views import difference_events, lobby_knocks, member_view, member_views, negotiation_base
from tests.support.world import SERDE

ANN = UserId("A" * 26)
BOB = UserId("B" * 26)
CAT = UserId("C" * 26)
ID = SessionId("7Q2M9RT6ZC")


def joined(session: Session, user: UserId, traits: Traits | None = None) -> Session:
    """The session after a user with a name has joined."""
    return session.with_arrival(Person(user, traits or Traits(), name=user[:1]), None, None, 8)


def events_for(known: Session, session: Session, user: UserId, reason: LeaveReason = LeaveReason.LEFT) -> list[Event]:
    """Return the events for a member of both versions."""
    member = session.member(user)
    assert member is not None
    return difference_events(known, session, member, reason)


class ViewTests(SynchronousTestCase):
    """The description of one member for another."""

    def setUp(self) -> None:
        """Ann, Bob and Cat."""
        self.session = Session.new(ID, Settings(capacity=8), Person(ANN, Traits(), "Ann"))
        self.session = joined(joined(self.session, BOB), CAT)

    def test_each_pair_is_seen_from_both_sides(self) -> None:
        """The later joiner offers first, the earlier one is polite, and both have the same base."""
        ann, bob, _ = self.session.members
        self.assertEqual(
            member_view(ann, bob), MemberView(ANN, Role.HOST, polite=False, offers_first=True, base=0, name="Ann")
        )
        self.assertEqual(
            member_view(bob, ann), MemberView(BOB, Role.GUEST, polite=True, offers_first=False, base=0, name="B")
        )

    def test_the_base_is_above_all_before(self) -> None:
        """A later pair has a higher base, and the base rises when either side starts over."""
        ann, bob, cat = self.session.members
        self.assertEqual(
            [negotiation_base(ann, bob), negotiation_base(ann, cat), negotiation_base(bob, cat)], [0, 4096, 4096]
        )
        ann, bob, cat = self.session.with_renewed_member(ANN, Traits()).members
        self.assertEqual(
            [negotiation_base(ann, bob), negotiation_base(cat, ann), negotiation_base(bob, cat)], [8192, 8192, 4096]
        )

    def test_a_view_has_the_traits_of_the_program(self) -> None:
        """The view also shows that a member is away."""
        session = joined(Session.new(ID, Settings(), Person(ANN, Traits())), BOB, SERDE).with_presence(BOB, away=True)
        ann, bob = session.members
        seen = member_view(bob, ann)
        self.assertEqual((seen.renegotiates, seen.messages, seen.away), (False, False, True))

    def test_the_others_are_listed_in_order(self) -> None:
        """The other members are listed in order, without the viewer itself."""
        bob = self.session.members[1]
        self.assertEqual([other.user for other in member_views(self.session, bob)], [ANN, CAT])


class DifferenceTests(SynchronousTestCase):
    """The events between two versions."""

    def setUp(self) -> None:
        """Ann and Bob."""
        settings = Settings(capacity=8, succession=True)
        self.session = joined(Session.new(ID, settings, Person(ANN, Traits())), BOB)

    def test_no_change_causes_no_events(self) -> None:
        """A new version without a visible change causes no events, for the host as for a guest."""
        self.assertEqual(events_for(self.session, self.session, ANN), [])
        self.assertEqual(events_for(self.session, self.session, BOB), [])

    def test_members_join_and_leave(self) -> None:
        """The event of a leave has its reason; leaves precede joins."""
        more = joined(self.session, CAT)
        self.assertEqual(
            events_for(self.session, more, ANN), [MemberJoined(ID, member_view(more.members[2], more.members[0]))]
        )
        self.assertEqual(events_for(more, self.session, ANN, LeaveReason.GONE), [MemberLeft(ID, CAT, LeaveReason.GONE)])
        other = joined(self.session.without(BOB), CAT)
        self.assertEqual([type(event) for event in events_for(self.session, other, ANN)], [MemberLeft, MemberJoined])

    def test_members_are_away_and_back(self) -> None:
        """A member that joins while away is announced once, as away."""
        away = self.session.with_presence(BOB, away=True)
        self.assertEqual(events_for(self.session, away, ANN), [MemberAway(ID, BOB)])
        self.assertEqual(events_for(away, self.session, ANN), [MemberBack(ID, BOB)])
        self.assertEqual(events_for(away, away, ANN), [])

    def test_a_member_starts_over(self) -> None:
        """A renewed member's new view also shows whether it is away."""
        away = self.session.with_presence(BOB, away=True)
        renewed = away.with_renewed_member(BOB, Traits()).with_presence(BOB, away=False)
        expected = MemberRenewed(ID, member_view(renewed.members[1], renewed.members[0]))
        self.assertEqual(events_for(away, renewed, ANN), [expected])
        lost = self.session.with_renewed_member(BOB, Traits()).with_presence(BOB, away=True)
        [event] = events_for(self.session, lost, ANN)
        assert isinstance(event, MemberRenewed)
        self.assertTrue(event.member.away)

    def test_the_host_changes(self) -> None:
        """All remaining members get the new host, and so does the new host itself."""
        followed = self.session.without(ANN)
        gone = MemberLeft(ID, ANN, LeaveReason.LEFT)
        self.assertEqual(events_for(self.session, followed, BOB), [gone, HostChanged(ID, BOB)])
        handed = self.session.with_new_host(ANN, BOB)
        for user in (ANN, BOB):
            self.assertEqual(events_for(self.session, handed, user), [HostChanged(ID, BOB)])

    def test_changed_settings(self) -> None:
        """A changed label, lock or lobby is announced; the capacity only appears in replies."""
        changed = self.session.with_settings(ANN, "Monday", True, True)
        self.assertEqual(events_for(self.session, changed, BOB), [Changed(ID, True, True, "Monday")])
        wider = evolve(self.session, settings=evolve(self.session.settings, capacity=3))
        self.assertEqual(events_for(self.session, wider, BOB), [])

    def test_visitors_knock(self) -> None:
        """Only the host gets the knocks, and a new host gets all of them."""
        lobby = self.session.with_settings(ANN, None, None, True)
        knocked = joined(lobby, CAT)
        self.assertEqual(events_for(lobby, knocked, ANN), [Knock(ID, CAT, "C")])
        self.assertEqual(events_for(lobby, knocked, BOB), [])
        self.assertEqual(events_for(knocked, lobby, ANN), [KnockOver(ID, CAT)])
        handed = knocked.with_new_host(ANN, BOB)
        self.assertEqual(events_for(knocked, handed, BOB), [HostChanged(ID, BOB), Knock(ID, CAT, "C")])
        self.assertEqual(events_for(knocked, handed, ANN), [HostChanged(ID, BOB)])

    def test_no_knocks_without_a_host(self) -> None:
        """Without a host no member gets the knocks of a session that is not open."""
        kept = Session.new(ID, Settings(keep=True), Person(ANN, Traits())).ended()
        self.assertEqual(lobby_knocks(joined(kept, BOB)), [])

    def test_a_version_may_have_no_host(self) -> None:
        """A version between two others may have no host, and causes no exception."""
        nobody = evolve(self.session, members=self.session.members[1:])
        self.assertEqual(events_for(self.session, nobody, BOB), [MemberLeft(ID, ANN, LeaveReason.LEFT)])
        self.assertEqual(events_for(nobody, self.session, ANN)[-1], HostChanged(ID, ANN))
