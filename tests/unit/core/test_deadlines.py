"""The heap of deadlines."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.core.deadlines import DeadlineKind, Deadlines


class DeadlinesTests(SynchronousTestCase):
    """Deadlines come due in order, and obsolete ones do not accumulate."""

    def test_due_deadlines_come_earliest_first(self) -> None:
        """Due deadlines are returned earliest first, and deadlines that are not due stay in the heap."""
        deadlines = Deadlines()
        for at in (3.0, 1.0, 2.0):
            deadlines.add(at, DeadlineKind.HELLO, int(at))
        self.assertEqual([deadline.key for deadline in deadlines.pop_due(2.0)], [1, 2])
        self.assertEqual(list(deadlines.pop_due(2.9)), [])
        self.assertEqual([deadline.key for deadline in deadlines.pop_due(3.0)], [3])

    def test_compaction_removes_obsolete_deadlines(self) -> None:
        """Compaction waits until obsolete deadlines clearly outnumber the others, and keeps the order of the rest."""
        deadlines = Deadlines()
        for key in range(66):
            deadlines.add(100.0 - key, DeadlineKind.IDLE, key)
        deadlines.compact(1, lambda deadline: deadline.key in (3, 60))
        self.assertEqual(len(deadlines.heap), 66)
        deadlines.add(7.0, DeadlineKind.IDLE, 66)
        deadlines.compact(1, lambda deadline: deadline.key in (3, 60))
        self.assertEqual([deadline.key for deadline in deadlines.pop_due(100.0)], [60, 3])
