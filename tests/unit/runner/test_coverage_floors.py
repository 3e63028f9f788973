"""Tests of coverage floors: no package may have less coverage than its floor, and floors are only raised."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.runner.coverage_floors import Package, floor_of, judge, packages, raised


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
