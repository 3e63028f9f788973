"""Tests of `signald.core.change_set`, which collects what the journal has to write."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.change_set import ChangeSet
from signald.core.messages import SessionId, UserId


class ChangeSetTests(SynchronousTestCase):
    """Tests of adding and taking ids."""

    def test_each_id_is_taken_once_and_in_order(self) -> None:
        """An id that changes repeatedly is taken once, at the place of its first change."""
        changes = ChangeSet()
        for user in ("B", "A", "B"):
            changes.add_user(UserId(user))
        changes.add_session(SessionId("S"))
        self.assertEqual(changes.take(), (["B", "A"], ["S"]))
        self.assertEqual(changes.take(), ([], []))

    def test_it_is_false_while_nothing_has_changed(self) -> None:
        """A change of either kind makes it true, and taking the changes makes it false again."""
        changes = ChangeSet()
        self.assertFalse(changes)
        changes.add_user(UserId("A"))
        self.assertTrue(changes)
        changes.take()
        changes.add_session(SessionId("S"))
        self.assertTrue(changes)
        changes.take()
        self.assertFalse(changes)
