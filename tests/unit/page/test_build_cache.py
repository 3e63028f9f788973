"""Tests of the build cache."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald.page.build_cache import BuildCache, pack, unpack


class BuildCacheTests(SynchronousTestCase):
    """`BuildCache` runs each build step once."""

    def test_same_source(self) -> None:
        """A step runs once for each source and kind."""
        sources: list[bytes] = []

        def double(source: bytes) -> bytes:
            sources.append(source)
            return source * 2

        cache = BuildCache({})
        self.assertEqual([cache("double", b"a", double) for _ in range(3)], [b"aa"] * 3)
        self.assertEqual(cache("double", b"b", double), b"bb")
        self.assertEqual(cache("other", b"a", double), b"aa")
        self.assertEqual(sources, [b"a", b"b", b"a"])

    def test_stored_results(self) -> None:
        """A stored result is used only for the same source."""
        cache = BuildCache({})
        cache("kind", b"source", bytes.upper)
        loaded = BuildCache(unpack(pack(cache.results)))
        self.assertEqual(loaded("kind", b"source", bytes.lower), b"SOURCE")
        self.assertEqual(loaded("kind", b"Changed", bytes.lower), b"changed")


class PackTests(SynchronousTestCase):
    """`pack` and `unpack`."""

    def test_round_trip(self) -> None:
        """Unpacking returns the packed contents, even if they are empty."""
        for contents in ({}, {"a": b""}, {"a": b"1\n2", "b": b"", "ü": b"\xff"}):
            self.assertEqual(unpack(pack(contents)), contents)
