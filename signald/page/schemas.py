"""Serves the JSON Schema and the AsyncAPI document of the native protocol, and the schemas of what members exchange."""

from __future__ import annotations

import json
from importlib.resources import files

from signald.page.assets import REVALIDATED, Asset, make_asset
from signald.page.build_cache import Builder, build_uncached
from signald.page.encodings import compressed_variants

__all__ = ["load_schemas"]

PREFIX = "/schema/"
"""The path of the index, below that of the page, and the prefix of the documents' paths."""

_TYPES = {
    "signald.1.schema.json": "application/schema+json",
    "signald.1.asyncapi.json": "application/vnd.aai.asyncapi+json",
    "signald.channel.1.schema.json": "application/schema+json",
    "signald.control.1.schema.json": "application/schema+json",
    "signald.pointing.1.schema.json": "application/schema+json",
}


def load_schemas(build: Builder = build_uncached) -> dict[str, Asset]:
    """Return the documents and their index as assets, by URL path; `build` is as in `load_assets`.

    The index has relative URLs, since a proxy may serve it below any path.
    """
    folder = files("signald") / "schema"
    index = json.dumps({"documents": [f"./{name}" for name in _TYPES]}).encode()
    found = [(PREFIX, "application/json", index)]
    found += [(PREFIX + name, type_, (folder / name).read_bytes()) for name, type_ in _TYPES.items()]
    return {
        path: make_asset(path, type_, REVALIDATED, body, compressed_variants(body, build))
        for path, type_, body in found
    }
