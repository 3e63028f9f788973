"""Puts into the page what its operator chose: the origins that may frame it, its title, its accent and its logo."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from html import escape

from attrs import frozen

from signald.config.appearance import Accent, Logo
from signald.page.assets import FOREVER, HASHED, REVALIDATED, Asset, AssetError, digest, make_asset
from signald.page.build_cache import Builder, build_uncached
from signald.page.encodings import IDENTITY, compressed_variants

__all__ = ["Branding", "brand_page"]

PAGE = "/"
MANIFEST = "/manifest.webmanifest"
WORKER = "/service-worker.js"

NAME = "signald"
"""The name in the page and its manifest, whose place the title takes."""

_TYPES = {".svg": "image/svg+xml", ".png": "image/png"}

_TITLE = re.compile(rf"(?<=<title>){NAME}(?=[:<])|(?<=<span>){NAME}(?=</span>)")
"""The name in the document's title and in its header."""

_LOGO = re.compile(r'<svg class="logo".*?</svg>', re.DOTALL)

_END = "</head>"

_STYLE = """\
:root {{
  --accent: var(--light, {0.light}) var(--dark, {0.dark});
  --accent-strong: var(--light, {0.light_strong}) var(--dark, {0.dark_strong});
  --on-accent: var(--light, #fff) var(--dark, #000);
}}
"""
"""The style sheet of an accent: the variables of `web/style.css`, with its switch between the themes."""


@frozen
class Branding:
    """What the operator chose of the page.

    Attributes:
        embed_origins: the serialized origins whose pages may show the page in a frame.
        title: the name in the place of `signald`; None keeps it.
        accent: the accent colour as `#rrggbb`; None keeps that of the page.
        logo: the picture beside the name; None keeps that of the page.

    """

    embed_origins: tuple[str, ...] = ()
    title: str | None = None
    accent: str | None = None
    logo: Logo | None = None


def brand_page(assets: Mapping[str, Asset], branding: Branding, build: Builder = build_uncached) -> dict[str, Asset]:
    """Return the assets of the page as the operator wants them; without a wish, they are the same.

    Arguments:
        assets: the assets of the page, by path.
        branding: the wishes.
        build: compresses the changed files, or returns them from a cache.

    Raises:
        AssetError: the page has not the place for a wish.

    """
    if branding == Branding():
        return dict(assets)
    page = assets[PAGE].representations[IDENTITY].body.decode()
    branded, added = dict(assets), []
    head = []
    if branding.embed_origins:
        head.append(f'<meta name="embed-origins" content="{escape(" ".join(branding.embed_origins))}">')
    if branding.title is not None:
        page = _replace(_TITLE, escape(branding.title), page, 2)
        head.append(f'<meta name="application-name" content="{escape(branding.title)}">')
        manifest = json.loads(assets[MANIFEST].representations[IDENTITY].body)
        manifest |= {"name": branding.title, "short_name": branding.title}
        branded[MANIFEST] = _change(assets[MANIFEST], json.dumps(manifest, indent=2).encode(), build)
    if branding.accent is not None:
        style = _STYLE.format(Accent.of(branding.accent)).encode()
        added.append(_add("accent.css", "text/css; charset=utf-8", style, build))
        head.append(f'<link rel="stylesheet" href=".{added[-1].path}">')
    if branding.logo is not None:
        added.append(_add(f"logo{branding.logo.suffix}", _TYPES[branding.logo.suffix], branding.logo.content, build))
        page = _replace(_LOGO, f'<img class="logo" src=".{added[-1].path}" alt="">', page, 1)
    page = _replace(re.compile(_END), "\n".join([*head, _END]), page, 1)
    branded[PAGE] = _change(assets[PAGE], page.encode(), build)
    # The worker names its cache by the digest of the document, and otherwise would keep an earlier one.
    old, new = (digest(each[PAGE].representations[IDENTITY].body).encode() for each in (assets, branded))
    worker = assets[WORKER].representations[IDENTITY].body.replace(old, new)
    branded[WORKER] = _change(assets[WORKER], worker, build)
    return branded | {asset.path: asset for asset in added}


def _replace(pattern: re.Pattern[str], text: str, page: str, times: int) -> str:
    """Replace what has to be in the page so many times."""
    page, found = pattern.subn(lambda _: text, page)
    if found != times:
        raise AssetError(f"the page has {found} places for what its operator chose, and not {times}")
    return page


def _change(asset: Asset, body: bytes, build: Builder) -> Asset:
    return make_asset(asset.path, asset.content_type, REVALIDATED, body, compressed_variants(body, build))


def _add(name: str, content_type: str, body: bytes, build: Builder) -> Asset:
    stem, _, suffix = name.rpartition(".")
    path = f"{HASHED}{stem}.{digest(body)}.{suffix}"
    return make_asset(path, content_type, FOREVER, body, compressed_variants(body, build))
