"""Guards the server's CPU: what it does in memory must not become much slower than it was when it was recorded."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support.stage_costs import PEERJS_STAGES, STAGES, measure, read_recorded

FACTOR = 1.3
"""How many times the recorded ratio a stage may take; measurements of the same code differ by a twentieth."""

PEERJS_FACTOR = 1.1
"""How many times the CPU of the native dialect a stage of clients of PeerJS may take; 0.75 and 0.65 were measured."""

ATTEMPTS = 5
"""How often a stage is measured until it is below its bound: memory-hungry work beside the tests takes the processor's
caches away for seconds, which slows a stage more than the fixed loop. Slow code is slow in every attempt."""


class StageCostTests(SynchronousTestCase):
    """The stages are measured in the process of the test, as the least CPU of several runs, beside a fixed loop."""

    def test_stages(self) -> None:
        """No stage takes more than 1.3 times the CPU that was recorded, in round trips through orjson."""
        recorded = read_recorded()
        self.assertEqual(recorded.keys(), STAGES.keys())
        for name, ratio in recorded.items():
            ratios = [measure(*STAGES[name])]
            while ratios[-1] >= FACTOR * ratio and len(ratios) < ATTEMPTS:
                ratios.append(measure(*STAGES[name]))
            self.assertLess(min(ratios), FACTOR * ratio, f"{name}: {ratio} was recorded, {ratios} were measured")

    def test_peerjs(self) -> None:
        """No stage of clients of PeerJS takes more than 1.1 times the CPU of the native one, measured beside it."""
        for name, stage in PEERJS_STAGES.items():
            native, measured = measure(*STAGES[name]), measure(*stage)
            self.assertLess(measured, PEERJS_FACTOR * native, f"{name}: {measured:.1f}, the native one {native:.1f}")
