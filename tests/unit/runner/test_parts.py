"""Suites are divided into parts, and lanes take them in an order that keeps all lanes at work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.runner.parts import Part, Setting, make_parts, next_part, trial_command
from tests.runner.suites import Selection, Suite

E2E = Suite("e2e", limit=1, parts=2)
UNIT = Suite("unit", limit=1, parts=1)
PEER = Suite("peer", limit=1)


def part(suite: Suite, seconds: float, name: str = "") -> Part:
    """Make a part."""
    return Part(suite, name or suite.name, ("tests.x",), seconds)


class MakePartsTests(SynchronousTestCase):
    """The processes of a run."""

    modules = tuple(f"tests.suites.e2e.test_{letter}" for letter in "abcdefgh")

    def names(self, suite: Suite, lanes: int, whole: bool = True) -> list[str]:
        """Return the names of a suite's parts."""
        return [part.name for part in make_parts([Selection(suite, self.modules, whole)], lanes, {})]

    def test_for_each_lane(self) -> None:
        """A suite has as many parts for each lane as it says."""
        self.assertEqual(self.names(E2E, 2), ["e2e 1/4", "e2e 2/4", "e2e 3/4", "e2e 4/4"])
        self.assertEqual(self.names(UNIT, 2), ["unit 1/2", "unit 2/2"])

    def test_undivided(self) -> None:
        """One lane, a suite that says nothing and single modules get one process."""
        self.assertEqual(self.names(E2E, 1), ["e2e"])
        self.assertEqual(self.names(PEER, 2), ["peer"])
        self.assertEqual(self.names(E2E, 2, whole=False), ["e2e"])

    def test_soaks_are_not_measured(self) -> None:
        """A suite's soaks are one part of a whole run, whose coverage does not count."""
        suite = Suite("unit", limit=1, parts=1, soaks=(self.modules[0], self.modules[5]))
        parts = make_parts([Selection(suite, self.modules, whole=True)], 2, {})
        self.assertEqual([part.name for part in parts], ["unit 1/2", "unit 2/2", "unit soaks"])
        self.assertEqual([part.measured for part in parts], [True, True, False])
        self.assertEqual(parts[2].names, (self.modules[0], self.modules[5]))
        self.assertEqual(sorted(name for part in parts for name in part.names), list(self.modules))
        self.assertEqual(len(make_parts([Selection(suite, self.modules[:1], whole=False)], 2, {})), 1)

    def test_coverage_of_a_part(self) -> None:
        """Coverage is measured in the parts of a measured suite, except in its soaks."""
        setting = Setting(Path("/root"), Path("/scratch"), measured=frozenset({"unit"}))
        measured, soak = part(UNIT, 1), replace(part(UNIT, 1), measured=False)
        self.assertIn("coverage", trial_command(measured, setting, Path("/record")))
        self.assertNotIn("coverage", trial_command(soak, setting, Path("/record")))


class NextPartTests(SynchronousTestCase):
    """The part that a free lane takes."""

    def test_most_left(self) -> None:
        """The suite with most seconds left is taken first, and its longest part."""
        long, short = part(E2E, 5, "e2e 1/2"), part(E2E, 4, "e2e 2/2")
        self.assertIs(next_part([part(PEER, 8), short, long], []), long)

    def test_running_suite_waits(self) -> None:
        """A suite of which a part runs is taken only when no other is left."""
        peer, rest = part(PEER, 1), part(E2E, 100)
        self.assertIs(next_part([rest, peer], [E2E]), peer)
        self.assertIs(next_part([rest], [E2E]), rest)

    def test_measuring_suites(self) -> None:
        """A suite that compares times with bounds waits for all others, and nothing starts beside it."""
        attacks, faults = (Suite(name, limit=1, measures=True) for name in ("attacks", "faults"))
        measuring, other = part(faults, 100), part(PEER, 1)
        self.assertIs(next_part([measuring, other], []), other)
        self.assertIsNone(next_part([measuring], [E2E]))
        self.assertIs(next_part([measuring], []), measuring)
        self.assertIsNone(next_part([measuring, other], [attacks]))
