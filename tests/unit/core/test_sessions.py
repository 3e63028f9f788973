"""The rules of a session as an immutable value."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from signald.core.errors import ErrorCode, SignalError
from signald.core.members import Person
from signald.core.messages import RequestId, Role, SessionId, Traits, UserId, WaitReason
from signald.core.session_settings import Settings
from signald.core.sessions import (
    SESSION_TRANSITIONS,
    Session,
    SessionEvent,
    SessionState,
)
from signald.core.views import is_polite
from tests.support.world import SERDE, with_guest

ANN = UserId("A" * 26)
BOB = UserId("B" * 26)
CAT = UserId("C" * 26)
DAN = UserId("D" * 26)
ONE = RequestId("1")

LAST_SEAT = 2**31 // 4096


def opened(settings: Settings | None = None, traits: Traits | None = None) -> Session:
    """A session of up to three with Ann as its host."""
    return Session.new(SessionId("7Q2M9RT6ZC"), settings or Settings(capacity=3), Person(ANN, traits or Traits()))


def joined(session: Session, *users: UserId) -> Session:
    """The session after these users have joined, or knocked."""
    for user in users:
        session = with_guest(session, user)
    return session


def roles(session: Session) -> list[tuple[UserId, Role]]:
    """The members and their roles."""
    return [(member.user, member.role) for member in session.members]


def waiting(session: Session) -> list[UserId]:
    """The visitors."""
    return [visitor.user for visitor in session.visitors]


class Case(SynchronousTestCase):
    """A test with an assertion about changes that are refused."""

    def refused(self, code: ErrorCode, change: Callable[..., Session | None], *arguments: object) -> None:
        """Check that a call raises this error; the session is immutable, so nothing has changed."""
        error = self.assertRaises(SignalError, change, *arguments)
        assert isinstance(error, SignalError)
        self.assertEqual(error.code, code)


class MembershipTests(Case):
    """Members join and leave; each change creates a new version."""

    def setUp(self) -> None:
        """A session of up to three with its host."""
        self.session = opened()

    def test_a_change_is_a_new_record(self) -> None:
        """The old version stays as it was; `version` counts the changes, `seats` all joins."""
        joined = with_guest(self.session, BOB, Traits())
        left = joined.without(BOB)
        again = with_guest(left, BOB, Traits())
        self.assertEqual([s.version for s in (self.session, joined, left, again)], [1, 2, 3, 4])
        self.assertEqual([len(s.members) for s in (self.session, joined, left, again)], [1, 2, 1, 2])
        self.assertEqual([(m.role, m.seat) for m in again.members], [(Role.HOST, 0), (Role.GUEST, 2)])

    def test_impossible_changes_are_refused(self) -> None:
        """No user joins twice, and only members and visitors can leave."""
        self.refused(ErrorCode.ALREADY_MEMBER, with_guest, self.session, ANN)
        self.refused(ErrorCode.NOT_A_MEMBER, self.session.without, BOB)

    def test_the_smallest_program_bounds_the_session(self) -> None:
        """The bound is the least of the session's capacity and of what the programs of all members support."""
        pair = with_guest(self.session, BOB, Traits())
        self.refused(ErrorCode.SESSION_FULL, with_guest, pair, CAT, Traits(most_members=2))
        full = with_guest(pair, CAT, Traits())
        self.refused(ErrorCode.SESSION_FULL, with_guest, full, DAN)

    def test_the_seats_are_bounded(self) -> None:
        """Negotiation numbers rise with the seats and have to stay below 2³¹."""
        self.assertEqual(with_guest(evolve(self.session, seats=LAST_SEAT - 1), BOB).seats, LAST_SEAT)
        self.refused(ErrorCode.SESSION_FULL, with_guest, evolve(self.session, seats=LAST_SEAT), BOB)

    def test_exactly_one_of_a_pair_is_polite(self) -> None:
        """If either peer of a pair can roll back, the polite peer is one that can."""
        for host, guest in product((True, False), repeat=2):
            session = opened(traits=Traits(rollback=host))
            earlier, later = with_guest(session, BOB, Traits(rollback=guest)).members
            self.assertNotEqual(is_polite(earlier, later), is_polite(later, earlier))
            if host != guest:
                self.assertEqual(is_polite(earlier, later), host)

    def test_the_checks_have_an_order(self) -> None:
        """The errors are checked in the documented order, so that each hides those after it."""
        person = Person(BOB, Traits(waits=False))
        everything = Settings(capacity=2, password="hash", locked=True, lobby=True)
        session = evolve(opened(), settings=everything, removed=(BOB,))
        session = evolve(session, members=(*session.members, *joined(opened(), CAT).members[1:]))
        steps: list[tuple[ErrorCode, str | None, Session]] = [(ErrorCode.UNKNOWN_SESSION, None, session)]
        session = evolve(session, removed=())
        steps.append((ErrorCode.PASSWORD_NEEDED, None, session))
        steps.append((ErrorCode.WRONG_PASSWORD, "", session))
        steps.append((ErrorCode.SESSION_LOCKED, "hash", session))
        session = evolve(session, settings=evolve(session.settings, locked=False))
        steps.append((ErrorCode.SESSION_FULL, "hash", session))
        session = session.without(CAT)
        steps.append((ErrorCode.CANNOT_WAIT, "hash", session))
        for code, proof, record in steps:
            self.refused(code, record.with_arrival, person, None, proof, 2)
        waits = session.with_arrival(Person(BOB, Traits()), ONE, "hash", 2)
        self.assertEqual([(v.user, v.request) for v in waits.visitors], [(BOB, ONE)])
        self.refused(ErrorCode.ALREADY_MEMBER, waits.with_arrival, person, None, None, 2)


