"""Whether new clients are welcome."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.monitoring.readiness import DRAINING, Readiness


class ReadinessTests(SynchronousTestCase):
    """Ready, or why not."""

    def test_nothing_is_wrong_at_first(self) -> None:
        """It is ready, for no reason."""
        readiness = Readiness()
        self.assertTrue(readiness.ready)
        self.assertEqual(readiness.reasons, {})

    def test_a_problem_counts_until_it_is_solved(self) -> None:
        """Each by its name, with the newest sentence; to solve what was none is no mistake."""
        readiness = Readiness()
        readiness.problem("redis", "It does not answer.")
        readiness.problem("redis", "It is full.")
        readiness.problem("certificate", "It ended.")
        self.assertFalse(readiness.ready)
        self.assertEqual(list(readiness.reasons.items()), [("certificate", "It ended."), ("redis", "It is full.")])
        readiness.solved("certificate")
        readiness.solved("redis")
        readiness.solved("redis")
        self.assertTrue(readiness.ready)

    def test_a_server_that_stops_is_not_ready(self) -> None:
        """Whatever else is well or not."""
        readiness = Readiness()
        readiness.drain()
        self.assertFalse(readiness.ready)
        self.assertEqual(list(readiness.reasons), [DRAINING])
