"""Tests of what prepares a checkout for the tests."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from signald.page.build_cache import FILE_NAME
from tests.runner.checkout import PAGE_CACHE, cache_page
from tests.runner.checks import LINKS, make_links


class CheckoutTests(SynchronousTestCase):
    """`make_links` and `cache_page`, in a directory without packages."""

    def setUp(self) -> None:
        """Create the directory."""
        self.root = Path(self.mktemp()).absolute()
        self.root.mkdir()

    def test_links(self) -> None:
        """Each package is found under the name that it is installed by, also when the links exist already."""
        for source in LINKS.values():
            (self.root / source).mkdir()
        self.assertEqual(make_links(self.root), make_links(self.root))
        found = {name: (self.root / ".checks" / name).resolve().name for name in LINKS}
        self.assertEqual(found, LINKS)

    def test_page_that_cannot_be_built(self) -> None:
        """The tests of the page report a fault of the page; the preparation passes it over."""
        self.write_build("raise ValueError")
        cache_page(self.root)
        self.assertFalse((self.root / PAGE_CACHE).exists())

    def test_cache(self) -> None:
        """The file is where the loader of the cache looks, and the command writes it."""
        self.write_build("import sys\nopen(sys.argv[1], 'w').close()")
        cache_page(self.root)
        self.assertTrue((self.root / "signald" / "page" / FILE_NAME).exists())

    def write_build(self, source: str) -> None:
        """Write the module that builds the page."""
        package = self.root / PAGE_CACHE.parent
        package.mkdir(parents=True)
        for file in (package.parent / "__init__.py", package / "__init__.py"):
            file.touch()
        (package / "build.py").write_text(source)
