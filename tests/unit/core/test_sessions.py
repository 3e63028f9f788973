"""A session's record."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from signald.core.errors import ErrorCode, SignalError
from signald.core.members import Person
from signald.core.messages import RequestId, Role, SessionId, Traits, UserId, WaitReason
from signald.core.sessions import (
    SESSION_TRANSITIONS,
    Session,
    SessionEvent,
    SessionState,
    Settings,
)
from signald.core.views import is_polite
from tests.support.world import SERDE, arrived

ANN = UserId("A" * 26)
BOB = UserId("B" * 26)
CAT = UserId("C" * 26)
DAN = UserId("D" * 26)
ONE = RequestId("1")

LAST_SEAT = 2**31 // 4096


def opened(settings: Settings | None = None, traits: Traits | None = None) -> Session:
    """A session of up to three with Ann as its host."""
    return Session.opened(SessionId("7Q2M9RT6ZC"), settings or Settings(capacity=3), Person(ANN, traits or Traits()))


def joined(session: Session, *users: UserId) -> Session:
    """The session after these have joined, or knocked."""
    for user in users:
        session = arrived(session, user)
    return session


def roles(session: Session) -> list[tuple[UserId, Role]]:
    """Who is what in it."""
    return [(member.user, member.role) for member in session.members]


def waiting(session: Session) -> list[UserId]:
    """Who waits at it."""
    return [visitor.user for visitor in session.visitors]


class Case(SynchronousTestCase):
    """Sessions refuse with a code."""

    def refused(self, code: ErrorCode, change: Callable[..., Session | None], *arguments: object) -> None:
        """Calling this is refused with that code; records are immutable, so nothing has changed."""
        error = self.assertRaises(SignalError, change, *arguments)
        assert isinstance(error, SignalError)
        self.assertEqual(error.code, code)


class MembershipTests(Case):
    """Members come and go; each change is a new record."""

    def setUp(self) -> None:
        """A session of up to three with its host."""
        self.session = opened()

    def test_a_change_is_a_new_record(self) -> None:
        """The old one stays as it was; the version counts the changes, the seats all who ever came."""
        joined = arrived(self.session, BOB, Traits())
        left = joined.without(BOB)
        again = arrived(left, BOB, Traits())
        self.assertEqual([s.version for s in (self.session, joined, left, again)], [1, 2, 3, 4])
        self.assertEqual([len(s.members) for s in (self.session, joined, left, again)], [1, 2, 1, 2])
        self.assertEqual([(m.role, m.seat) for m in again.members], [(Role.HOST, 0), (Role.GUEST, 2)])

    def test_what_cannot_be_is_refused(self) -> None:
        """Nobody is in twice, and nobody leaves who is not in."""
        self.refused(ErrorCode.ALREADY_MEMBER, arrived, self.session, ANN)
        self.refused(ErrorCode.NOT_A_MEMBER, self.session.without, BOB)

    def test_the_smallest_program_bounds_the_session(self) -> None:
        """Its own, a member's and the host's wish, whichever is least."""
        pair = arrived(self.session, BOB, Traits())
        self.refused(ErrorCode.SESSION_FULL, arrived, pair, CAT, Traits(most_members=2))
        full = arrived(pair, CAT, Traits())
        self.refused(ErrorCode.SESSION_FULL, arrived, full, DAN)

    def test_the_seats_are_bounded(self) -> None:
        """The numbers of negotiations rise with them, and have to stay below 2³¹."""
        self.assertEqual(arrived(evolve(self.session, seats=LAST_SEAT - 1), BOB).seats, LAST_SEAT)
        self.refused(ErrorCode.SESSION_FULL, arrived, evolve(self.session, seats=LAST_SEAT), BOB)

    def test_exactly_one_of_a_pair_is_polite(self) -> None:
        """Whatever the two can do; and never the one alone that cannot roll back."""
        for host, guest in product((True, False), repeat=2):
            session = opened(traits=Traits(rollback=host))
            earlier, later = arrived(session, BOB, Traits(rollback=guest)).members
            self.assertNotEqual(is_polite(earlier, later), is_polite(later, earlier))
            if host != guest:
                self.assertEqual(is_polite(earlier, later), host)

    def test_the_checks_have_an_order(self) -> None:
        """Removed, member already, password, locked, full, lobby: each hides those after it."""
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
            self.refused(code, record.arrived, person, None, proof, 2)
        waits = session.arrived(Person(BOB, Traits()), ONE, "hash", 2)
        self.assertEqual([(v.user, v.request) for v in waits.visitors], [(BOB, ONE)])
        self.refused(ErrorCode.ALREADY_MEMBER, waits.arrived, person, None, None, 2)


class LobbyTests(Case):
    """Those who wait."""

    def setUp(self) -> None:
        """A session of up to three with a lobby, at which Bob and Cat wait."""
        self.session = joined(opened(Settings(capacity=3, lobby=True)), BOB, CAT)

    def test_they_are_not_members(self) -> None:
        """They count among the session's people, and wait for the host's word."""
        self.assertEqual(roles(self.session), [(ANN, Role.HOST)])
        self.assertEqual(waiting(self.session), [BOB, CAT])
        self.assertEqual(self.session.people, {ANN, BOB, CAT})
        self.assertIs(self.session.waits_for, WaitReason.LOBBY)

    def test_so_many_wait(self) -> None:
        """The next one is refused."""
        self.refused(ErrorCode.LOBBY_FULL, arrived, self.session, DAN)

    def test_the_host_admits_and_refuses(self) -> None:
        """One as a guest, the other not at all; both wait no longer."""
        admitted = self.session.admitted(ANN, CAT)
        self.assertEqual((roles(admitted), waiting(admitted)), ([(ANN, Role.HOST), (CAT, Role.GUEST)], [BOB]))
        refused = admitted.refused(ANN, BOB)
        self.assertEqual(waiting(refused), [])
        self.assertEqual([s.version for s in (self.session, admitted, refused)], [3, 4, 5])

    def test_only_one_who_waits_can_be_admitted_or_refused(self) -> None:
        """And only by the host, and only while there is room."""
        for change in (self.session.admitted, self.session.refused):
            self.refused(ErrorCode.UNKNOWN_MEMBER, change, ANN, DAN)
            self.refused(ErrorCode.NOT_A_MEMBER, change, BOB, CAT)
        with_guest = self.session.admitted(ANN, CAT)
        self.refused(ErrorCode.WRONG_ROLE, with_guest.admitted, CAT, BOB)
        full = evolve(with_guest, settings=evolve(with_guest.settings, capacity=2))
        self.refused(ErrorCode.SESSION_FULL, full.admitted, ANN, BOB)

    def test_without_the_lobby_they_come_in_as_far_as_there_is_room(self) -> None:
        """In the order in which they came; the others wait no longer either."""
        session = evolve(self.session, settings=evolve(self.session.settings, capacity=2))
        session = session.changed(ANN, label=None, locked=None, lobby=False)
        self.assertEqual((roles(session), waiting(session)), ([(ANN, Role.HOST), (BOB, Role.GUEST)], []))

    def test_one_who_waits_may_leave(self) -> None:
        """The members stay."""
        self.assertEqual(waiting(self.session.without(BOB)), [CAT])

    def test_no_lobby_with_a_member_that_does_not_know_it(self) -> None:
        """Whether the host changes the session or comes with the key."""
        session = arrived(opened(), BOB, SERDE)
        self.refused(ErrorCode.UNSUPPORTED_BY_PEER, session.changed, ANN, None, None, True)
        alone = evolve(session, settings=Settings(capacity=2, succession=True)).without(ANN)
        claim = alone.claimed
        self.refused(ErrorCode.UNSUPPORTED_BY_PEER, claim, Person(DAN, Traits()), Settings(capacity=2, lobby=True))


class HostTests(Case):
    """What the host alone does."""

    def setUp(self) -> None:
        """A host and two guests."""
        self.session = joined(opened(), BOB, CAT)

    def test_others_are_refused(self) -> None:
        """A guest has the wrong role, an outsider is no member."""
        for who, code in ((BOB, ErrorCode.WRONG_ROLE), (DAN, ErrorCode.NOT_A_MEMBER)):
            self.refused(code, self.session.changed, who, "label", None, None)
            self.refused(code, self.session.expelled, who, CAT)
            self.refused(code, self.session.handed_over, who, CAT)
            self.refused(code, self.session.check_host, who)

    def test_settings_change_one_by_one(self) -> None:
        """None leaves one as it is, and an empty label takes it away."""
        session = self.session.changed(ANN, "Monday", None, None).changed(ANN, None, True, None)
        self.assertEqual(session.settings, Settings(capacity=3, label="Monday", locked=True))
        self.assertIsNone(session.changed(ANN, "", None, None).settings.label)
        self.assertFalse(session.changed(ANN, None, False, None).settings.locked)

    def test_one_who_is_removed_stays_away(self) -> None:
        """The session is unknown to it from then on; the last 64 are remembered."""
        session = self.session.expelled(ANN, BOB)
        self.assertEqual(roles(session), [(ANN, Role.HOST), (CAT, Role.GUEST)])
        self.refused(ErrorCode.UNKNOWN_SESSION, arrived, session, BOB)
        crowd = tuple(UserId(f"{n:026}") for n in range(64))
        session = evolve(session, removed=crowd).expelled(ANN, CAT)
        self.assertEqual(session.removed, (*crowd[1:], CAT))

    def test_only_a_guest_can_be_removed_or_be_the_host(self) -> None:
        """Neither the host itself nor a stranger."""
        for who in (ANN, DAN):
            self.refused(ErrorCode.UNKNOWN_MEMBER, self.session.expelled, ANN, who)
            self.refused(ErrorCode.UNKNOWN_MEMBER, self.session.handed_over, ANN, who)

    def test_the_host_hands_over(self) -> None:
        """Both stay, in the same order."""
        session = self.session.handed_over(ANN, CAT)
        self.assertEqual(roles(session), [(ANN, Role.GUEST), (BOB, Role.GUEST), (CAT, Role.HOST)])


class SuccessionTests(Case):
    """Sessions that outlive their host."""

    def setUp(self) -> None:
        """A host and two guests."""
        self.session = joined(opened(Settings(capacity=3, succession=True)), BOB, CAT)

    def test_the_longest_guest_follows(self) -> None:
        """The one with the lowest seat."""
        self.assertEqual(roles(self.session.without(ANN)), [(BOB, Role.HOST), (CAT, Role.GUEST)])

    def test_one_who_is_there_is_preferred(self) -> None:
        """One who is away follows only when all are."""
        away = self.session.marked(BOB, away=True)
        self.assertEqual(roles(away.without(ANN)), [(BOB, Role.GUEST), (CAT, Role.HOST)])
        self.assertEqual(roles(away.marked(CAT, away=True).without(ANN)), [(BOB, Role.HOST), (CAT, Role.GUEST)])

    def test_nobody_follows_otherwise(self) -> None:
        """Without succession, and without a guest."""
        self.assertIsNone(joined(opened(), BOB).heir)
        self.assertIsNone(opened(Settings(succession=True)).heir)

    def test_a_guest_who_leaves_changes_nothing_for_the_host(self) -> None:
        """The host stays the host."""
        self.assertEqual(roles(self.session.without(BOB)), [(ANN, Role.HOST), (CAT, Role.GUEST)])


class KeptTests(Case):
    """Sessions that are kept for the holder of the host key."""

    def setUp(self) -> None:
        """A kept session whose members have gone, and at which Bob waits."""
        self.session = arrived(opened(Settings(capacity=2, keep=True, locked=True)).ended(), BOB)
        self.dan = Person(DAN, Traits())

    def test_an_ended_session_is_over_or_kept(self) -> None:
        """A kept one is not locked, and those who wait go on waiting: for the host."""
        over = joined(opened(Settings(lobby=True)), BOB).ended()
        self.assertEqual((over.state, over.members, over.visitors), (SessionState.OVER, (), ()))
        self.assertIs(self.session.state, SessionState.KEPT)
        self.assertIs(self.session.waits_for, WaitReason.HOST)
        self.assertIsNone(self.session.host)
        kept = joined(opened(Settings(lobby=True, keep=True)), BOB).ended()
        self.assertEqual(waiting(kept), [BOB])

    def test_those_who_were_removed_stay_away(self) -> None:
        """The session is the same."""
        session = joined(opened(Settings(keep=True)), CAT).expelled(ANN, CAT).ended()
        self.refused(ErrorCode.UNKNOWN_SESSION, arrived, session, CAT)

    def test_everybody_waits_whatever_the_settings(self) -> None:
        """A locked or full session that is not open is neither; a password holds, and the bound of those who wait."""
        self.assertEqual(waiting(arrived(self.session, CAT)), [BOB, CAT])
        self.refused(ErrorCode.LOBBY_FULL, arrived, arrived(self.session, CAT), DAN)
        secret = evolve(self.session, settings=Settings(password="hash", keep=True))
        self.refused(ErrorCode.PASSWORD_NEEDED, arrived, secret, CAT)

    def test_the_host_opens_it_again(self) -> None:
        """Those who waited are guests as far as there is room."""
        session = arrived(self.session, CAT).claimed(self.dan, Settings(capacity=2, label="again"))
        self.assertEqual((session.state, session.settings.label), (SessionState.OPEN, "again"))
        self.assertEqual((roles(session), waiting(session)), ([(DAN, Role.HOST), (BOB, Role.GUEST)], []))

    def test_with_a_lobby_they_go_on_waiting(self) -> None:
        """For the host's word."""
        session = self.session.claimed(self.dan, Settings(lobby=True))
        self.assertEqual((roles(session), waiting(session)), ([(DAN, Role.HOST)], [BOB]))
        self.assertIs(session.waits_for, WaitReason.LOBBY)

    def test_who_is_there_cannot_be_the_host_with_the_key(self) -> None:
        """Neither a member nor one who waits."""
        self.refused(ErrorCode.ALREADY_MEMBER, self.session.claimed, Person(BOB, Traits()), Settings())
        self.refused(ErrorCode.ALREADY_MEMBER, opened().claimed, Person(ANN, Traits()), Settings())

    def test_an_open_one_has_its_host_replaced(self) -> None:
        """The one who came with the key is no longer in it; the guests are."""
        session = joined(opened(), BOB).claimed(self.dan, Settings(capacity=3))
        self.assertEqual(roles(session), [(BOB, Role.GUEST), (DAN, Role.HOST)])

    def test_a_host_without_the_key_becomes_a_guest(self) -> None:
        """By succession or hand-over; the one who had come with the key is replaced, whatever its role is now."""
        handed = joined(opened(), BOB).handed_over(ANN, BOB)
        self.assertEqual(roles(handed.claimed(self.dan, Settings(capacity=3))), [(BOB, Role.GUEST), (DAN, Role.HOST)])
        followed = joined(opened(Settings(succession=True)), BOB).without(ANN)
        self.assertEqual(roles(followed.claimed(self.dan, Settings())), [(BOB, Role.GUEST), (DAN, Role.HOST)])

    def test_there_has_to_be_room_for_the_host(self) -> None:
        """The members stay who they are."""
        followed = joined(opened(Settings(capacity=3, succession=True)), BOB, CAT).without(ANN)
        self.refused(ErrorCode.SESSION_FULL, followed.claimed, self.dan, Settings(capacity=2))


