"""Tests that suites are divided into parts, and that lanes take the parts in an order that keeps all lanes busy."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.runner.parts import Part, make_parts, next_part
from tests.runner.suites import Selection, Suite

E2E = Suite("e2e", limit=1, parts=2)
UNIT = Suite("unit", limit=1, parts=1)
PEER = Suite("peer", limit=1)


def part(suite: Suite, seconds: float, name: str = "") -> Part:
    """Create a part."""
    return Part(suite, name or suite.name, ("tests.x",), seconds)


class MakePartsTests(SynchronousTestCase):
    """A suite is divided into the processes of a run."""

    modules = tuple(f"tests.suites.e2e.test_{letter}" for letter in "abcdefgh")

    def names(self, suite: Suite, lanes: int, whole: bool = True) -> list[str]:
        """Return the names of a suite's parts."""
        return [part.name for part in make_parts([Selection(suite, self.modules, whole)], lanes, {})]

    def test_for_each_lane(self) -> None:
        """A suite has the configured number of parts for each lane."""
        self.assertEqual(self.names(E2E, 2), ["e2e 1/4", "e2e 2/4", "e2e 3/4", "e2e 4/4"])
        self.assertEqual(self.names(UNIT, 2), ["unit 1/2", "unit 2/2"])

    def test_undivided(self) -> None:
        """One process runs the suite with a single lane, for an undivided suite, and for single modules."""
        self.assertEqual(self.names(E2E, 1), ["e2e"])
        self.assertEqual(self.names(PEER, 2), ["peer"])
        self.assertEqual(self.names(E2E, 2, whole=False), ["e2e"])


class NextPartTests(SynchronousTestCase):
    """A free lane takes the next part."""

    def test_most_left(self) -> None:
        """The longest part of the suite with the most remaining seconds is taken first."""
        long, short = part(E2E, 5, "e2e 1/2"), part(E2E, 4, "e2e 2/2")
        self.assertIs(next_part([part(PEER, 8), short, long], []), long)

    def test_running_suite_waits(self) -> None:
        """Another part of a running suite is taken only if no other suite is left."""
        peer, rest = part(PEER, 1), part(E2E, 100)
        self.assertIs(next_part([rest, peer], [E2E]), peer)
        self.assertIs(next_part([rest], [E2E]), rest)

    def test_measuring_suites(self) -> None:
        """Of the suites that compare durations with bounds, only one runs at a time."""
        attacks, faults = (Suite(name, limit=1, measures=True) for name in ("attacks", "faults"))
        measuring, other = part(faults, 100), part(PEER, 1)
        self.assertIs(next_part([measuring, other], [attacks]), other)
        self.assertIsNone(next_part([measuring], [attacks]))
        self.assertIs(next_part([measuring], [E2E]), measuring)
