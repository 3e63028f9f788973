"""Tests of the page's assets: the allow-list, placeholders, digests and content codings."""

from __future__ import annotations

import gzip
import hashlib
import re
import tempfile
import zipfile
from importlib.resources import files
from pathlib import Path

import brotli
from twisted.trial.unittest import SynchronousTestCase

from signald.page.assets import FOREVER, REVALIDATED, Asset, AssetError, load_assets
from signald.page.build_cache import unpack


class AssetCase(SynchronousTestCase):
    """A base class that writes a small page into a temporary folder."""

    def setUp(self) -> None:
        """Write the page."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.write("page/__init__.py", '"""The page."""\n')
        self.write("page/index.html", '<link href="{{style.css}}"><script src="{{boot.mjs}}"></script>')
        self.write("page/style.css", "body { background: url({{icon.svg}}) }")
        self.write("page/icon.svg", "<svg/>")
        self.write("page/boot.mjs", 'import "{{vendor/engine.mjs}}"; fetch("{{bundle.bin}}"); f({a: {b: 1}})')
        self.write("page/vendor/engine.mjs", "engine {{not.a.placeholder}}" * 100)
        self.write("page/client/main.py", "print('caf\u00e9')\n")
        self.write("page/client/view/tiles.py", "tiles\n")
        self.write("page/client/extras/sheet.py", "sheet\n")
        self.write("page/stubs/typing.py", "TYPE_CHECKING = False\n")
        self.write("client/__init__.py", '"""The client."""\n')
        self.write("client/signaling/session.py", "session\n")
        self.write("page/service-worker.js", 'const KEPT = "{{#index.html}}", SHELL = ["./", "{{style.css}}"];')
        self.write("page/manifest.webmanifest", '{"icons": [{"src": "{{icons/icon.png}}"}]}')
        self.write("page/icons/icon.png", "png")
        self.write("page/languages/ar.json", '{"dir": "{{rtl}}"}')
        # None of the following is served.
        self.write("page/icons/draw.py", "draw")
        self.write("page/.hidden.mjs", "hidden")
        self.write("page/py.typed", "")
        self.write("page/vendor/README.md", "read me")
        self.write("page/vendor/refresh.py", "refresh")
        self.write("page/client/__pycache__/main.py", "cache")
        self.write("page/client/notes.txt", "notes")
        self.write("client/peer.py", "peer")

    def write(self, path: str, text: str) -> None:
        """Write a file of the page."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def load(self) -> dict[str, Asset]:
        """Load the page; the assets are keyed by their path without the digest."""
        assets = load_assets(self.root / "page", self.root / "client")
        for path, asset in assets.items():
            self.assertEqual(path, asset.path)
        return {re.sub(r"\.[0-9a-f]{16}\.", ".", path): asset for path, asset in assets.items()}

    def body(self, asset: Asset) -> str:
        """Return the text of the identity representation."""
        return asset.representations["identity"].body.decode()

    def assert_fails(self, sentence: str) -> None:
        """Assert that the page cannot be loaded, and the error's sentence."""
        self.assertEqual(str(self.assertRaises(AssetError, self.load)), sentence)