class PresenceTests(Case):
    """Members who are away and come back."""

    def test_a_mark_that_is_new(self) -> None:
        """Member and visitor alike; another one's record is as it was."""
        session = joined(opened(Settings(lobby=True)), BOB)
        for user in (ANN, BOB):
            away = session.marked(user, away=True)
            self.assertEqual(away.version, session.version + 1)
            self.assertIs(away.marked(user, away=True), away)
            self.assertEqual(evolve(away.marked(user, away=False), version=session.version), session)
        self.assertIs(session.marked(CAT, away=True), session)

    def test_a_renewed_member_begins_a_new_epoch(self) -> None:
        """Higher than all before; its seat stays."""
        session = joined(opened(), BOB, CAT).renewed(ANN, Traits())
        self.assertEqual([(m.seat, m.epoch) for m in session.members], [(0, 3), (1, 1), (2, 2)])
        self.assertEqual((session.seats, session.version), (4, 4))

    def test_a_visitor_has_nothing_to_renew(self) -> None:
        """Its record is as it was."""
        session = joined(opened(Settings(lobby=True)), BOB)
        self.assertIs(session.renewed(BOB, Traits()), session)

    def test_another_program_may_have_other_traits(self) -> None:
        """Of a member and of one who waits."""
        session = joined(opened(Settings(lobby=True)), BOB)
        for user in (ANN, BOB):
            changed = session.renewed(user, Traits(rollback=False))
            found = changed.member(user) or changed.visitor(user)
            assert found is not None
            self.assertEqual((found.person.traits, changed.version), (Traits(rollback=False), session.version + 1))

    def test_nothing_is_renewed_with_one_that_takes_one_exchange(self) -> None:
        """Its program could not begin anew; itself it never comes back."""
        session = arrived(opened(), BOB, SERDE)
        self.refused(ErrorCode.UNSUPPORTED_BY_PEER, session.renewed, ANN, Traits())

    def test_renewals_are_bounded(self) -> None:
        """As the seats are."""
        self.refused(ErrorCode.SESSION_FULL, evolve(opened(), seats=LAST_SEAT).renewed, ANN, Traits())


class TransitionTests(SynchronousTestCase):
    """The table of a session's states."""

    def test_nothing_else_happens(self) -> None:
        """A session that is over stays so, and one that is kept cannot end a second time."""
        happens = {
            (SessionState.OPEN, SessionEvent.HOST_CAME),
            (SessionState.OPEN, SessionEvent.ENDED),
            (SessionState.OPEN, SessionEvent.ENDED_KEPT),
            (SessionState.KEPT, SessionEvent.HOST_CAME),
            (SessionState.KEPT, SessionEvent.FORGOTTEN),
        }
        for pair in product(SessionState, SessionEvent):
            self.assertEqual(pair in SESSION_TRANSITIONS, pair in happens, pair)

    def test_what_cannot_be_raises(self) -> None:
        """The one who asks has a fault; no record changes."""
        over = opened().ended()
        self.assertRaises(KeyError, over.ended)
        self.assertRaises(KeyError, over.claimed, Person(BOB, Traits()), Settings())
