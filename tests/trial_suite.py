"""Runs the modules of one suite under trial, and records what comes of each test while it runs.

The record is a file of JSON lines, one an outcome, so that the tests before a crash still count. Its last line is
`{"finished": true}`.
"""

from __future__ import annotations

import argparse
import faulthandler
import functools
import importlib.util
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from twisted.application.reactors import installReactor
from twisted.trial import reporter, runner

#: What trial's own reporter prints for an outcome.
LETTERS = {"passed": ".", "skipped": "S", "failed": "F"}


class Recorder(reporter.Reporter):
    """Writes each outcome into the record, and shows progress.

    Attributes:
        record: the file of JSON lines.
        verbose: a line for each test with its seconds; otherwise a letter.

    """

    def __init__(self, *arguments: Any, record: TextIO, verbose: bool) -> None:
        super().__init__(*arguments)
        self.record = record
        self.verbose = verbose
        self.started = time.monotonic()

    def startTest(self, test: Any) -> None:
        """A test begins."""
        super().startTest(test)
        self.started = time.monotonic()
        if self.verbose:
            self._write(f"{test.id()} … ")

    def addSuccess(self, test: Any) -> None:
        """A test passed."""
        super().addSuccess(test)
        self.conclude(test, "passed")

    def addError(self, test: Any, error: Any) -> None:
        """A test broke, or what surrounds it."""
        super().addError(test, error)
        self.conclude(test, "failed")

    def addFailure(self, test: Any, fail: Any) -> None:
        """An assertion failed."""
        super().addFailure(test, fail)
        self.conclude(test, "failed")

    def addSkip(self, test: Any, reason: Any) -> None:
        """A test does not run here."""
        super().addSkip(test, reason)
        self.conclude(test, "skipped", str(reason))

    def addExpectedFailure(self, test: Any, error: Any, todo: Any = None) -> None:
        """A test that is marked as not working yet failed."""
        super().addExpectedFailure(test, error, todo)
        self.conclude(test, "skipped", "fails as expected")

    def addUnexpectedSuccess(self, test: Any, todo: Any = None) -> None:
        """A test that is marked as not working yet passed."""
        super().addUnexpectedSuccess(test, todo)
        self.conclude(test, "failed")

    def conclude(self, test: Any, outcome: str, reason: str = "") -> None:
        """Record one outcome; a test may have several."""
        seconds = time.monotonic() - self.started
        entry = {"test": test.id(), "outcome": outcome, "reason": reason, "seconds": round(seconds, 4)}
        self.record.write(json.dumps(entry) + "\n")
        self.record.flush()
        self._write(f"{outcome} ({seconds:.1f} s)\n" if self.verbose else LETTERS[outcome])

    def done(self) -> None:
        """All tests have run: show what went wrong, and close the record."""
        self._write("\n")
        super().done()
        self.record.write(json.dumps({"finished": True}) + "\n")


def import_package_from(root: Path, name: str) -> None:
    """Make a package importable from a checkout without making anything else in it importable.

    The checkout holds the sources of the installed packages: on the module search path it would hide them.
    """
    package = root / name
    spec = importlib.util.spec_from_file_location(
        name, package / "__init__.py", submodule_search_locations=[str(package)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


def main(arguments: Sequence[str]) -> None:
    """Run what the command line names; the exit status is 0 whenever all tests have run."""
    parser = argparse.ArgumentParser(description="Runs one suite under trial.")
    parser.add_argument("names", nargs="+")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--record", type=Path, required=True)
    parser.add_argument("--directory", required=True)
    parser.add_argument("--reactor", default="default")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args(arguments)
    # SIGABRT, with which the runner ends a suite that takes too long, shows where it is.
    faulthandler.enable()
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).resolve().parent]
    installReactor(options.reactor)
    for package in ("tests", "codegen", "benchmarks"):
        if (options.root / package).is_dir():
            import_package_from(options.root, package)
    with options.record.open("w") as record:
        tests = runner.TestLoader().loadByNames(options.names)
        report = functools.partial(Recorder, record=record, verbose=options.verbose)
        runner.TrialRunner(report, workingDirectory=options.directory).run(tests)


if __name__ == "__main__":
    main(sys.argv[1:])