class LobbyTests(Case):
    """Visitors."""

    def setUp(self) -> None:
        """A session of up to three with a lobby, in which Bob and Cat wait."""
        self.session = joined(opened(Settings(capacity=3, lobby=True)), BOB, CAT)

    def test_visitors_are_not_members(self) -> None:
        """They are among the session's users, and wait for admission."""
        self.assertEqual(roles(self.session), [(ANN, Role.HOST)])
        self.assertEqual(waiting(self.session), [BOB, CAT])
        self.assertEqual(self.session.user_ids, {ANN, BOB, CAT})
        self.assertIs(self.session.wait_reason, WaitReason.LOBBY)

    def test_the_number_of_visitors_is_bounded(self) -> None:
        """A visitor beyond the bound is refused."""
        self.refused(ErrorCode.LOBBY_FULL, with_guest, self.session, DAN)

    def test_the_host_admits_and_refuses(self) -> None:
        """The host admits one visitor as a guest and refuses the other; neither of them waits any longer."""
        admitted = self.session.with_visitor_admitted(ANN, CAT)
        self.assertEqual((roles(admitted), waiting(admitted)), ([(ANN, Role.HOST), (CAT, Role.GUEST)], [BOB]))
        refused = admitted.with_visitor_refused(ANN, BOB)
        self.assertEqual(waiting(refused), [])
        self.assertEqual([s.version for s in (self.session, admitted, refused)], [3, 4, 5])

    def test_only_a_visitor_can_be_admitted_or_refused(self) -> None:
        """Only the host may admit or refuse, only a visitor, and only while there is room."""
        for change in (self.session.with_visitor_admitted, self.session.with_visitor_refused):
            self.refused(ErrorCode.UNKNOWN_MEMBER, change, ANN, DAN)
            self.refused(ErrorCode.NOT_A_MEMBER, change, BOB, CAT)
        with_guest = self.session.with_visitor_admitted(ANN, CAT)
        self.refused(ErrorCode.WRONG_ROLE, with_guest.with_visitor_admitted, CAT, BOB)
        full = evolve(with_guest, settings=evolve(with_guest.settings, capacity=2))
        self.refused(ErrorCode.SESSION_FULL, full.with_visitor_admitted, ANN, BOB)

    def test_without_the_lobby_visitors_join_while_there_is_room(self) -> None:
        """The visitors become guests in the order in which they knocked while there is room; the others are refused."""
        session = evolve(self.session, settings=evolve(self.session.settings, capacity=2))
        session = session.with_settings(ANN, label=None, locked=None, lobby=False)
        self.assertEqual((roles(session), waiting(session)), ([(ANN, Role.HOST), (BOB, Role.GUEST)], []))

    def test_a_visitor_may_leave(self) -> None:
        """A visitor that leaves does not affect the members."""
        self.assertEqual(waiting(self.session.without(BOB)), [CAT])

    def test_no_lobby_with_a_member_that_does_not_know_it(self) -> None:
        """A lobby is refused both when the host changes the settings and when it reopens the session."""
        session = with_guest(opened(), BOB, SERDE)
        self.refused(ErrorCode.UNSUPPORTED_BY_PEER, session.with_settings, ANN, None, None, True)
        alone = evolve(session, settings=Settings(capacity=2, succession=True)).without(ANN)
        claim = alone.reopened_by
        self.refused(ErrorCode.UNSUPPORTED_BY_PEER, claim, Person(DAN, Traits()), Settings(capacity=2, lobby=True))


