"""The JavaScript client as an asset, and its size."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald import __version__
from signald.page.assets import REVALIDATED, load_assets
from signald.page.javascript_client import load_javascript_client

MOST = {"/client.mjs": (25_000, 9_300), "/embed.mjs": (4_000, 1_600)}
"""The largest size of each module in bytes, plain and with brotli."""


class JavascriptClientTests(SynchronousTestCase):
    """The modules under their fixed paths."""

    def setUp(self) -> None:
        """Load them."""
        self.assets = load_javascript_client()

    def test_paths(self) -> None:
        """Each is a module for every origin, which a browser asks for anew, since the path stays the same."""
        self.assertEqual(set(self.assets), set(MOST))
        for path, asset in self.assets.items():
            self.assertEqual((asset.path, asset.content_type), (path, "text/javascript; charset=utf-8"))
            self.assertEqual((asset.cache_control, asset.for_all_origins), (REVALIDATED, True))

    def test_sizes(self) -> None:
        """Each is small, names its version, and imports nothing."""
        for path, asset in self.assets.items():
            body = asset.representations["identity"].body
            self.assertIn(f"signald {__version__},".encode(), body.partition(b"\n")[0])
            self.assertNotIn(b'from"', body)
            most, most_compressed = MOST[path]
            self.assertLessEqual(len(body), most)
            self.assertLessEqual(len(asset.representations["br"].body), most_compressed)

    def test_page(self) -> None:
        """No asset of the call page is for other origins, and the page does not load the modules."""
        for path, asset in load_assets().items():
            self.assertFalse(asset.for_all_origins, path)
            for name in (b"client.mjs", b"embed.mjs"):
                self.assertNotIn(name, asset.representations["identity"].body, path)
