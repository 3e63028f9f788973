"""Tests of the units for systemd that stand in `deploy`."""

from __future__ import annotations

import os
from configparser import ConfigParser
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

DEPLOY = Path(__file__).parents[3] / "deploy"


class UnitTests(SynchronousTestCase):
    """Tests of what the units say about the end of the process."""

    def test_no_restart_after_an_error_in_the_configuration(self) -> None:
        """A start that the configuration prevents is not tried again, ten times a second."""
        [service] = DEPLOY.glob("*.service")
        unit = ConfigParser(interpolation=None, strict=False)
        unit.read(service)
        self.assertEqual(unit["Service"]["Restart"], "always")
        self.assertEqual(unit["Service"]["RestartPreventExitStatus"], str(os.EX_CONFIG))
