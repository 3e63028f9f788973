"""Tests of the ratios and of the report of the benchmark suite."""

from __future__ import annotations

import json
import math

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.capacity import Fact, Growth
from benchmarks.charts import charts
from benchmarks.document import BEGIN, END, _replaced, render
from benchmarks.load.latency import percentiles
from benchmarks.rounds import Result, median, ratios
from benchmarks.suite import Suite
from benchmarks.tables import (
    as_markdown,
    as_text,
    error_lines,
    fact_rows,
    goal_rows,
    growth_rows,
    latency_rows,
    result_rows,
)
from benchmarks.works import SUBJECTS, WORKS, Goal

GOAL = Goal("signald", "node", 1.2, 0.9, "9")


def make_result(signald: list[float], node: list[float], name: str = WORKS[0].name) -> Result:
    """Return a result with so much CPU in the rounds of both."""
    values = {
        subject: {"cost": costs, "rate": [1000.0] * len(costs)}
        for subject, costs in (("signald", signald), ("node", node))
        if costs
    }
    return Result(name, "µs", values, {}, (GOAL,))


class RatioTests(SynchronousTestCase):
    """Tests of ratios and verdicts."""

    def test_pairs(self) -> None:
        """A ratio is that of the same round: a busy machine slows both sides of it down."""
        result = make_result([10.0, 100.0, 12.0], [10.0, 100.0, 10.0])
        self.assertEqual(ratios(result, GOAL), [1.0, 1.0, 1.2])
        self.assertTrue(math.isnan(median(())))

    def test_absent_reference(self) -> None:
        """There is no ratio to a server that was not measured, and the goal is not called met."""
        rows = goal_rows([make_result([10.0], [])], [], None)
        self.assertEqual(rows[1][1:3] + rows[1][-1:], ["not measured", "", ""])

    def test_verdicts(self) -> None:
        """A goal is met, met with its stretch, or not met, by the median of the ratios."""
        for cost, verdict in ((9.0, "met, stretch too"), (12.0, "met"), (12.1, "not met")):
            rows = goal_rows([make_result([cost, cost, 1000.0], [10.0] * 3)], [], None)
            self.assertEqual(rows[1][-1], verdict)

    def test_stretch_alone(self) -> None:
        """A stretch in milliseconds needs no reference."""
        goal = Goal("signald", "", None, 2.0, "39", "p99")
        for value, verdict in ((1.5, "stretch met"), (2.5, "stretch not met")):
            result = Result(WORKS[-1].name, "µs", {"signald": {"p99": [value]}}, {}, (goal,))
            row = goal_rows([result], [], None)[1]
            self.assertEqual((row[1], row[3:]), (f"{value:.2f}", ["", "2", "39", verdict]))

    def test_facts(self) -> None:
        """Figures of signald alone and the growth have goals as well."""
        fact = Fact("memory", "KiB", {"signald": [11.0, 13.0, 14.0]}, 12)
        growth = Growth((100, 1000), {"signald": [10.0, 11.0]}, {"signald": [0.1, 1.0]})
        rows = goal_rows([], [fact, Fact("start", "s", {"signald": [1.0]})], growth)
        self.assertEqual([row[-1] for row in rows[1:]], ["not met", "met"])
        self.assertEqual((fact.met, Fact("start", "s", {}).met), (False, None))

    def test_incomplete_growth(self) -> None:
        """Where a server did not hold the most connections, the goal is not met, and what was measured is shown."""
        growth = Growth((100, 1000), {"signald": [10.0]}, {"signald": [0.1]}, {"signald": "a connection was lost"})
        self.assertEqual(goal_rows([], [], growth)[1][-1], "not met")
        self.assertEqual([row[1:] for row in growth_rows(growth)[1:]], [["10.0", "-"], ["0.10", "-"]])
        self.assertEqual(error_lines(growth), ["signald failed: a connection was lost"])
        self.assertIn("signald: 10 µs at first", charts([], growth)["benchmark-growth.svg"])

    def test_goals_name_subjects(self) -> None:
        """Each goal compares servers that do the work, and the names of works are different."""
        for work in WORKS:
            for goal in work.goals:
                self.assertLessEqual({goal.subject, goal.reference} - {""}, set(work.subjects))
            self.assertLessEqual(set(work.subjects), SUBJECTS.keys())
        self.assertEqual(len({work.name for work in WORKS}), len(WORKS))


