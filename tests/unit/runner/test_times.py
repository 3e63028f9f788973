"""Tests that test modules are divided into groups of equal duration."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.runner.times import by_module, divide, estimate, module_key, read_times, write_times


class KeyTests(SynchronousTestCase):
    """The recorded seconds of a module do not depend on the directory of its suite."""

    def test_modules(self) -> None:
        """The key begins with the suite and ends with the module."""
        for name, key in {
            "tests.suites.e2e.test_calls": "e2e.test_calls",
            "tests.suites.peer.test_peer.CallTests.test_one": "peer.test_peer",
            "tests.unit.core.test_hub.HubTests.test_one": "unit.core.test_hub",
            "tests.test_hub": "unit.test_hub",
        }.items():
            self.assertEqual(module_key(name), key)

    def test_sums(self) -> None:
        """The seconds of a module are the sum of the seconds of its tests."""
        seconds = {
            "tests.suites.e2e.test_a.A.test_1": 1.0,
            "tests.suites.e2e.test_a.B.test_1": 2.0,
            "tests.suites.e2e.test_b.A.test_1": 4.0,
        }
        self.assertEqual(by_module(seconds), {"e2e.test_a": 3.0, "e2e.test_b": 4.0})


class DivideTests(SynchronousTestCase):
    """Modules are divided into groups."""

    modules = (
        "tests.suites.e2e.test_a",
        "tests.suites.e2e.test_b",
        "tests.suites.e2e.test_c",
        "tests.suites.e2e.test_d",
    )

    def test_equal_seconds(self) -> None:
        """The longest module has a group of its own, and the other modules share a group in their order."""
        times = {"e2e.test_a": 1.0, "e2e.test_b": 9.0, "e2e.test_c": 3.0, "e2e.test_d": 4.0}
        a, b, c, d = self.modules
        self.assertEqual(divide(self.modules, 2, times), [[b], [a, c, d]])

    def test_unknown(self) -> None:
        """A module without a record counts as the median of the recorded modules."""
        times = {"e2e.test_a": 1.0, "e2e.test_b": 2.0, "e2e.test_c": 30.0}
        self.assertEqual(estimate(self.modules, times)["tests.suites.e2e.test_d"], 2.0)

    def test_nothing_known(self) -> None:
        """Without any record modules are divided by their number."""
        self.assertEqual([len(group) for group in divide(self.modules, 2, {})], [2, 2])

    def test_few_modules(self) -> None:
        """There are never more groups than modules, and there is one group if there are no modules."""
        self.assertEqual(divide(self.modules[:1], 4, {}), [["tests.suites.e2e.test_a"]])
        self.assertEqual(divide((), 4, {}), [[]])

    def test_nothing_is_lost(self) -> None:
        """Each module is in exactly one group."""
        for number in range(1, 6):
            groups = divide(self.modules, number, {"e2e.test_c": 5.0})
            self.assertEqual(sorted(chain.from_iterable(groups)), list(self.modules))


class FileTests(SynchronousTestCase):
    """The seconds are recorded in a file."""

    def test_written_and_read(self) -> None:
        """The written record is read again, rounded; a tree without the file has an empty record."""
        root = Path(self.mktemp())
        self.assertEqual(read_times(root), {})
        (root / "tests/runner").mkdir(parents=True)
        write_times(root, {"e2e.test_b": 1.23456, "e2e.test_a": 2})
        self.assertEqual(read_times(root), {"e2e.test_a": 2, "e2e.test_b": 1.23})
