"""The JavaScript client as an asset, and its size."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from signald import __version__
from signald.page.assets import REVALIDATED, load_assets
from signald.page.javascript_client import load_javascript_client

MAX_BYTES = 25_000
MAX_COMPRESSED_BYTES = 9_250


class JavascriptClientTests(SynchronousTestCase):
    """The module under its fixed path."""

    def setUp(self) -> None:
        """Load it."""
        self.assets = load_javascript_client()
        (self.asset,) = self.assets.values()

    def test_path(self) -> None:
        """It is one module for every origin, which a browser asks for anew, since the path stays the same."""
        self.assertEqual(list(self.assets), ["/client.mjs"])
        self.assertEqual(self.asset.content_type, "text/javascript; charset=utf-8")
        self.assertEqual((self.asset.cache_control, self.asset.for_all_origins), (REVALIDATED, True))

    def test_size(self) -> None:
        """It is small, names its version, and imports nothing."""
        body = self.asset.representations["identity"].body
        self.assertIn(f"signald {__version__},".encode(), body.partition(b"\n")[0])
        self.assertNotIn(b'from"', body)
        self.assertLessEqual(len(body), MAX_BYTES)
        self.assertLessEqual(len(self.asset.representations["br"].body), MAX_COMPRESSED_BYTES)

    def test_page(self) -> None:
        """No asset of the call page is for other origins, and the page does not load the module."""
        for path, asset in load_assets().items():
            self.assertFalse(asset.for_all_origins, path)
            self.assertNotIn(b"client.mjs", asset.representations["identity"].body, path)