class HostTests(Case):
    """Requests of the host."""

    def setUp(self) -> None:
        """A host and two guests."""
        self.session = joined(opened(), BOB, CAT)

    def test_others_are_refused(self) -> None:
        """A guest has the wrong role, an outsider is not a member."""
        for who, code in ((BOB, ErrorCode.WRONG_ROLE), (DAN, ErrorCode.NOT_A_MEMBER)):
            self.refused(code, self.session.with_settings, who, "label", None, None)
            self.refused(code, self.session.with_guest_removed, who, CAT)
            self.refused(code, self.session.with_new_host, who, CAT)
            self.refused(code, self.session.check_host, who)

    def test_settings_change_one_by_one(self) -> None:
        """None leaves a setting unchanged, and an empty label removes it."""
        session = self.session.with_settings(ANN, "Monday", None, None).with_settings(ANN, None, True, None)
        self.assertEqual(session.settings, Settings(capacity=3, label="Monday", locked=True))
        self.assertIsNone(session.with_settings(ANN, "", None, None).settings.label)
        self.assertFalse(session.with_settings(ANN, None, False, None).settings.locked)

    def test_a_removed_guest_cannot_join_again(self) -> None:
        """The session is unknown to the removed guest from then on; the last 64 are remembered."""
        session = self.session.with_guest_removed(ANN, BOB)
        self.assertEqual(roles(session), [(ANN, Role.HOST), (CAT, Role.GUEST)])
        self.refused(ErrorCode.UNKNOWN_SESSION, with_guest, session, BOB)
        crowd = tuple(UserId(f"{n:026}") for n in range(64))
        session = evolve(session, removed=crowd).with_guest_removed(ANN, CAT)
        self.assertEqual(session.removed, (*crowd[1:], CAT))

    def test_only_a_guest_can_be_removed_or_be_the_host(self) -> None:
        """The host cannot remove itself or a stranger."""
        for who in (ANN, DAN):
            self.refused(ErrorCode.UNKNOWN_MEMBER, self.session.with_guest_removed, ANN, who)
            self.refused(ErrorCode.UNKNOWN_MEMBER, self.session.with_new_host, ANN, who)

    def test_the_host_hands_over(self) -> None:
        """Both stay members, in the same order."""
        session = self.session.with_new_host(ANN, CAT)
        self.assertEqual(roles(session), [(ANN, Role.GUEST), (BOB, Role.GUEST), (CAT, Role.HOST)])


class SuccessionTests(Case):
    """Sessions that outlive their host."""

    def setUp(self) -> None:
        """A host and two guests."""
        self.session = joined(opened(Settings(capacity=3, succession=True)), BOB, CAT)

    def test_the_longest_standing_guest_becomes_the_host(self) -> None:
        """The guest with the lowest seat becomes the host."""
        self.assertEqual(roles(self.session.without(ANN)), [(BOB, Role.HOST), (CAT, Role.GUEST)])

    def test_a_present_guest_is_preferred(self) -> None:
        """A guest that is away becomes the host only if all are away."""
        away = self.session.with_presence(BOB, away=True)
        self.assertEqual(roles(away.without(ANN)), [(BOB, Role.GUEST), (CAT, Role.HOST)])
        self.assertEqual(roles(away.with_presence(CAT, away=True).without(ANN)), [(BOB, Role.HOST), (CAT, Role.GUEST)])

    def test_otherwise_there_is_no_next_host(self) -> None:
        """There is no next host without succession, or without a guest."""
        self.assertIsNone(joined(opened(), BOB).next_host)
        self.assertIsNone(opened(Settings(succession=True)).next_host)

    def test_a_guest_that_leaves_changes_nothing_for_the_host(self) -> None:
        """The host stays the host."""
        self.assertEqual(roles(self.session.without(BOB)), [(ANN, Role.HOST), (CAT, Role.GUEST)])


