"""The assets of the call page: an allow-list of response bodies, loaded at start from the installed packages."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath

from attrs import frozen

from signald.page.build_cache import Builder, build_uncached
from signald.page.bundle import find_compiler, make_bundle, make_call_bundle, make_extras
from signald.page.encodings import IDENTITY, best_encoding, compressed_variants

__all__ = [
    "FOREVER",
    "HASHED",
    "REVALIDATED",
    "Asset",
    "AssetError",
    "Representation",
    "digest",
    "load_assets",
    "make_asset",
]

BUNDLE = "bundle.bin"
CALL = "call.bin"
EXTRAS = "extras.bin"
"""The names of the bundles of the page's Python: for the start screen, for calls, and for features on demand."""

INDEX = "index.html"

FOREVER = "public, max-age=31536000, immutable"
"""Cache-Control of assets whose path contains a digest of their contents (RFC 8246)."""

REVALIDATED = "no-cache"
"""Cache-Control of assets whose path does not change with their contents (RFC 9111 §5.2.2.4)."""

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",  # RFC 9239 §6.1
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".json": "application/json",
    ".js": "text/javascript; charset=utf-8",
    ".webmanifest": "application/manifest+json",  # Web Application Manifest, "Media type registration"
    ".bin": "application/octet-stream",
    ".wasm": "application/wasm",  # a browser compiles it while it arrives under this type alone
}

_TEMPLATES = {".html", ".css", ".js", ".mjs", ".svg", ".webmanifest"}
"""Suffixes of the page's own files that are served, and in which placeholders are replaced."""

HASHED = "/assets/"
"""The folder of the assets whose path contains a digest."""

_STABLE = {INDEX: "/", "service-worker.js": "/service-worker.js", "manifest.webmanifest": "/manifest.webmanifest"}
"""Assets that are served under a fixed path; the path of every other one contains a digest."""

_PLAIN = {"icons/": {".png"}, "languages/": {".json"}}
"""Folders whose files are served unchanged, by suffix."""

_VENDORED = {".mjs", ".wasm"}
"""Suffixes of the files in `vendor/` that are served, unchanged."""

_SUFFIXES = {"br": ".br", "gzip": ".gz"}
"""Suffixes of files that are compressed already, by content coding."""

_PLACEHOLDER = re.compile(r"\{\{(#?)([A-Za-z0-9_./-]+)\}\}")
"""A placeholder, `{{name}}`, is replaced by the URL of an asset, and `{{#name}}` by the digest of its contents.

The URL is relative to the file with the placeholder, so that the page works below every path that a proxy gives it.
"""

_SCRIPT_COMMENT = re.compile(r"^[ \t]*(?://.*|/\*\*.*\*/)$", re.MULTILINE)
_COMMENTS = {".css": re.compile(r"/\*.*?\*/", re.DOTALL), ".js": _SCRIPT_COMMENT, ".mjs": _SCRIPT_COMMENT}
"""Comments of the page's own files, which are not served: they are 1.7 of the start screen's 260 kB.

In scripts they are those that fill a line, which stays, so that the numbers of lines in errors are those of the source.
"""


class AssetError(Exception):
    """A file of the page is missing or refers to one that is: the installation is damaged."""


@frozen
class Representation:
    """A body in one content coding.

    Attributes:
        body: the bytes to send.
        etag: its strong validator (RFC 9110 §8.8.3), quotes included; each coding has its own.

    """

    body: bytes
    etag: str


@frozen
class Asset:
    """A response body that is served under a fixed path.

    Attributes:
        path: the path of its URL, below the path of the page.
        content_type: its media type.
        cache_control: the Cache-Control header: how long a browser may cache it.
        representations: its bodies by content coding; `identity` is always among them.
        for_all_origins: whether pages of every origin may load it.

    """

    path: str
    content_type: str
    cache_control: str
    representations: Mapping[str, Representation]
    for_all_origins: bool = False

    def choose(self, accept_encoding: str | None) -> tuple[str, Representation]:
        """Choose the content coding and representation for an Accept-Encoding header."""
        coding = best_encoding(accept_encoding, self.representations)
        return coding, self.representations[coding]


def load_assets(
    page: Traversable | None = None, client: Traversable | None = None, build: Builder = build_uncached
) -> dict[str, Asset]:
    """Load every asset of the page, by the path of its URL.

    Arguments:
        page: the package of the page; `signald_page` by default.
        client: the package of the signaling client; `signald_client` by default.
        build: runs the slow build steps, or returns their results from a cache.

    Raises:
        AssetError: a file is missing, or refers to one that does not exist.

    """
    page = files("signald_page") if page is None else page
    client = files("signald_client") if client is None else client
    loading = _Loading(page, _bundles(page, client, build), build)
    if INDEX not in loading.names:
        raise AssetError(f"the page has no {INDEX}")
    assets = [loading.asset(name) for name in loading.names]
    return {asset.path: asset for asset in assets}