class PercentileTests(SynchronousTestCase):
    """Tests of the latencies' percentiles."""

    def test_percentiles(self) -> None:
        """They are in milliseconds, whatever the order of the latencies."""
        found = percentiles([milliseconds / 1000 for milliseconds in range(1000, 0, -1)])
        self.assertEqual({name: round(value) for name, value in found.items()}, {"p50": 501, "p99": 991, "p99.9": 1000})


class ReportTests(SynchronousTestCase):
    """Tests of the report, its tables and the document."""

    def setUp(self) -> None:
        """Create a suite that has measured something of each kind."""
        self.suite = Suite()
        self.suite.results = [make_result([10.0, 11.0], [10.0, 10.0])]
        self.suite.facts = [Fact("memory", "KiB", {"signald": [11.0], "node": [9.0]}, 12)]
        self.suite.growth = Growth([100, 1000], {"signald": [10.0, 11.0]}, {"signald": [0.1, 1.0]})
        self.suite.storm = "clients  1000\n"
        self.suite.absent = {"go": "go is not installed"}

    def test_document(self) -> None:
        """The document has every figure, names what is absent, and its charts are there."""
        text, pictures = render(json.loads(json.dumps(self.suite.as_json())))
        for words in ("| memory, KiB | 11.0 | 9.0 |", "clients  1000", "Go: go is not installed", "| signald | 10.5 |"):
            self.assertIn(words, text)
        self.assertIn("benchmark-growth.svg", pictures)
        for name in pictures:
            self.assertIn(f"(static/{name})", text)
        before = f"before\n{BEGIN}old\n{END}after\n"
        self.assertEqual(_replaced(before, text), f"before\n{BEGIN}\n{text}\n{END}after\n")
        self.assertRaises(SystemExit, _replaced, "no place", text)

    def test_keep(self) -> None:
        """A run in parts keeps what an earlier one has measured, and replaces what it measures itself."""
        report = json.loads(json.dumps(self.suite.as_json()))
        later = Suite()
        later.results = [make_result([5.0], [5.0], WORKS[1].name)]
        later.keep(report)
        self.assertEqual([result.name for result in later.results], [WORKS[0].name, WORKS[1].name])
        self.assertEqual((later.growth, later.storm), (self.suite.growth, self.suite.storm))
        self.assertEqual(later.absent, self.suite.absent)
        later = Suite()
        later.results = [make_result([5.0], [5.0])]
        later.keep(report)
        self.assertEqual(later.results[0].values["signald"]["cost"], [5.0])

    def test_tables(self) -> None:
        """Every table has rows of one length, and errors have their own."""
        failed = Result("work", "µs", {"signald": {"cost": [1.0], "rate": [2.0]}}, {"node": "it was lost"}, ())
        latencies = {"signald": {"cost": [1.0], "rate": [2.0], "p50": [1.0], "p99": [2.0], "p99.9": [3.0]}}
        tables = [
            result_rows(failed),
            latency_rows(Result("work", "µs", latencies, {}, ())),
            fact_rows(self.suite.facts),
            growth_rows(self.suite.growth or Growth((), {}, {})),
        ]
        for rows in tables:
            self.assertEqual({len(row) for row in rows}, {len(rows[0])})
            self.assertEqual(len(as_text(rows).splitlines()), len(rows) + 1)
            self.assertEqual(len(as_markdown(rows).splitlines()), len(rows) + 1)
        self.assertEqual(error_lines(failed), ["Node ws failed: it was lost"])
