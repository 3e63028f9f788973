"""Decisions whose outcomes have not arrived."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.actions import Decide
from signald.core.decisions import LeaveSession, MarkAway, ResumeUser, SessionChanged
from signald.core.members import Person
from signald.core.messages import Count, Instance, Leave, Resume, Secret, SessionId, Traits, UserId
from signald.core.pending_decisions import PendingDecision, PendingDecisions
from signald.core.session_settings import Settings
from signald.core.sessions import Session
from signald.core.users import DecisionId
from tests.support.world import World

ANN = UserId("0" * 26)
SESSION = SessionId("7Q2M9RT6ZC")


class PendingDecisionsTests(SynchronousTestCase):
    """Operations are submitted, and found again by their id, user or session."""

    def setUp(self) -> None:
        """A peer with a welcomed user, and one without."""
        world = World()
        peer, user = world.welcome_peer()
        self.peer, self.user = world.hub.peers[peer], world.hub.users[user]
        self.newcomer = world.hub.peers[world.connect()]
        self.decisions = PendingDecisions()

    def test_each_operation_has_its_own_id(self) -> None:
        """The action carries the id and the operation."""
        self.assertEqual(self.decisions.submit(MarkAway(ANN)), Decide(DecisionId(1), MarkAway(ANN)))
        self.assertEqual(self.decisions.submit(MarkAway(ANN)), Decide(DecisionId(2), MarkAway(ANN)))

    def test_a_user_waits_for_its_decision(self) -> None:
        """The request queue of the user names the decision until the hub completes it."""
        self.assertIsNone(self.decisions.for_user(self.user))
        operation, request = LeaveSession(self.user.id, SESSION), Leave(SESSION)
        self.decisions.submit_for_user(operation, self.user, request)
        pending = self.decisions.for_user(self.user)
        self.assertEqual(pending, PendingDecision(operation, request, user=self.user.id, address=self.user.address))

    def test_a_resume_under_way_is_found_by_its_user(self) -> None:
        """A resume under way is found by its user, and another user has none."""
        request = Resume(1, ANN, Secret("s"), Instance("i"), Count(0))
        operation = ResumeUser(ANN, request.secret, request.instance, Traits(), can_replay=True)
        self.decisions.submit_for_peer(operation, self.newcomer, request)
        self.assertEqual(self.newcomer.queue.decision, DecisionId(1))
        self.assertTrue(self.decisions.is_resuming(ANN))
        self.assertFalse(self.decisions.is_resuming(self.user.id))

    def test_a_removed_session_outdates_older_changes(self) -> None:
        """A change that is not newer than the removal must not bring the session back."""
        self.decisions.submit(MarkAway(ANN))
        self.decisions.note_removal(SESSION, 1)
        pending = self.decisions.by_id[DecisionId(1)]
        first = Session.new(SESSION, Settings(), Person(ANN, Traits()))
        self.assertTrue(pending.is_outdated(SessionChanged(first)))
        self.assertFalse(pending.is_outdated(SessionChanged(first.with_presence(ANN, away=True))))
