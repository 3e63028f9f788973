"""The machine-readable descriptions of the native protocol, as they are served."""

from __future__ import annotations

import json
from importlib.resources import files

from signald.page.assets import REVALIDATED, Asset, make_asset
from signald.page.build_cache import Make, make_now
from signald.page.encodings import compressed

__all__ = ["load_schemas"]

PREFIX = "/schema/"
"""Their folder; the path itself is an index."""

_TYPES = {
    "signald.1.schema.json": "application/schema+json",
    "signald.1.asyncapi.json": "application/vnd.aai.asyncapi+json",
}


def load_schemas(make: Make = make_now) -> dict[str, Asset]:
    """The documents and their index, by the paths of their URLs; `make` as in `load_assets`."""
    folder = files("signald") / "schema"
    index = json.dumps({"documents": [PREFIX + name for name in _TYPES]}).encode()
    found = [(PREFIX, "application/json", index)]
    found += [(PREFIX + name, type_, (folder / name).read_bytes()) for name, type_ in _TYPES.items()]
    return {path: make_asset(path, type_, REVALIDATED, body, compressed(body, make)) for path, type_, body in found}
