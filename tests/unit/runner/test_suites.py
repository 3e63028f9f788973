"""Tests that test modules are found in their suites, and selected by name."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.runner.suites import all_suites, modules_of, selected


class SuiteTests(SynchronousTestCase):
    """The suites of a tree of tests are found."""

    def setUp(self) -> None:
        """Create the tree."""
        self.root = Path(self.mktemp()).resolve()
        for path in (
            "unit/core/test_hub.py", "unit/test_tables.py", "suites/e2e/test_calls.py", "suites/more/deep/test_a.py",
            "support/helper.py", "runner/suites.py",
        ):  # fmt: skip
            file = self.root / "tests" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()

    def test_modules(self) -> None:
        """Modules are found at any depth below their suite."""
        self.assertEqual(modules_of(self.root, "unit"), ["tests.unit.core.test_hub", "tests.unit.test_tables"])
        self.assertEqual(modules_of(self.root, "more"), ["tests.suites.more.deep.test_a"])

    def test_unknown_directory(self) -> None:
        """A directory of tests that is not in the table is a suite too; directories of helpers are not suites."""
        self.assertEqual([suite.name for suite in all_suites(self.root)][-2:], ["e2e", "more"])

    def test_selected(self) -> None:
        """Names of tests are assigned to their suites, and a suite is run as a whole only if it is named itself."""
        names = ["tests.suites.e2e.test_calls.A.test_one", "unit", "tests.unit.core.test_hub"]
        chosen = {selection.suite.name: selection for selection in selected(self.root, names)}
        self.assertEqual(chosen["e2e"].names, ("tests.suites.e2e.test_calls.A.test_one",))
        self.assertEqual(chosen["unit"].names, ("tests.unit.core.test_hub", "tests.unit.test_tables"))
        self.assertEqual((chosen["e2e"].whole, chosen["unit"].whole), (False, True))

    def test_unknown_name(self) -> None:
        """A name that is neither a suite nor a test is an error."""
        for name in ("nonsense", "unittest.case", "support", "tests.suites.none.test_a"):
            self.assertRaises(SystemExit, selected, self.root, [name])
