"""What takes long to make, and is kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald.page.assets import load_assets
from signald.page.build_cache import Made, make_now, packed, unpacked
from signald.page.schemas import load_schemas


class MadeTests(SynchronousTestCase):
    """Results and their names."""

    def test_it_is_made_once(self) -> None:
        """And again of another source, or for another kind."""
        sources: list[bytes] = []

        def double(source: bytes) -> bytes:
            sources.append(source)
            return source * 2

        made = Made({})
        self.assertEqual([made("double", b"a", double) for _ in range(3)], [b"aa"] * 3)
        self.assertEqual(made("double", b"b", double), b"bb")
        self.assertEqual(made("other", b"a", double), b"aa")
        self.assertEqual(sources, [b"a", b"b", b"a"])

    def test_what_is_kept_is_used(self) -> None:
        """As long as it was made of the same."""
        made = Made({})
        made("kind", b"source", bytes.upper)
        again = Made(unpacked(packed(made.results)))
        self.assertEqual(again("kind", b"source", bytes.lower), b"SOURCE")
        self.assertEqual(again("kind", b"Changed", bytes.lower), b"changed")

    def test_contents_in_one(self) -> None:
        """They are the same afterwards, the empty ones too."""
        for contents in ({}, {"a": b""}, {"a": b"1\n2", "b": b"", "ü": b"\xff"}):
            self.assertEqual(unpacked(packed(contents)), contents)

    def test_the_page_is_the_same(self) -> None:
        """Whether it is made at the build or at the start, and a start makes nothing of what the build has made."""
        directory = Path(self.mktemp())
        directory.mkdir()
        file = directory / "made.bin"
        subprocess.run(
            [sys.executable, "-m", "signald.page.build_cache", file], check=True, env={"PYTHONPATH": ":".join(sys.path)}
        )
        made = Made(unpacked(file.read_bytes()))
        before = set(made.results)
        assets = {**load_assets(make=made), **load_schemas(made)}
        self.assertEqual(assets, {**load_assets(make=make_now), **load_schemas()})
        self.assertEqual(set(made.results), before)
