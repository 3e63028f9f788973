"""Tests of the command that fills the build cache."""

from __future__ import annotations

import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald.page.assets import load_assets
from signald.page.build import main
from signald.page.build_cache import BuildCache, build_uncached, load_build_cache, unpack
from signald.page.javascript_client import load_javascript_client
from signald.page.schemas import load_schemas


class BuildTests(SynchronousTestCase):
    """`python -m signald.page.build FILE`."""

    def setUp(self) -> None:
        """Run the command."""
        directory = Path(self.mktemp())
        directory.mkdir()
        file = directory / "build_cache.bin"
        self.patch(sys, "argv", ["signald.page.build", str(file)])
        main()
        self.results = unpack(file.read_bytes())

    def test_cache(self) -> None:
        """The wheel contains the same cache.

        Assets that are loaded through the cache equal freshly built ones, and no build step runs again.
        """
        self.assertIn(load_build_cache().results, ({}, self.results))
        cache = BuildCache(self.results)
        assets = {**load_assets(build=cache), **load_schemas(cache), **load_javascript_client(cache)}
        uncached = {**load_assets(build=build_uncached), **load_schemas(), **load_javascript_client()}
        self.assertEqual(assets, uncached)
        self.assertEqual(cache.results, self.results)
