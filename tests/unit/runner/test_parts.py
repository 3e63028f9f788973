"""Suites are divided into parts, and lanes take them in an order that keeps all lanes at work."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from twisted.trial.unittest import SynchronousTestCase

from tests.runner import parts as runner_parts
from tests.runner.parts import Part, Running, Setting, make_parts, next_part, run_parts, trial_command
from tests.runner.suites import SUITES, Selection, Suite, modules_of
from tests.runner.tally import Tally

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

    def test_measuring_modules(self) -> None:
        """Modules that compare times with bounds are a part of their own that runs alone; the others run beside others.

        With one lane, and where tests are named one by one, everything stays in one process.
        """
        suite = Suite("e2e", limit=1, measuring=(self.modules[2], self.modules[3]))
        parts = make_parts([Selection(suite, self.modules, whole=True)], 2, {})
        self.assertEqual([(part.name, part.alone) for part in parts], [("e2e", False), ("e2e measuring", True)])
        self.assertEqual(parts[1].names, self.modules[2:4])
        self.assertEqual(sorted(name for part in parts for name in part.names), list(self.modules))
        (part,) = make_parts([Selection(suite, self.modules, whole=True)], 1, {})
        self.assertEqual((part.names, part.alone), (self.modules, True))
        for name, alone in ((f"{self.modules[2]}.A.test_one", True), (f"{self.modules[2]}_more", False)):
            (part,) = make_parts([Selection(suite, (name,), whole=False)], 2, {})
            self.assertIs(part.alone, alone)

    def test_modules_that_measure_exist(self) -> None:
        """Every module that a suite names as measuring is one of its modules."""
        root = Path(__file__).parents[3]
        for suite in SUITES:
            self.assertLessEqual(set(suite.measuring), set(modules_of(root, suite.name)))

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
        running = part(E2E, 10)
        self.assertIs(next_part([rest, peer], [running]), peer)
        self.assertIs(next_part([rest], [running]), rest)

    def test_measuring_parts(self) -> None:
        """A part that compares times with bounds waits for all others, and nothing starts beside it."""
        measuring, other = replace(part(E2E, 100), alone=True), part(PEER, 1)
        self.assertIs(next_part([measuring, other], []), other)
        self.assertIsNone(next_part([measuring], [part(UNIT, 1)]))
        self.assertIs(next_part([measuring], []), measuring)
        self.assertIsNone(next_part([measuring, other], [replace(measuring, name="faults")]))


class EndedProcess:
    """A process that has ended."""

    def poll(self) -> int:
        """Return the status."""
        return 0


class InterruptTests(SynchronousTestCase):
    """An interrupt at a moment at which no process runs."""

    def test_parts_that_did_not_run(self) -> None:
        """The parts that were still to run count as failed, so that the run does not pass without them."""

        def interrupt(_seconds: float) -> None:
            raise KeyboardInterrupt

        def start(part: Part, _setting: Setting) -> Running:
            return Running(part, cast(Any, EndedProcess()), Path(), None)

        self.patch(runner_parts, "start", start)
        self.patch(runner_parts, "conclude", lambda _: Tally(passed=1))
        self.patch(time, "sleep", interrupt)
        first, second = part(UNIT, 2), part(PEER, 1)
        tallies, interrupted = run_parts([first, second], 1, Setting(Path(), Path()))
        self.assertTrue(interrupted)
        self.assertEqual((tallies[first].passed, tallies[first].failed), (1, []))
        self.assertEqual(tallies[second].failed, ["peer: interrupted before it ran"])
