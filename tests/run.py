"""Runs the test suites side by side and prints `N passed, N failed` as the last line.

    run.py                            every suite
    run.py unit e2e                   these suites
    run.py tests.unit.core.test_hub   these modules, classes or tests, each in its suite
    run.py --quick                    lint and the unit tests that concern what changed, from the checkout

With TEST_REQUIRE_ALL=1 in the environment a test that is skipped and a suite that cannot run count as failed.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # The checkout replaces this directory on the module search path, so that the runner is the package that it is.
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from tests.runner.command import main

    sys.exit(main(sys.argv[1:]))
