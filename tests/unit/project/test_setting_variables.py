"""Tests that variables whose names begin with `SIGNALD_` are settings and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald.config.setting_names import settings
from signald.config.sources import CONFIG_VARIABLE

ROOT = Path(__file__).resolve().parents[3]

#: What is deployed, and what builds and tests signald. Tests of the configuration name invalid variables on purpose.
PLACES = ("deploy", "requirements", "examples", ".ci", "tests/suites/recipes", "tests/runner")


class VariableTests(SynchronousTestCase):
    """signald refuses a `SIGNALD_` variable that is no setting, so that no script may use such a name."""

    def test_deployed_files(self) -> None:
        """Each `SIGNALD_` variable in a script, a unit or a recipe is a setting, or names the configuration file."""
        known = {setting.variable for setting in settings().values()} | {CONFIG_VARIABLE}
        files = [path for place in PLACES for path in sorted((ROOT / place).rglob("*")) if path.is_file()]
        found = {
            name: path.name
            for path in files
            if path.suffix != ".pyc"
            for name in re.findall(r"\bSIGNALD_[A-Z0-9_]+", path.read_text(errors="replace"))
        }
        self.assertIn("SIGNALD_DATA_DIR", found)
        self.assertEqual({name: file for name, file in found.items() if name not in known}, {})
