"""Content codings."""

from __future__ import annotations

import gzip

import brotli
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald.page.encodings import best_encoding, compressed

ALL = ("br", "gzip", "identity")


class EncodingTests(SynchronousTestCase):
    """Compressing and choosing."""

    def test_compressed(self) -> None:
        """Both codings give the body back, the same bytes each time."""
        body = b"signal" * 1000
        variants = compressed(body)
        self.assertEqual(gzip.decompress(variants["gzip"]), body)
        self.assertEqual(brotli.decompress(variants["br"]), body)
        self.assertEqual(compressed(body), variants)

    def test_no_gain(self) -> None:
        """A coding that makes the body no smaller is left out."""
        self.assertEqual(compressed(b""), {})
        self.assertEqual(compressed(b"x"), {})

    def test_choice(self) -> None:
        """The most wanted, then the smallest; weights as RFC 9110 §12.4.2 writes them."""
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

    def test_only_what_there_is(self) -> None:
        """A coding that the body does not have is not chosen."""
        self.assertEqual(best_encoding("br, gzip", ["gzip"]), "gzip")
        self.assertEqual(best_encoding("br, gzip", []), "identity")
        self.assertEqual(best_encoding("*", []), "identity")

    @given(st.text(alphabet="brgzip*;q=0.1, \t\xff"))
    def test_any_header(self, accepted: str) -> None:
        """Whatever the client says, there is an answer."""
        self.assertIn(best_encoding(accepted, ALL), ALL)
