"""Tests of the fuzz targets with inputs that once caused a failure, and with the seeds of fuzzing."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.suites.fuzz.seeds import seeds
from tests.suites.fuzz.targets import TARGETS

KEPT = Path(__file__).resolve().parents[2] / "suites" / "fuzz" / "regressions"


class RegressionTests(SynchronousTestCase):
    """Each fuzz target handles its stored inputs and its seeds."""

    def test_stored_inputs(self) -> None:
        """Stored inputs, which once caused a failure, cause none."""
        stored = sorted(KEPT.glob("*/*"))
        self.assertNotEqual(stored, [])
        for path in stored:
            try:
                TARGETS[path.parent.name](path.read_bytes())
            except Exception as error:
                raise AssertionError(f"{path.parent.name}/{path.name} does harm again") from error

    def test_seeds(self) -> None:
        """Valid inputs, with which fuzzing starts, and their truncated forms cause no failure."""
        for name, target in TARGETS.items():
            found = seeds(name)
            self.assertNotEqual(found, [], name)
            for seed in found:
                target(seed)
                target(seed[: len(seed) // 2])
