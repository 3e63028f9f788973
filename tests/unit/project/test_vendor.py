"""Tests of the scripts that update the vendored files, and accept only pinned files."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import io
import json
import sys
import tarfile
import tempfile
from importlib.resources import as_file, files
from pathlib import Path
from types import ModuleType

import brotli
from twisted.trial.unittest import SynchronousTestCase


def load_script(name: str = "refresh") -> ModuleType:
    """Load a script as a module, since it is not part of a package."""
    with as_file(files("signald_page") / "vendor" / f"{name}.py") as path:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


class RefreshTests(SynchronousTestCase):
    """The script extracts files from npm tarballs."""

    def setUp(self) -> None:
        """Read the vendored files."""
        self.refresh = load_script()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        vendor = files("signald_page") / "vendor"
        self.contents = {name: (vendor / name).read_bytes() for name in self.refresh.SHA256}
        self.package = {"name": self.refresh.NAME, "version": self.refresh.VERSION}

    def tarball(self) -> Path:
        """Pack the files into a tarball."""
        path = self.folder / "packed.tgz"
        with tarfile.open(path, "w:gz") as archive:
            for name, body in {**self.contents, "package.json": json.dumps(self.package).encode()}.items():
                member = tarfile.TarInfo(f"package/{name}")
                member.size = len(body)
                archive.addfile(member, io.BytesIO(body))
        return path

    def test_pinned(self) -> None:
        """The pinned version yields the vendored files, their compressed copies and the licence."""
        self.assertEqual(self.refresh.unpack(self.tarball()), self.contents)
        small = {"engine.mjs": b"engine" * 100}
        self.refresh.write(small, self.folder)
        self.assertEqual((self.folder / "engine.mjs").read_bytes(), small["engine.mjs"])
        self.assertEqual(brotli.decompress((self.folder / "engine.mjs.br").read_bytes()), small["engine.mjs"])
        self.assertEqual(gzip.decompress((self.folder / "engine.mjs.gz").read_bytes()), small["engine.mjs"])
        licence = files("signald_page") / "vendor" / "LICENSE.micropython"
        self.assertEqual((self.folder / "LICENSE.micropython").read_text(), licence.read_text())

    def test_other_version(self) -> None:
        """Another version is rejected."""
        self.package["version"] = "9.9.9"
        error = self.assertRaises(self.refresh.RefreshError, self.refresh.unpack, self.tarball())
        self.assertIn("9.9.9, not", str(error))

    def test_other_contents(self) -> None:
        """A file with another digest and a tarball without one of the files are rejected."""
        del self.contents["micropython.mjs"]
        self.assertRaises(KeyError, self.refresh.unpack, self.tarball())
        self.contents["micropython.mjs"] = b"changed"
        error = self.assertRaises(self.refresh.RefreshError, self.refresh.unpack, self.tarball())
        self.assertIn("micropython.mjs has SHA-256", str(error))

    def test_command(self) -> None:
        """Wrong arguments and an unusable tarball lead to a non-zero exit status."""
        self.patch(sys, "stderr", io.StringIO())
        self.assertEqual(self.refresh.main([]), 2)
        self.assertEqual(self.refresh.main([str(self.folder / "missing.tgz")]), 1)


class SymbolTests(SynchronousTestCase):
    """The script for the pictures of verification codes joins them to one file."""

    def setUp(self) -> None:
        """Make a tarball with one picture."""
        self.refresh = load_script("refresh_symbols")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.tarball = Path(folder.name) / "packed.tgz"
        self.package = {"name": self.refresh.NAME, "version": self.refresh.VERSION}
        self.picture = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 36 36"><path d="M0 0"/></svg>\n'

    def unpack(self, wanted: str) -> str:
        """Pack the tarball, and return the file of symbols."""
        with tarfile.open(self.tarball, "w:gz") as archive:
            for name, text in (("package.json", json.dumps(self.package)), ("1f433.svg", self.picture)):
                member = tarfile.TarInfo(f"package/{name}")
                member.size = len(text.encode())
                archive.addfile(member, io.BytesIO(text.encode()))
        return str(self.refresh.unpack(self.tarball, wanted))

    def test_symbols(self) -> None:
        """Each picture becomes a symbol, unchanged, below the licence."""
        text = self.unpack("🐳")
        self.assertIn('<symbol id="1f433" viewBox="0 0 36 36"><path d="M0 0"/></symbol>\n', text)
        self.assertIn("CC-BY 4.0", text)

    def test_the_vendored_file(self) -> None:
        """The vendored file has the symbols of the page, in their order."""
        text = (files("signald_page") / "code-symbols.svg").read_text()
        self.assertTrue(text.startswith(self.refresh.HEAD))
        places = [text.index(f'<symbol id="{ord(character):x}"') for character in self.refresh.emoji()]
        self.assertEqual((len(places), places), (64, sorted(places)))

    def test_refused(self) -> None:
        """Another version, a missing picture and one of another size are rejected."""
        self.assertRaises(self.refresh.RefreshError, self.unpack, "🦊")
        self.picture = self.picture.replace("36", "48")
        self.assertRaises(self.refresh.RefreshError, self.unpack, "🐳")
        self.package["version"] = "9.9.9"
        error = self.assertRaises(self.refresh.RefreshError, self.unpack, "")
        self.assertIn("9.9.9, not", str(error))

    def test_command(self) -> None:
        """Wrong arguments and an unusable tarball lead to a non-zero exit status, and change nothing."""
        self.patch(sys, "stderr", io.StringIO())
        self.assertEqual(self.refresh.main([]), 2)
        self.assertEqual(self.refresh.main([str(self.tarball)]), 1)


class TestsOwnTests(SynchronousTestCase):
    """Files that are vendored for the tests."""

    def test_documented(self) -> None:
        """Each file has its SHA-256 in the README and its licence."""
        folder = Path(__file__).parents[2] / "vendor"
        readme = (folder / "README.md").read_text()
        for name in ("asyncapi-3.0.0.json", "axe.min.js"):
            self.assertIn(hashlib.sha256((folder / name).read_bytes()).hexdigest(), readme)
        self.assertIn("Mozilla Public License", (folder / "LICENSE.axe-core").read_text())
