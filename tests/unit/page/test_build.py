"""Tests of the command that fills the build cache."""

from __future__ import annotations

import functools
import sys
import tempfile
from pathlib import Path
from types import FrameType

from twisted.trial.unittest import SynchronousTestCase

import signald
from signald.page.assets import load_assets
from signald.page.build import main
from signald.page.build_cache import FILE_NAME, BuildCache, build_uncached, load_build_cache, pack, unpack
from signald.page.javascript_client import load_javascript_client
from signald.page.schemas import load_schemas

#: Calls of functions in a start with a full cache: 14,000 were counted, and millions when modules are parsed.
MOST_CALLS = 50_000


def run_build(file: Path) -> dict[str, bytes]:
    """Run the command, and return the results in the file."""
    arguments = sys.argv
    sys.argv = ["signald.page.build", str(file)]
    try:
        main()
    finally:
        sys.argv = arguments
    return unpack(file.read_bytes())


@functools.cache
def first_results() -> dict[str, bytes]:
    """Return the results of the command without an earlier file, which takes seconds."""
    with tempfile.TemporaryDirectory() as directory:
        return run_build(Path(directory, FILE_NAME))


class BuildTests(SynchronousTestCase):
    """`python -m signald.page.build FILE`."""

    def setUp(self) -> None:
        """Run the command, once for all tests."""
        self.results = first_results()

    def test_cache(self) -> None:
        """Assets that are loaded through the cache equal freshly built ones, and no build step runs again."""
        cache = BuildCache(self.results)
        assets = {**load_assets(build=cache), **load_schemas(cache), **load_javascript_client(cache)}
        uncached = {**load_assets(build=build_uncached), **load_schemas(), **load_javascript_client()}
        self.assertEqual(assets, uncached)
        self.assertEqual(cache.results, self.results)

    def test_wheel(self) -> None:
        """The wheel contains the same cache; a checkout may have the one of an earlier state, or none."""
        if "site-packages" in Path(signald.__file__).parts:
            self.assertEqual(load_build_cache().results, self.results)

    def test_start(self) -> None:
        """A start that finds all results in the cache only reads and digests files, and parses or compiles none."""
        cache = BuildCache(self.results)
        calls = 0

        def count(_frame: FrameType, event: str, _argument: object) -> None:
            nonlocal calls
            calls += event in {"call", "c_call"}

        sys.setprofile(count)
        try:
            load_assets(build=cache)
            load_schemas(cache)
            load_javascript_client(cache)
        finally:
            sys.setprofile(None)
        self.assertLess(calls, MOST_CALLS)

    def test_again(self) -> None:
        """A second run computes only what is missing, and leaves out results that are not needed any more."""
        kept, missing, *_ = (key for key in self.results if key.startswith("br "))
        known = {**self.results, kept: b"computed earlier"}
        del known[missing]
        file = Path(self.mktemp())
        file.write_bytes(pack({**known, "br 0": b"of a file that is gone"}))
        self.assertEqual(run_build(file), {**known, missing: self.results[missing]})
