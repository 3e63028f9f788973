"""The unit tests share one profile of hypothesis."""

from __future__ import annotations

import os

from hypothesis import settings
from twisted.trial.unittest import SynchronousTestCase


class ProfileTests(SynchronousTestCase):
    """What holds for each test that says nothing else."""

    def test_settings(self) -> None:
        """No example has a deadline, and where nothing may be skipped each run tries the same examples."""
        strict = os.environ.get("TEST_REQUIRE_ALL") == "1"
        self.assertEqual((settings().deadline, settings().derandomize), (None, strict))
