"""Tests that all unit tests share one hypothesis profile."""

from __future__ import annotations

import os

from hypothesis import settings
from twisted.trial.unittest import SynchronousTestCase


class ProfileTests(SynchronousTestCase):
    """The profile applies to each test without settings of its own."""

    def test_settings(self) -> None:
        """No example has a deadline, and in a strict run the examples are derandomized."""
        strict = os.environ.get("TEST_REQUIRE_ALL") == "1"
        self.assertEqual((settings().deadline, settings().derandomize), (None, strict))
