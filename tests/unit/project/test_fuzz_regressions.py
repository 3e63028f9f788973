"""Inputs that once did harm, and those that fuzzing begins with: none of them does."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.suites.fuzz.seeds import seeds
from tests.suites.fuzz.targets import TARGETS

KEPT = Path(__file__).resolve().parents[2] / "suites" / "fuzz" / "regressions"


class RegressionTests(SynchronousTestCase):
    """Each target takes them."""

    def test_kept_inputs(self) -> None:
        """Those in files, each under the name of its target."""
        for path in sorted(KEPT.glob("*/*")):
            try:
                TARGETS[path.parent.name](path.read_bytes())
            except Exception as error:
                raise AssertionError(f"{path.parent.name}/{path.name} does harm again") from error

    def test_seeds(self) -> None:
        """Valid inputs, as fuzzing begins with them, and what is left of them when their end is lost."""
        for name, target in TARGETS.items():
            found = seeds(name)
            self.assertNotEqual(found, [], name)
            for seed in found:
                target(seed)
                target(seed[: len(seed) // 2])
