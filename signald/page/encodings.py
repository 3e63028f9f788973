"""Content codings: compresses a body in advance, and chooses one by Accept-Encoding (RFC 9110 §12.5.3)."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterable

import brotli

from signald.page.build_cache import Builder, build_uncached

__all__ = ["IDENTITY", "best_encoding", "compressed_variants"]

IDENTITY = "identity"

_COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    # The gzip header holds mtime (RFC 1952 §2.3.1): a fixed one keeps the representation, and its ETag, stable.
    "gzip": lambda body: gzip.compress(body, compresslevel=9, mtime=0),
    "br": lambda body: brotli.compress(body, quality=11),
}

_PREFERENCE = ("br", "gzip", IDENTITY)
"""The codings that we offer, the one with the smallest bodies first."""

_WEIGHTED = re.compile(
    r"(?P<coding>[!#$%&'*+.^_`|~A-Za-z0-9-]+)(?:[ \t]*;[ \t]*[qQ]=(?P<weight>0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?"
)
"""A coding and its weight (RFC 9110 §12.4.2), zero to one with at most three decimals."""


def compressed_variants(body: bytes, build: Builder = build_uncached) -> dict[str, bytes]:
    """Compress the body at the highest level in each coding; the result has those that make it smaller."""
    variants = {coding: build(coding, body, compress) for coding, compress in _COMPRESSORS.items()}
    return {coding: variant for coding, variant in variants.items() if len(variant) < len(body)}


def best_encoding(accepted: str | None, available: Iterable[str]) -> str:
    """Choose the content coding of a response among `available` and identity.

    Among the codings with the highest weight, the one with the smallest body wins. Where the client accepts none,
    identity is sent rather than 406, which RFC 9110 §12.5.3 leaves to the server.
    """
    if accepted is None:
        return IDENTITY
    weights: dict[str, float] = {}
    for part in accepted.split(","):
        matched = _WEIGHTED.fullmatch(part.strip(" \t"))
        if matched is not None:
            coding = matched["coding"].lower()
            weights.setdefault("gzip" if coding == "x-gzip" else coding, float(matched["weight"] or 1))
    anything = weights.get("*", 0.0)
    # Identity is acceptable without being mentioned; then every coding that is mentioned is preferred to it.
    weights.setdefault(IDENTITY, weights.get("*", 0.0001))
    wanted = {coding: weights.get(coding, anything) for coding in _PREFERENCE if coding in {*available, IDENTITY}}
    best = max(wanted, key=wanted.__getitem__)
    return best if wanted[best] > 0 else IDENTITY
