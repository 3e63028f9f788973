"""A session's record."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.errors import ErrorCode, SignalError
from signald.messages import Role, SessionId, Traits, UserId
from signald.sessions import Person, Session, Settings
from signald.views import is_polite
from tests.world import arrived

ANN = UserId("A" * 26)
BOB = UserId("B" * 26)
CAT = UserId("C" * 26)


class SessionTests(SynchronousTestCase):
    """Members come and go; each change is a new record."""

    def setUp(self) -> None:
        """A session of up to three with its host."""
        self.session = Session.opened(SessionId("7Q2M9RT6ZC"), Settings(capacity=3), Person(ANN, Traits()))

    def refused(self, code: ErrorCode, change: object, *arguments: object) -> None:
        """Calling this is refused with that code."""
        assert callable(change)
        error = self.assertRaises(SignalError, change, *arguments)
        assert isinstance(error, SignalError)
        self.assertEqual(error.code, code)

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
        self.refused(ErrorCode.SESSION_FULL, arrived, full, UserId("D" * 26))

    def test_exactly_one_of_a_pair_is_polite(self) -> None:
        """Whatever the two can do; and never the one alone that cannot roll back."""
        for host in (True, False):
            for guest in (True, False):
                session = Session.opened(SessionId("7Q2M9RT6ZC"), Settings(), Person(ANN, Traits(rollback=host)))
                earlier, later = arrived(session, BOB, Traits(rollback=guest)).members
                self.assertNotEqual(is_polite(earlier, later), is_polite(later, earlier))
                if host != guest:
                    self.assertEqual(is_polite(earlier, later), host)
