"""Serves the JavaScript client, one ES module that pages of any origin may import."""

from __future__ import annotations

from importlib.resources import files

from attrs import evolve

from signald.page.assets import REVALIDATED, Asset, make_asset
from signald.page.build_cache import Builder, build_uncached
from signald.page.encodings import compressed_variants

__all__ = ["load_javascript_client"]

PATH = "/client.mjs"


def load_javascript_client(build: Builder = build_uncached) -> dict[str, Asset]:
    """Return the module as an asset, by URL path; `build` is as in `load_assets`.

    It comes with the page's media type and cache rules. Its path is fixed, since applications write it into their code.
    """
    body = (files("signald_client") / "js" / "client.mjs").read_bytes()
    asset = make_asset(PATH, "text/javascript; charset=utf-8", REVALIDATED, body, compressed_variants(body, build))
    return {PATH: evolve(asset, for_all_origins=True)}
