"""Tests of coverage floors: no package may have less coverage than its floor, and floors are only raised."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.runner.coverage_floors import COMBINED, Package, clear, floor_of, judge, main, packages, raised


def percent(value: float) -> Package:
    """Return a package with this coverage."""
    return Package(round(value * 100), 10000)


class FloorTests(SynchronousTestCase):
    """`coverage_floors` compares packages with their floors."""

    def test_complete(self) -> None:
        """The core and the dialects need complete line and branch coverage, whatever floor is recorded."""
        for name in ("signald/core", "signald/dialects", "signald/core/below"):
            self.assertEqual(floor_of(name, {name: 97.0}), 100.0)
        self.assertIn("signald/core", judge({"signald/core": percent(99.99)}, {}))

    def test_least(self) -> None:
        """A new package gets a floor of 95 %, and a package whose recorded coverage is less gets no lower one."""
        self.assertEqual(floor_of("signald/net", {}), 95.0)
        self.assertEqual(floor_of("signald/net", {"signald/net": 80.0}), 95.0)

    def test_tolerance(self) -> None:
        """A package may be a twentieth of a percent below its floor."""
        found = {"signald/net": percent(97.45), "clients": percent(97.44)}
        faults = judge(found, {"signald/net": 97.5, "clients": 97.5})
        self.assertEqual(faults, {"clients": "97.44 % is covered, and its floor is 97.50 %"})

    def test_not_measured(self) -> None:
        """A package that has a floor and is missing from the report is a fault, so that no floor is lost unnoticed."""
        faults = judge({"clients": percent(99)}, {"clients": 98.0, "signald/net": 98.0})
        self.assertEqual(list(faults), ["signald/net"])

    def test_raised(self) -> None:
        """Recording the floors again never lowers a floor; a package that was removed loses its floor."""
        found = {"signald/net": percent(97), "clients": percent(99)}
        recorded = {"signald/net": 98.0, "clients": 98.0, "gone": 100.0}
        self.assertEqual(raised(found, recorded), {"clients": 99.0, "signald/net": 98.0})

    def test_report(self) -> None:
        """The lines and branches of a directory's files are summed up, and uncovered ones are listed by file."""
        file = {
            "summary": {"covered_lines": 8, "covered_branches": 1, "num_statements": 9, "num_branches": 3},
            "missing_lines": [7],
            "missing_branches": [[3, 7], [5, -1]],
        }
        whole = file | {"missing_lines": [], "missing_branches": []}
        found = packages({"files": {"signald/net/a.py": file, "signald/net/b.py": whole, "clients/c.py": whole}})
        self.assertEqual((found["signald/net"].covered, found["signald/net"].total), (18, 24))
        self.assertEqual(found["signald/net"].missing, {"signald/net/a.py": "7, 3->7, 5->exit"})
        self.assertEqual(found["clients"].percent, 75.0)

    def test_package_without_lines(self) -> None:
        """A directory of which nothing can run, as one with a docstring alone, is not in the table."""
        summary = {"covered_lines": 0, "covered_branches": 0, "num_statements": 0, "num_branches": 0}
        file = {"summary": summary, "missing_lines": [], "missing_branches": []}
        self.assertEqual(packages({"files": {"web/client/browser/__init__.py": file}}), {})


class LastRunTests(SynchronousTestCase):
    """The check compares the floors with the data of the last run, if they are of these sources."""

    def setUp(self) -> None:
        """Write a checkout with one source."""
        self.root = Path(self.mktemp()).resolve()
        self.source = self.root / "signald" / "hub.py"
        self.source.parent.mkdir(parents=True)
        self.source.write_text("WIDTH = 3\n")
        self.combined = self.root / COMBINED

    def test_no_data(self) -> None:
        """Without the data of a run nothing fails."""
        self.assertEqual(main(self.root), 0)

    def test_outdated_data(self) -> None:
        """Data from before the last change of a source are not read, since they are about other lines."""
        self.combined.write_text("no database")
        os.utime(self.source, (2e9, 2e9))
        self.assertEqual(main(self.root), 0)

    def test_unusable_data(self) -> None:
        """Data that coverage.py cannot report, as of a source that was removed, do not fail the check."""
        self.combined.write_text("no database")
        os.utime(self.source, (1e9, 1e9))
        self.assertEqual(main(self.root), 0)

    def test_new_run(self) -> None:
        """A run that begins removes the data of the one before it."""
        self.combined.write_text("no database")
        clear(self.root)
        self.assertFalse(self.combined.exists())
