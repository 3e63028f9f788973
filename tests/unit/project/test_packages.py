"""Tests that the list of packages in `setup.cfg` is complete, so that the wheel has every module of the checkout."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[3]


class PackagesTests(SynchronousTestCase):
    """The packages of the three import names are listed."""

    def test_each_directory_with_python_is_listed(self) -> None:
        """Each directory that has an `__init__.py` is listed as a package of the wheel."""
        setup = ConfigParser()
        setup.read(ROOT / "setup.cfg", encoding="utf-8")
        listed = set(setup["options"]["packages"].split())
        places = dict(line.split(" = ") for line in setup["options"]["package_dir"].strip().splitlines())
        for name, folder in places.items():
            found = {
                ".".join((name, *init.parent.relative_to(ROOT / folder).parts))
                for init in (ROOT / folder).rglob("__init__.py")
            }
            self.assertEqual(found - listed, set(), name)