def make_asset(path: str, content_type: str, cache_control: str, body: bytes, variants: Mapping[str, bytes]) -> Asset:
    """Create an asset from a body and its compressed variants by content coding."""
    return Asset(
        path=path,
        content_type=content_type,
        cache_control=cache_control,
        representations={
            coding: Representation(variant, f'"{digest(variant)}"')
            for coding, variant in {IDENTITY: body, **variants}.items()
        },
    )


def _bundles(page: Traversable, client: Traversable, build: Builder) -> dict[str, bytes]:
    for folder in (page / "client", page / "client" / "extras", page / "stubs", client / "signaling"):
        _entries(folder)
    compiler = find_compiler()
    try:
        return {
            BUNDLE: make_bundle(page, client, compiler, build),
            CALL: make_call_bundle(page, client, compiler, build),
            EXTRAS: make_extras(page, client, compiler, build),
        }
    except subprocess.SubprocessError as error:
        raise AssetError(f"the page's Python cannot be compiled: {error}") from None


def _entries(folder: Traversable) -> list[Traversable]:
    """List a folder, which has to exist."""
    if not folder.is_dir():
        raise AssetError(f"the folder {folder.name} of the page is missing")
    return sorted(folder.iterdir(), key=lambda entry: entry.name)


def _files(folder: Traversable, prefix: str, suffixes: set[str]) -> list[str]:
    """Return the prefixed names of the files in a folder that have one of the suffixes."""
    found = (entry.name for entry in _entries(folder) if entry.is_file() and not entry.name.startswith("."))
    return sorted(prefix + name for name in found if PurePosixPath(name).suffix in suffixes)


class _Loading:
    """Resolves placeholders: the path of an asset depends on its contents, and these on the paths that they refer to.

    Attributes:
        names: the names of all assets, relative to the page's package.

    """

    def __init__(self, page: Traversable, python: Mapping[str, bytes], build: Builder) -> None:
        self._page = page
        self._build = build
        self._python = python
        self._templates = _files(page, "", _TEMPLATES)
        plain = [name for folder, suffixes in _PLAIN.items() for name in _files(page / folder[:-1], folder, suffixes)]
        self.names = (*self._templates, *_files(page / "vendor", "vendor/", _VENDORED), *plain, *python)
        self._finished: dict[str, Asset] = {}
        self._in_progress: list[str] = []

    def asset(self, name: str) -> Asset:
        """Return the asset of that name; each is loaded once."""
        if name not in self._finished:
            if name in self._in_progress:
                raise AssetError(f"{name} refers to itself, by way of {', '.join(self._in_progress)}")
            self._in_progress.append(name)
            self._finished[name] = self._finish(name)
            self._in_progress.remove(name)
        return self._finished[name]

    def _finish(self, name: str) -> Asset:
        if name in self._templates:
            body = self._fill(name)
            variants = compressed_variants(body, self._build)
        elif name in self._python:
            body = self._python[name]
            variants = compressed_variants(body, self._build)
        else:
            body = self._read(name)
            variants = self._precompressed(name) or compressed_variants(body, self._build)
        file = PurePosixPath(name)
        path = _STABLE.get(name) or f"{HASHED}{file.stem}.{digest(body)}{file.suffix}"
        return make_asset(path, _TYPES[file.suffix], REVALIDATED if name in _STABLE else FOREVER, body, variants)

    def _precompressed(self, name: str) -> dict[str, bytes]:
        """Read the compressed copies that lie beside a large file, since compressing it takes long."""
        siblings = {coding: self._page.joinpath(*f"{name}{suffix}".split("/")) for coding, suffix in _SUFFIXES.items()}
        return {coding: sibling.read_bytes() for coding, sibling in siblings.items() if sibling.is_file()}

    def _fill(self, name: str) -> bytes:
        """Read a file of the page, remove its comments and replace its placeholders."""

        def value(matched: re.Match[str]) -> str:
            if matched[2] not in self.names:
                raise AssetError(f"{name} refers to {matched[2]}, which does not exist")
            asset = self.asset(matched[2])
            if matched[1]:
                return digest(asset.representations[IDENTITY].body)
            return _relative_url(asset.path, "/" if name in _STABLE else HASHED)

        text = self._read(name).decode("utf-8")
        comments = _COMMENTS.get(PurePosixPath(name).suffix)
        if comments is not None:
            text = comments.sub("", text)
        return _PLACEHOLDER.sub(value, text).encode()

    def _read(self, name: str) -> bytes:
        return self._page.joinpath(*name.split("/")).read_bytes()


def _relative_url(path: str, folder: str) -> str:
    """Return the URL of a path, relative to a folder.

    It begins with a dot, without which it would be no URL of a module (HTML, "resolve a module specifier").
    """
    return f"./{path.removeprefix(folder)}" if path.startswith(folder) else f"..{path}"


def digest(body: bytes) -> str:
    """Return 64 bits of the body's SHA-256, in hexadecimal."""
    return hashlib.sha256(body).hexdigest()[:16]
