"""Content codings: compressing once, and choosing by Accept-Encoding (RFC 9110 §12.5.3), pure."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterable

import brotli

from signald.page.build_cache import Make, make_now

__all__ = ["IDENTITY", "best_encoding", "compressed"]

IDENTITY = "identity"

_COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    # mtime is in the header (RFC 1952 §2.3.1): a fixed one keeps the representation, and its ETag, stable.
    "gzip": lambda body: gzip.compress(body, compresslevel=9, mtime=0),
    "br": lambda body: brotli.compress(body, quality=11),
}

_PREFERENCE = ("br", "gzip", IDENTITY)
"""Smallest first."""

# A coding and its weight (RFC 9110 §12.4.2), zero to one with at most three decimals.
_WEIGHTED = re.compile(
    r"(?P<coding>[!#$%&'*+.^_`|~A-Za-z0-9-]+)(?:[ \t]*;[ \t]*[qQ]=(?P<weight>0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?"
)


def compressed(body: bytes, make: Make = make_now) -> dict[str, bytes]:
    """The body in each coding that makes it smaller, with all the effort that there can be."""
    variants = {coding: make(coding, body, compress) for coding, compress in _COMPRESSORS.items()}
    return {coding: variant for coding, variant in variants.items() if len(variant) < len(body)}


def best_encoding(accepted: str | None, available: Iterable[str]) -> str:
    """The coding to send among `available`, which are in addition to the body as it is.

    Of those that the client likes most, the smallest; the body as it is where it likes none of them, since a client
    that refuses even that is better off with something (RFC 9110 §12.5.3 leaves it to the server).
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
    # The body as it is need not be mentioned to be acceptable; then everything that is mentioned goes before it.
    weights.setdefault(IDENTITY, weights.get("*", 0.0001))
    wanted = {coding: weights.get(coding, anything) for coding in _PREFERENCE if coding in {*available, IDENTITY}}
    best = max(wanted, key=wanted.__getitem__)
    return best if wanted[best] > 0 else IDENTITY
