"""Tests of `signald.lifecycle.preloading`; tests/suites/e2e/test_preloading.py checks that the list is complete."""

from __future__ import annotations

import sys

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from signald.lifecycle.preloading import LATE_MODULES, PRELOAD_SECONDS, RETRY_SECONDS, PreloadService


class PreloadTests(SynchronousTestCase):
    """Tests of the service with a clock in memory."""

    def setUp(self) -> None:
        """Start the service, and record the imports."""
        self.clock = Clock()
        self.imported: list[str] = []
        self.errors: dict[str, list[Exception]] = {}
        self.service = PreloadService(self.clock, self.import_module)
        self.service.startService()

    def import_module(self, name: str) -> None:
        """Record an import, or raise the next error that is prepared for the module."""
        if self.errors.get(name):
            raise self.errors[name].pop()
        self.imported.append(name)

    def test_one_module_in_each_iteration(self) -> None:
        """Imports begin after a delay, and other delayed calls run between two imports."""
        self.clock.advance(PRELOAD_SECONDS - 0.1)
        self.assertEqual(self.imported, [])
        counts = list[int]()

        def count() -> None:
            counts.append(len(self.imported))
            if len(counts) <= len(LATE_MODULES):
                self.clock.callLater(0.0, count)

        self.clock.callLater(0.1, count)
        self.clock.advance(0.1)
        self.assertEqual(counts, [*range(1, len(LATE_MODULES) + 1), len(LATE_MODULES)])
        self.assertEqual(self.imported, [*LATE_MODULES])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.service.stopService()

    def test_a_stop_ends_it(self) -> None:
        """A stop cancels the remaining imports."""
        self.clock.callLater(PRELOAD_SECONDS, self.service.stopService)
        self.clock.advance(PRELOAD_SECONDS)
        self.assertEqual((self.imported, self.clock.getDelayedCalls()), ([*LATE_MODULES][:1], []))

    def test_a_module_that_cannot_be_imported(self) -> None:
        """A module that is missing or only half written is logged, and the other modules are imported."""
        missing, broken, *others = LATE_MODULES
        self.errors = {missing: [ModuleNotFoundError(missing)], broken: [SyntaxError("unexpected EOF while parsing")]}
        for _ in range(len(LATE_MODULES) + 1):
            self.clock.advance(PRELOAD_SECONDS)
        self.assertEqual(self.imported, others)
        self.assertEqual(len(self.flushLoggedErrors(ModuleNotFoundError)), 1)
        self.assertEqual(len(self.flushLoggedErrors(SyntaxError)), 1)

    def test_a_file_that_cannot_be_read(self) -> None:
        """A module is imported later if its file cannot be opened now, and nothing is logged."""
        self.errors = {next(iter(LATE_MODULES)): [OSError(24, "Too many open files")]}
        self.clock.advance(PRELOAD_SECONDS)
        self.clock.advance(RETRY_SECONDS - 0.1)
        self.assertEqual(self.imported, [])
        self.clock.advance(0.1)
        for _ in LATE_MODULES:
            self.clock.advance(0.0)
        self.assertEqual(self.imported, [*LATE_MODULES])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_the_modules_exist(self) -> None:
        """Each module of the list can be imported."""
        for name in LATE_MODULES:
            __import__(name)
            self.assertIn(name, sys.modules)