class LoadTests(AssetCase):
    """`load_assets` returns the allow-list."""

    def test_names(self) -> None:
        """The page's own files, the vendored ones and the bundles are served; no other file is."""
        names = (
            "ar.json",
            "boot.mjs",
            "bundle.bin",
            "call.bin",
            "engine.mjs",
            "extras.bin",
            "icon.png",
            "icon.svg",
            "style.css",
        )
        self.assertEqual(
            sorted(self.load()),
            ["/", *(f"/assets/{name}" for name in names), "/manifest.webmanifest", "/service-worker.js"],
        )

    def test_types(self) -> None:
        """Each asset has its media type; only those with a fixed path are revalidated."""
        self.write("page/vendor/engine.wasm", "wasm")
        assets = self.load()
        self.assertEqual(
            {name: asset.content_type for name, asset in assets.items()},
            {
                "/": "text/html; charset=utf-8",
                "/assets/boot.mjs": "text/javascript; charset=utf-8",
                "/assets/engine.mjs": "text/javascript; charset=utf-8",
                "/assets/engine.wasm": "application/wasm",
                "/assets/style.css": "text/css; charset=utf-8",
                "/assets/icon.svg": "image/svg+xml",
                "/assets/icon.png": "image/png",
                "/assets/ar.json": "application/json",
                "/manifest.webmanifest": "application/manifest+json",
                "/service-worker.js": "text/javascript; charset=utf-8",
                "/assets/bundle.bin": "application/octet-stream",
                "/assets/call.bin": "application/octet-stream",
                "/assets/extras.bin": "application/octet-stream",
            },
        )
        cached_forever = {name for name, asset in assets.items() if asset.cache_control == FOREVER}
        stable = {"/", "/manifest.webmanifest", "/service-worker.js"}
        self.assertEqual(cached_forever, set(assets) - stable)
        for path in stable:
            self.assertEqual(assets[path].cache_control, REVALIDATED)

    def test_placeholders(self) -> None:
        """Placeholders are replaced by URLs relative to the file that has them, in the page's own files alone."""
        self.write("page/boot.mjs", 'import "{{vendor/engine.mjs}}"; go("{{manifest.webmanifest}}"); f({a: {b: 1}})')
        assets = self.load()
        files = {name: asset.path.removeprefix("/assets/") for name, asset in assets.items()}
        self.assertEqual(
            self.body(assets["/assets/style.css"]), f"body {{ background: url(./{files['/assets/icon.svg']}) }}"
        )
        self.assertIn(f'href="./assets/{files["/assets/style.css"]}"', self.body(assets["/"]))
        self.assertIn(f'"./assets/{files["/assets/icon.png"]}"', self.body(assets["/manifest.webmanifest"]))
        self.assertIn(f'import "./{files["/assets/engine.mjs"]}"', self.body(assets["/assets/boot.mjs"]))
        self.assertIn('go("../manifest.webmanifest")', self.body(assets["/assets/boot.mjs"]))
        self.assertIn("f({a: {b: 1}})", self.body(assets["/assets/boot.mjs"]))
        self.assertIn("{{not.a.placeholder}}", self.body(assets["/assets/engine.mjs"]))

    def test_comments(self) -> None:
        """Comments are not served, the lines of scripts keep their numbers, and what looks like a comment stays."""
        self.write("page/style.css", "/* Two\n   lines */\nbody { color: red; /* why */ }\n")
        script = '/** What it does. */\nf("https://a"); // why\n  // A reason.\n  g(`/*`);\n'
        self.write("page/boot.mjs", script)
        assets = self.load()
        bodies = {path.split(".")[0]: asset.representations["identity"].body for path, asset in assets.items()}
        self.assertEqual(bodies["/assets/style"], b"\nbody { color: red;  }\n")
        self.assertEqual(bodies["/assets/boot"], b'\nf("https://a"); // why\n\n  g(`/*`);\n')

    def test_digest(self) -> None:
        """A placeholder with # is replaced by a digest of the asset's contents."""
        before = self.body(self.load()["/service-worker.js"])
        self.assertRegex(
            before, r'^const KEPT = "[0-9a-f]{16}", SHELL = \["\./", "\./assets/style\.[0-9a-f]{16}\.css"\];$'
        )
        self.write("page/boot.mjs", "something else")
        self.assertNotEqual(self.body(self.load()["/service-worker.js"]), before)

    def test_plain(self) -> None:
        """Translations and icons are served unchanged."""
        self.assertEqual(self.body(self.load()["/assets/ar.json"]), '{"dir": "{{rtl}}"}')

    def test_hashes(self) -> None:
        """A change of contents changes the path of the asset and of all that refer to it, and no other path."""
        before = self.load()
        self.write("page/icon.svg", "<svg>new</svg>")
        after = self.load()
        changed = {name for name in before if before[name].path != after[name].path}
        self.assertEqual(changed, {"/assets/icon.svg", "/assets/style.css"})
        self.assertNotEqual(self.body(before["/"]), self.body(after["/"]))

    def test_bundle(self) -> None:
        """The bundle holds every module of the page and of the signaling client, by its path below the import root."""
        bundle = unpack(self.load()["/assets/bundle.bin"].representations["identity"].body)
        self.assertEqual(
            {path.rpartition(".")[0] for path in bundle},
            {
                "signald_client/__init__",
                "signald_client/signaling/session",
                "signald_page/__init__",
                "signald_page/client/main",
                "signald_page/client/view/tiles",
                "typing",
            },
        )

    def test_extras(self) -> None:
        """Modules that are fetched on demand are in a bundle of their own."""
        extras = unpack(self.load()["/assets/extras.bin"].representations["identity"].body)
        self.assertEqual({path.rpartition(".")[0] for path in extras}, {"signald_page/client/extras/sheet"})

    def test_from_an_archive(self) -> None:
        """A page in a zip archive yields the same assets."""
        archive = self.root / "all.zip"
        with zipfile.ZipFile(archive, "w") as zipped:
            for path in self.root.rglob("*"):
                if path.is_file() and path != archive:
                    zipped.write(path, path.relative_to(self.root))
        from_folder = self.load()
        from_archive = load_assets(zipfile.Path(archive, "page/"), zipfile.Path(archive, "client/"))
        self.assertEqual(from_archive, {asset.path: asset for asset in from_folder.values()})

    def test_unknown_placeholder(self) -> None:
        """A placeholder that names no asset is an error at start."""
        self.write("page/style.css", "{{missing.svg}}")
        self.assert_fails("style.css refers to missing.svg, which does not exist")

    def test_circle(self) -> None:
        """Placeholders that refer to each other in a circle are an error."""
        self.write("page/style.css", "{{boot.mjs}}")
        self.write("page/boot.mjs", "{{style.css}}")
        self.assert_fails("boot.mjs refers to itself, by way of boot.mjs, style.css")

    def test_missing_parts(self) -> None:
        """A missing index or folder is an error."""
        (self.root / "page/index.html").unlink()
        self.assert_fails("the page has no index.html")
        for path in (self.root / "page/stubs").iterdir():
            path.unlink()
        (self.root / "page/stubs").rmdir()
        self.assert_fails("the folder stubs of the page is missing")


