"""Serves the modules of the JavaScript client, which pages of any origin may import."""

from __future__ import annotations

from importlib.resources import files

from attrs import evolve

from signald.page.assets import REVALIDATED, Asset, make_asset
from signald.page.build_cache import Builder, build_uncached
from signald.page.encodings import compressed_variants

__all__ = ["load_javascript_client"]

NAMES = ("client.mjs", "embed.mjs")
"""The module of a client, and that which puts the call page into another page."""


def load_javascript_client(build: Builder = build_uncached) -> dict[str, Asset]:
    """Return the modules as assets, by URL path; `build` is as in `load_assets`.

    They come with the page's media type and cache rules. Their paths are fixed, since applications write them into
    their code.
    """
    return {f"/{name}": _load(name, build) for name in NAMES}


def _load(name: str, build: Builder) -> Asset:
    body = (files("signald_client") / "js" / name).read_bytes()
    variants = compressed_variants(body, build)
    asset = make_asset(f"/{name}", "text/javascript; charset=utf-8", REVALIDATED, body, variants)
    return evolve(asset, for_all_origins=True)