class KeptTests(Case):
    """Sessions that are kept for the holder of the host key."""

    def setUp(self) -> None:
        """A kept session whose members have left, with Bob as a visitor."""
        self.session = with_guest(opened(Settings(capacity=2, keep=True, locked=True)).ended(), BOB)
        self.dan = Person(DAN, Traits())

    def test_an_ended_session_is_over_or_kept(self) -> None:
        """A kept session is not locked, and its visitors wait for the host."""
        over = joined(opened(Settings(lobby=True)), BOB).ended()
        self.assertEqual((over.state, over.members, over.visitors), (SessionState.OVER, (), ()))
        self.assertIs(self.session.state, SessionState.KEPT)
        self.assertIs(self.session.wait_reason, WaitReason.HOST)
        self.assertIsNone(self.session.host)
        kept = joined(opened(Settings(lobby=True, keep=True)), BOB).ended()
        self.assertEqual(waiting(kept), [BOB])

    def test_removed_guests_cannot_join_again(self) -> None:
        """A kept session remembers the guests that its host removed."""
        session = joined(opened(Settings(keep=True)), CAT).with_guest_removed(ANN, CAT).ended()
        self.refused(ErrorCode.UNKNOWN_SESSION, with_guest, session, CAT)

    def test_everybody_waits_whatever_the_settings(self) -> None:
        """In a kept session the lock and the capacity do not apply; the password and the bound on visitors do."""
        self.assertEqual(waiting(with_guest(self.session, CAT)), [BOB, CAT])
        self.refused(ErrorCode.LOBBY_FULL, with_guest, with_guest(self.session, CAT), DAN)
        secret = evolve(self.session, settings=Settings(password="hash", keep=True))
        self.refused(ErrorCode.PASSWORD_NEEDED, with_guest, secret, CAT)

    def test_the_host_opens_it_again(self) -> None:
        """When the host reopens the session, the visitors become guests while there is room."""
        session = with_guest(self.session, CAT).reopened_by(self.dan, Settings(capacity=2, label="again"))
        self.assertEqual((session.state, session.settings.label), (SessionState.OPEN, "again"))
        self.assertEqual((roles(session), waiting(session)), ([(DAN, Role.HOST), (BOB, Role.GUEST)], []))

    def test_visitors_wait_on_if_there_is_a_lobby(self) -> None:
        """With a lobby the visitors still wait for admission."""
        session = self.session.reopened_by(self.dan, Settings(lobby=True))
        self.assertEqual((roles(session), waiting(session)), ([(DAN, Role.HOST)], [BOB]))
        self.assertIs(session.wait_reason, WaitReason.LOBBY)

    def test_a_member_or_visitor_cannot_reopen(self) -> None:
        """A member or a visitor cannot reopen the session it is in."""
        self.refused(ErrorCode.ALREADY_MEMBER, self.session.reopened_by, Person(BOB, Traits()), Settings())
        self.refused(ErrorCode.ALREADY_MEMBER, opened().reopened_by, Person(ANN, Traits()), Settings())

    def test_host_key_replaces_the_host_of_an_open_session(self) -> None:
        """The member with the key is replaced; the guests stay."""
        session = joined(opened(), BOB).reopened_by(self.dan, Settings(capacity=3))
        self.assertEqual(roles(session), [(BOB, Role.GUEST), (DAN, Role.HOST)])

    def test_a_host_without_the_key_becomes_a_guest(self) -> None:
        """The host by succession or hand-over becomes a guest; a member with the key is replaced in any role."""
        handed = joined(opened(), BOB).with_new_host(ANN, BOB)
        self.assertEqual(
            roles(handed.reopened_by(self.dan, Settings(capacity=3))), [(BOB, Role.GUEST), (DAN, Role.HOST)]
        )
        followed = joined(opened(Settings(succession=True)), BOB).without(ANN)
        self.assertEqual(roles(followed.reopened_by(self.dan, Settings())), [(BOB, Role.GUEST), (DAN, Role.HOST)])

    def test_full_session_refuses_the_host(self) -> None:
        """A refused takeover leaves the members as they are."""
        followed = joined(opened(Settings(capacity=3, succession=True)), BOB, CAT).without(ANN)
        self.refused(ErrorCode.SESSION_FULL, followed.reopened_by, self.dan, Settings(capacity=2))


