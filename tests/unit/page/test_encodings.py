"""Tests of content codings."""

from __future__ import annotations

import gzip

import brotli
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald.page.encodings import best_encoding, compressed_variants

ALL = ("br", "gzip", "identity")


class EncodingTests(SynchronousTestCase):
    """`compressed_variants` and `best_encoding`."""

    def test_compressed(self) -> None:
        """Both codings decode to the body, and compressing again gives the same bytes."""
        body = b"signal" * 1000
        variants = compressed_variants(body)
        self.assertEqual(gzip.decompress(variants["gzip"]), body)
        self.assertEqual(brotli.decompress(variants["br"]), body)
        self.assertEqual(compressed_variants(body), variants)

    def test_no_gain(self) -> None:
        """A coding that does not make the body smaller is left out."""
        self.assertEqual(compressed_variants(b""), {})
        self.assertEqual(compressed_variants(b"x"), {})

    def test_choice(self) -> None:
        """The highest weight wins, then the smallest body; weights have the form of RFC 9110 §12.4.2."""
        for accepted, chosen in {
            None: "identity",
            "": "identity",
            "gzip, deflate, br, zstd": "br",
            "gzip, deflate": "gzip",
            "GZIP": "gzip",
            "x-gzip": "gzip",
            "deflate": "identity",
            "br;q=0.5, gzip;q=1.0": "gzip",
            "br;q=0.5, gzip;q=0.5": "br",
            "br ; Q=0.001 , gzip;q=0": "br",
            "br;q=0, gzip;q=0": "identity",
            "identity, br;q=0.5": "identity",
            "identity;q=0.5, br;q=0.4": "identity",
            "*": "br",
            "br;q=0, *": "gzip",
            "*;q=0": "identity",
            "identity;q=0": "identity",
            "identity;q=0, gzip": "gzip",
            "gzip;q=2, br;q=x": "identity",
            "gzip;q=0.1234": "identity",
        }.items():
            self.assertEqual(best_encoding(accepted, ALL), chosen, accepted)

    def test_unavailable_codings(self) -> None:
        """A coding that is not available is not chosen."""
        self.assertEqual(best_encoding("br, gzip", ["gzip"]), "gzip")
        self.assertEqual(best_encoding("br, gzip", []), "identity")
        self.assertEqual(best_encoding("*", []), "identity")

    @given(st.text(alphabet="brgzip*;q=0.1, \t\xff"))
    def test_any_header(self, accepted: str) -> None:
        """Every Accept-Encoding header leads to one of the available codings."""
        self.assertIn(best_encoding(accepted, ALL), ALL)
