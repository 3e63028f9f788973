"""What the page consists of: an allow-list of bodies, made once at start from the installed packages."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath

from attrs import frozen

from signald.page.build_cache import Make, make_now
from signald.page.bundle import find_compiler, make_bundle, make_extras
from signald.page.encodings import IDENTITY, best_encoding, compressed

__all__ = ["REVALIDATED", "Asset", "AssetError", "Representation", "load_assets", "make_asset"]

BUNDLE = "bundle.bin"
EXTRAS = "extras.bin"
"""The names of the page's Python (`bundle`): what every call needs, and what is fetched on demand."""

INDEX = "index.html"

FOREVER = "public, max-age=31536000, immutable"
"""For what is served under a name that changes with its contents (RFC 8246)."""

REVALIDATED = "no-cache"
"""For what is served under a name that stays (RFC 9111 §5.2.2.4)."""

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
"""What of the page's own files is served; the names of other assets in double braces become their paths."""

_STABLE = {INDEX: "/", "service-worker.js": "/service-worker.js", "manifest.webmanifest": "/manifest.webmanifest"}
"""The paths of what the browser looks for anew under the same name; others are hashed."""

_PLAIN = {"icons/": {".png"}, "languages/": {".json"}}
"""What of further folders is served, without placeholders."""

_VENDORED = {".mjs", ".wasm"}
"""What of `vendor/` is served: as it is, without placeholders."""

_SUFFIXES = {"br": ".br", "gzip": ".gz"}

_PLACEHOLDER = re.compile(r"\{\{(#?)([A-Za-z0-9_./-]+)\}\}")
"""The path of an asset; with `#`, what tells its contents from others."""


class AssetError(Exception):
    """The page's files do not fit together: a fault of the installation."""


@frozen
class Representation:
    """A body in one content coding.

    Attributes:
        body: the bytes to send.
        etag: its strong validator (RFC 9110 §8.8.3), quotes included; another coding has another.

    """

    body: bytes
    etag: str


@frozen
class Asset:
    """One thing that is served.

    Attributes:
        path: of the URL.
        content_type: its media type.
        cache_control: how long it may be kept.
        representations: by content coding; `identity` always among them.

    """

    path: str
    content_type: str
    cache_control: str
    representations: Mapping[str, Representation]

    def choose(self, accept_encoding: str | None) -> tuple[str, Representation]:
        """The content coding and representation for a request with that Accept-Encoding header."""
        coding = best_encoding(accept_encoding, self.representations)
        return coding, self.representations[coding]


def load_assets(
    page: Traversable | None = None, client: Traversable | None = None, make: Make = make_now
) -> dict[str, Asset]:
    """Make the allow-list: every asset by the path of its URL.

    Arguments:
        page: the package of the page; `signald_page` by default.
        client: the package of the signaling client; `signald_client` by default.
        make: gives what takes long to make.

    Raises:
        AssetError: a file is missing, or refers to one that does not exist.

    """
    page = files("signald_page") if page is None else page
    client = files("signald_client") if client is None else client
    loading = _Loading(page, _bundles(page, client, make), make)
    if INDEX not in loading.names:
        raise AssetError(f"the page has no {INDEX}")
    assets = [loading.asset(name) for name in loading.names]
    return {asset.path: asset for asset in assets}


def make_asset(path: str, content_type: str, cache_control: str, body: bytes, variants: Mapping[str, bytes]) -> Asset:
    """Make an asset of a body and its compressed variants, by content coding."""
    return Asset(
        path=path,
        content_type=content_type,
        cache_control=cache_control,
        representations={
            coding: Representation(variant, f'"{_digest(variant)}"')
            for coding, variant in {IDENTITY: body, **variants}.items()
        },
    )


def _bundles(page: Traversable, client: Traversable, make: Make) -> dict[str, bytes]:
    for folder in (page / "client", page / "client" / "extras", page / "stubs", client / "signaling"):
        _entries(folder)
    compiler = find_compiler()
    try:
        return {BUNDLE: make_bundle(page, client, compiler, make), EXTRAS: make_extras(page, compiler, make)}
    except subprocess.SubprocessError as error:
        raise AssetError(f"the page's Python cannot be compiled: {error}") from None


def _entries(folder: Traversable) -> list[Traversable]:
    """What is in a folder, which has to be there."""
    if not folder.is_dir():
        raise AssetError(f"the folder {folder.name} of the page is missing")
    return sorted(folder.iterdir(), key=lambda entry: entry.name)


def _files(folder: Traversable, prefix: str, suffixes: set[str]) -> list[str]:
    """The names, with the prefix, of the files in a folder that have one of the suffixes."""
    found = (entry.name for entry in _entries(folder) if entry.is_file() and not entry.name.startswith("."))
    return sorted(prefix + name for name in found if PurePosixPath(name).suffix in suffixes)


class _Loading:
    """The work of `load_assets`: an asset's path depends on its contents, and these on the paths they refer to.

    Attributes:
        names: of everything that is served.

    """

    def __init__(self, page: Traversable, python: Mapping[str, bytes], make: Make) -> None:
        self._page = page
        self._make = make
        self._python = python
        self._templates = _files(page, "", _TEMPLATES)
        plain = [name for folder, suffixes in _PLAIN.items() for name in _files(page / folder[:-1], folder, suffixes)]
        self.names = (*self._templates, *_files(page / "vendor", "vendor/", _VENDORED), *plain, *python)
        self._finished: dict[str, Asset] = {}
        self._begun: list[str] = []

    def asset(self, name: str) -> Asset:
        """The asset of that name, finished once."""
        if name not in self._finished:
            if name in self._begun:
                raise AssetError(f"{name} refers to itself, by way of {', '.join(self._begun)}")
            self._begun.append(name)
            self._finished[name] = self._finish(name)
            self._begun.remove(name)
        return self._finished[name]

    def _finish(self, name: str) -> Asset:
        if name in self._templates:
            body = self._filled(name)
            variants = compressed(body, self._make)
        elif name in self._python:
            body = self._python[name]
            variants = compressed(body, self._make)
        else:
            body = self._read(name)
            variants = self._precompressed(name) or compressed(body, self._make)
        file = PurePosixPath(name)
        path = _STABLE.get(name) or f"/assets/{file.stem}.{_digest(body)}{file.suffix}"
        return make_asset(path, _TYPES[file.suffix], REVALIDATED if name in _STABLE else FOREVER, body, variants)

    def _precompressed(self, name: str) -> dict[str, bytes]:
        """The compressed siblings of a large file, which would take too long at every start."""
        siblings = {coding: self._page.joinpath(*f"{name}{suffix}".split("/")) for coding, suffix in _SUFFIXES.items()}
        return {coding: sibling.read_bytes() for coding, sibling in siblings.items() if sibling.is_file()}

    def _filled(self, name: str) -> bytes:
        """A file of the page with each placeholder replaced by what it asks of the asset it names."""

        def value(matched: re.Match[str]) -> str:
            if matched[2] not in self.names:
                raise AssetError(f"{name} refers to {matched[2]}, which is not there")
            asset = self.asset(matched[2])
            return _digest(asset.representations[IDENTITY].body) if matched[1] else asset.path

        return _PLACEHOLDER.sub(value, self._read(name).decode("utf-8")).encode()

    def _read(self, name: str) -> bytes:
        return self._page.joinpath(*name.split("/")).read_bytes()


def _digest(body: bytes) -> str:
    """What tells one body from another: 64 bits of its SHA-256."""
    return hashlib.sha256(body).hexdigest()[:16]
