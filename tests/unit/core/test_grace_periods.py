"""Tests of lost connections and the reconnect grace period.

test_resume.py tests what a resume restores.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.decisions import ResumeUser
from signald.core.errors import ErrorCode
from signald.core.hub import DisconnectReason
from signald.core.limits import Limits
from signald.core.messages import Count, Joined, Resume
from signald.core.users import UserState
from tests.support.world import Client, World

LIMITS = Limits(grace_seconds=30.0, reload_seconds=5.0)


class GraceTests(SynchronousTestCase):
    """A client that can resume has a grace period."""

    def setUp(self) -> None:
        """Welcome the client."""
        self.world = World(LIMITS)
        self.client = Client(self.world)

    def is_known(self) -> bool:
        """Return whether the identity still exists, in both the hub and the registry."""
        known = self.client.user in self.world.hub.users
        self.assertEqual(self.client.user in self.world.registry.users, known)
        return known

    def test_the_grace_depends_on_how_the_connection_ended(self) -> None:
        """A lost connection has the long grace period, a reloading page the short one, and a deliberate close none."""
        for reason, seconds in (
            (DisconnectReason.LOST, 30.0),
            (DisconnectReason.OFFENCE, 30.0),
            (DisconnectReason.RELOADING, 5.0),
        ):
            self.client = Client(self.world)
            self.client.lose(reason)
            self.world.tick(seconds - 0.1)
            self.assertTrue(self.is_known())
            self.assertIs(self.world.hub.users[self.client.user].state, UserState.AWAY)
            self.world.tick(0.2)
            self.assertFalse(self.is_known())
        self.client = Client(self.world)
        self.client.lose(DisconnectReason.LEFT)
        self.assertFalse(self.is_known())

    def test_an_ended_identity_is_over(self) -> None:
        """A user whose grace period has ended, or who has left, is over, for whoever still refers to it."""
        for reason in (DisconnectReason.LOST, DisconnectReason.LEFT):
            self.client = Client(self.world)
            user = self.world.hub.users[self.client.user]
            self.client.lose(reason)
            self.world.tick(31.0)
            self.assertIs(user.state, UserState.OVER)

    def test_a_client_without_an_instance_has_no_grace(self) -> None:
        """Such a client could not resume, so its identity ends at once."""
        self.client = Client(self.world, instance=None)
        self.client.lose()
        self.assertFalse(self.is_known())

    def test_a_resume_under_way_extends_the_grace(self) -> None:
        """A pending resume extends the grace period, so that the identity does not end before the outcome."""
        self.client.lose()
        self.world.tick(29.5)
        self.world.deferred_operations = (ResumeUser,)
        peer = self.world.connect()
        assert self.client.secret is not None
        assert self.client.instance is not None
        resume = Resume(1, self.client.user, self.client.secret, self.client.instance, Count(self.client.received))
        self.world.send(peer, resume)
        self.world.tick(1.0)
        self.assertTrue(self.is_known())
        self.world.decide_deferred()
        self.world.tick(60.0)
        self.assertIs(self.world.hub.users[self.client.user].state, UserState.PRESENT)

    def test_a_second_loss_starts_a_new_grace(self) -> None:
        """The deadline of the first grace period does not end the identity."""
        self.client.lose()
        self.world.tick(20.0)
        self.client.resume()
        self.client.lose()
        self.world.tick(20.0)
        self.assertTrue(self.is_known())
        self.world.tick(11.0)
        self.assertFalse(self.is_known())

    def test_new_limits_apply_to_later_losses(self) -> None:
        """A grace period that has already started keeps its end."""
        self.client.lose()
        self.world.hub.reload_limits(Limits(grace_seconds=1.0))
        self.world.tick(2.0)
        self.assertTrue(self.is_known())
        self.client = Client(self.world)
        self.client.lose()
        self.world.tick(2.0)
        self.assertFalse(self.is_known())
        self.assertEqual(self.world.closed, dict[object, ErrorCode]())

    def test_a_member_that_does_not_come_back_leaves(self) -> None:
        """The session ends when the grace period of its host ends."""
        session = self.client.open()
        guest, _ = self.world.join_session(session)
        self.client.lose()
        self.world.tick(31.0)
        self.assertEqual(self.world.hub.sessions, {})
        self.assertNotIsInstance(self.world.receive(guest)[-1], Joined)
