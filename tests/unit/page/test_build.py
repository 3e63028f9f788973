"""Tests of the command that fills the build cache."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald.page.assets import load_assets
from signald.page.build import main
from signald.page.build_cache import BuildCache, build_uncached, load_build_cache, unpack
from signald.page.schemas import load_schemas


class BuildTests(SynchronousTestCase):
    """`python -m signald.page.build FILE`."""

    def setUp(self) -> None:
        """Choose a file."""
        directory = Path(self.mktemp())
        directory.mkdir()
        self.file = directory / "build_cache.bin"

    def test_assets_are_the_same(self) -> None:
        """Assets loaded through the cache equal those loaded without one, and no step has to run again."""
        command: list[str | Path] = [sys.executable, "-m", "signald.page.build", self.file]
        subprocess.run(command, check=True, env={"PYTHONPATH": ":".join(sys.path)})
        cache = BuildCache(unpack(self.file.read_bytes()))
        before = set(cache.results)
        assets = {**load_assets(build=cache), **load_schemas(cache)}
        self.assertEqual(assets, {**load_assets(build=build_uncached), **load_schemas()})
        self.assertEqual(set(cache.results), before)

    def test_installed_cache(self) -> None:
        """The wheel contains the cache that the command writes; a checkout contains none."""
        self.patch(sys, "argv", ["build", str(self.file)])
        main()
        installed = load_build_cache().results
        self.assertIn(installed, ({}, unpack(self.file.read_bytes())))
