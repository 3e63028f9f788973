"""Tests of readiness."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.monitoring.readiness import DRAINING, Readiness


class ReadinessTests(SynchronousTestCase):
    """`Readiness` collects the reasons against new clients."""

    def test_initially_ready(self) -> None:
        """A new server is ready."""
        readiness = Readiness()
        self.assertTrue(readiness.ready)
        self.assertEqual(readiness.reasons, {})

    def test_problems(self) -> None:
        """A problem has its latest sentence until it is cleared; clearing an unknown one is harmless."""
        readiness = Readiness()
        readiness.set_problem("redis", "It does not answer.")
        readiness.set_problem("redis", "It is full.")
        readiness.set_problem("certificate", "It ended.")
        self.assertFalse(readiness.ready)
        self.assertEqual(list(readiness.reasons.items()), [("certificate", "It ended."), ("redis", "It is full.")])
        readiness.clear_problem("certificate")
        readiness.clear_problem("redis")
        readiness.clear_problem("redis")
        self.assertTrue(readiness.ready)

    def test_draining(self) -> None:
        """A server that is stopping is not ready."""
        readiness = Readiness()
        readiness.drain()
        self.assertFalse(readiness.ready)
        self.assertEqual(list(readiness.reasons), [DRAINING])

    def test_warnings(self) -> None:
        """A warning tells what is degraded, and does not keep new clients away."""
        readiness = Readiness()
        readiness.set_warning("journal", "It cannot be written.")
        readiness.set_warning("journal", "It is full.")
        self.assertTrue(readiness.ready)
        self.assertEqual((readiness.reasons, readiness.warnings), ({}, {"journal": "It is full."}))
        readiness.clear_warning("journal")
        readiness.clear_warning("journal")
        self.assertEqual(readiness.warnings, {})
