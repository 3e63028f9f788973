"""Timeouts of open sessions."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.deadlines import Deadline, DeadlineKind, Deadlines
from signald.core.limits import Limits
from signald.core.messages import SessionId
from signald.core.session_lifetimes import SessionLifetimes

SESSION = SessionId("7Q2M9RT6ZC")
OTHER = SessionId("0000000000")
LIMITS = Limits(session_idle_seconds=60.0, session_life_seconds=600.0)


class SessionLifetimesTests(SynchronousTestCase):
    """One session whose timeouts start at 1000 seconds."""

    def setUp(self) -> None:
        """Start the timeouts."""
        self.deadlines = Deadlines()
        self.lifetimes = SessionLifetimes(LIMITS, self.deadlines)
        self.lifetimes.start(SESSION, 1000.0)

    def test_a_new_session_has_two_deadlines(self) -> None:
        """A new session has a deadline for its first idle check and a deadline for the end of its life."""
        due = list(self.deadlines.pop_due(9999.0))
        idle, life = Deadline(1060.0, DeadlineKind.IDLE, SESSION), Deadline(1600.0, DeadlineKind.LIFE, SESSION)
        self.assertEqual(due, [idle, life])

    def test_starting_again_changes_nothing(self) -> None:
        """A later version of an open session must not extend its life."""
        self.lifetimes.start(SESSION, 1500.0)
        self.assertEqual(self.lifetimes.expires, {SESSION: 1600.0})
        self.assertEqual(self.lifetimes.active, {SESSION: 1000.0})

    def test_a_session_expires_at_the_end_of_its_life(self) -> None:
        """Activity does not postpone the end of a session's life; a session without timeouts never expires."""
        self.lifetimes.record_activity(SESSION, 1599.0)
        self.assertFalse(self.lifetimes.is_expired(SESSION, 1599.9))
        self.assertTrue(self.lifetimes.is_expired(SESSION, 1600.0))
        self.assertFalse(self.lifetimes.is_expired(OTHER, 1600.0))

    def test_a_lone_member_is_idle_without_activity(self) -> None:
        """The first check finds the session idle."""
        self.assertTrue(self.lifetimes.check_idle(SESSION, 1060.0, members=1, now=1060.0))

    def test_activity_postpones_the_check(self) -> None:
        """The next check is due when the session would be idle, and an outdated check does nothing."""
        self.lifetimes.record_activity(SESSION, 1030.0)
        self.assertFalse(self.lifetimes.check_idle(SESSION, 1060.0, members=1, now=1060.0))
        self.assertEqual(self.lifetimes.idle_checks, {SESSION: 1090.0})
        self.assertFalse(self.lifetimes.check_idle(SESSION, 1060.0, members=1, now=1100.0))
        self.assertTrue(self.lifetimes.check_idle(SESSION, 1090.0, members=1, now=1090.0))

    def test_a_session_with_several_members_is_not_idle(self) -> None:
        """Several members may talk for hours without signaling, so their session is not idle."""
        self.assertFalse(self.lifetimes.check_idle(SESSION, 1060.0, members=2, now=1060.0))
        self.assertEqual(self.lifetimes.idle_checks, {SESSION: 1120.0})

    def test_stopping_leaves_nothing(self) -> None:
        """Stopping the timeouts of an unknown session is allowed."""
        self.lifetimes.stop(SESSION)
        self.lifetimes.stop(OTHER)
        self.assertEqual((self.lifetimes.active, self.lifetimes.expires, self.lifetimes.idle_checks), ({}, {}, {}))
        self.assertFalse(self.lifetimes.check_idle(SESSION, 1060.0, members=1, now=1060.0))