class PresenceTests(Case):
    """Members are marked as away and as back."""

    def test_presence_of_members_and_visitors(self) -> None:
        """Members and visitors alike are marked; the other members do not change."""
        session = joined(opened(Settings(lobby=True)), BOB)
        for user in (ANN, BOB):
            away = session.with_presence(user, away=True)
            self.assertEqual(away.version, session.version + 1)
            self.assertIs(away.with_presence(user, away=True), away)
            self.assertEqual(evolve(away.with_presence(user, away=False), version=session.version), session)
        self.assertIs(session.with_presence(CAT, away=True), session)

    def test_a_renewed_member_begins_a_new_epoch(self) -> None:
        """The new epoch is higher than all before; the seat stays."""
        session = joined(opened(), BOB, CAT).with_renewed_member(ANN, Traits())
        self.assertEqual([(m.seat, m.epoch) for m in session.members], [(0, 3), (1, 1), (2, 2)])
        self.assertEqual((session.seats, session.version), (4, 4))

    def test_a_visitor_has_nothing_to_renew(self) -> None:
        """Renewing a visitor does not change the session."""
        session = joined(opened(Settings(lobby=True)), BOB)
        self.assertIs(session.with_renewed_member(BOB, Traits()), session)

    def test_another_program_may_have_other_traits(self) -> None:
        """The traits of members and of visitors are updated."""
        session = joined(opened(Settings(lobby=True)), BOB)
        for user in (ANN, BOB):
            changed = session.with_renewed_member(user, Traits(rollback=False))
            found = changed.member(user) or changed.visitor(user)
            assert found is not None
            self.assertEqual((found.person.traits, changed.version), (Traits(rollback=False), session.version + 1))

    def test_no_renewal_with_a_member_of_a_single_exchange(self) -> None:
        """A program with a single exchange can neither start over nor resume."""
        session = with_guest(opened(), BOB, SERDE)
        self.refused(ErrorCode.UNSUPPORTED_BY_PEER, session.with_renewed_member, ANN, Traits())

    def test_renewals_are_bounded(self) -> None:
        """Epochs are bounded as seats are."""
        self.refused(ErrorCode.SESSION_FULL, evolve(opened(), seats=LAST_SEAT).with_renewed_member, ANN, Traits())


class TransitionTests(SynchronousTestCase):
    """The transition table of a session."""

    def test_nothing_else_happens(self) -> None:
        """A session that is over stays so, and a kept one cannot end a second time."""
        happens = {
            (SessionState.OPEN, SessionEvent.HOST_CAME),
            (SessionState.OPEN, SessionEvent.ENDED),
            (SessionState.OPEN, SessionEvent.ENDED_KEPT),
            (SessionState.KEPT, SessionEvent.HOST_CAME),
            (SessionState.KEPT, SessionEvent.FORGOTTEN),
        }
        for pair in product(SessionState, SessionEvent):
            self.assertEqual(pair in SESSION_TRANSITIONS, pair in happens, pair)

    def test_an_impossible_transition_raises(self) -> None:
        """The caller gets an exception, and the session does not change."""
        over = opened().ended()
        self.assertRaises(KeyError, over.ended)
        self.assertRaises(KeyError, over.reopened_by, Person(BOB, Traits()), Settings())
