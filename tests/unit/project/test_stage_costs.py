"""Guards the server's CPU: what it does in memory must not become much slower than it was when it was recorded."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support.stage_costs import STAGES, measure, read_recorded

FACTOR = 1.3
"""How many times the recorded ratio a stage may take; measurements of the same code differ by a twentieth."""


class StageCostTests(SynchronousTestCase):
    """The stages are measured in the process of the test, as the least CPU of several runs, beside a fixed loop."""

    def test_stages(self) -> None:
        """No stage takes more than 1.3 times the CPU that was recorded, in round trips through orjson."""
        recorded = read_recorded()
        self.assertEqual(recorded.keys(), STAGES.keys())
        for name, ratio in recorded.items():
            measured = measure(name)
            self.assertLess(measured, FACTOR * ratio, f"{name}: {ratio} was recorded, {measured:.1f} was measured")