class RepresentationTests(AssetCase):
    """Assets are offered in several content codings."""

    def test_codings(self) -> None:
        """All representations decode to the same body, and each has its own strong validator."""
        asset = self.load()["/assets/engine.mjs"]
        body = asset.representations["identity"].body
        self.assertEqual(gzip.decompress(asset.representations["gzip"].body), body)
        self.assertEqual(brotli.decompress(asset.representations["br"].body), body)
        etags = {representation.etag for representation in asset.representations.values()}
        self.assertEqual(len(etags), 3)
        for etag in etags:
            self.assertRegex(etag, r'^"[0-9a-f]{16}"$')

    def test_small(self) -> None:
        """A body that compression does not make smaller is sent as identity."""
        self.assertEqual(list(self.load()["/assets/icon.svg"].representations), ["identity"])

    def test_choice(self) -> None:
        """Accept-Encoding decides which representation is sent."""
        asset = self.load()["/assets/engine.mjs"]
        self.assertEqual(asset.choose("gzip"), ("gzip", asset.representations["gzip"]))
        self.assertEqual(asset.choose(None), ("identity", asset.representations["identity"]))

    def test_precompressed(self) -> None:
        """Compressed copies beside a vendored file are sent unchanged."""
        (self.root / "page/vendor/engine.mjs.br").write_bytes(b"compressed before")
        asset = self.load()["/assets/engine.mjs"]
        self.assertEqual(asset.representations["br"].body, b"compressed before")
        self.assertEqual(set(asset.representations), {"identity", "br"})


class InstalledPageTests(SynchronousTestCase):
    """The installed page."""

    def setUp(self) -> None:
        """Load it."""
        self.assets = load_assets()

    def asset(self, pattern: str) -> Asset:
        """Return the only asset whose path matches."""
        (found,) = (asset for path, asset in self.assets.items() if re.fullmatch(pattern, path))
        return found

    def test_relative(self) -> None:
        """No file that is written for the page names a path from the root: a proxy may serve the page below another."""
        own = {entry.name for entry in files("signald_page").iterdir()}
        for path, asset in self.assets.items():
            # The vendored modules name paths of their own.
            if path == "/" or re.sub(r".*/|\.[0-9a-f]{16}(?=\.)", "", path) in own:
                body = asset.representations["identity"].body
                absolute = rb"""["'(`]/(?:assets|service-worker|manifest)|(?:fetch|import|URL)\(["'`]/"""
                self.assertEqual(re.findall(absolute, body), [], path)

    def test_vendored(self) -> None:
        """MicroPython is vendored with compressed copies, which decode to the same file."""
        for name in ("micropython.mjs", "micropython.wasm"):
            representations = self.asset(r"/assets/" + name.replace(".", r"\.\w+\.")).representations
            body = representations["identity"].body
            self.assertEqual(brotli.decompress(representations["br"].body), body)
            self.assertEqual(gzip.decompress(representations["gzip"].body), body)

    def test_pinned(self) -> None:
        """The vendored files have the digests that their README states."""
        vendor = files("signald_page") / "vendor"
        pinned = dict(re.findall(r"\| `([\w.]+)` \| `([0-9a-f]{64})` \|", (vendor / "README.md").read_text()))
        self.assertLessEqual({"micropython.mjs", "micropython.wasm"}, set(pinned))
        for name, digest in pinned.items():
            self.assertEqual(hashlib.sha256((vendor / name).read_bytes()).hexdigest(), digest)

    def test_bundle(self) -> None:
        """The bundle holds the modules that the page imports first, and only paths below its import root."""
        body = self.asset(r"/assets/bundle\.\w+\.bin").representations["identity"].body
        sources = {path.rpartition(".")[0] for path in unpack(body)}
        self.assertLessEqual({"signald_client/__init__", "signald_page/__init__", "typing", "__future__"}, sources)
        self.assertTrue(any(path.startswith("signald_client/signaling/") for path in sources))
        self.assertTrue(any(path.startswith("signald_page/client/") for path in sources))
        self.assertFalse(any(".." in path or path.startswith("/") for path in sources))
