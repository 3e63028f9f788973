"""Tests of the terminal's text, its QR code read back."""

from __future__ import annotations

import re

import segno
from twisted.trial.unittest import SynchronousTestCase

from signald.cli.banner import banner, url
from signald.net.addresses import Names
from tests.support.machines import addresses, machine

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")

WHITE_ON_BLACK = "\x1b[38;5;231;48;5;16m"

HALVES = {"█": (0, 0), "▀": (0, 1), "▄": (1, 0), " ": (1, 1)}
"""The two modules of a character where text is light: 0 is light, 1 is dark."""


def qr_lines(text: str) -> list[str]:
    """The lines of a banner that draw the code."""
    return [line for line in text.splitlines() if line and set(ESCAPE.sub("", line)) <= set(HALVES)]


def modules(lines: list[str]) -> list[list[int]]:
    """The modules that are drawn, row by row."""
    rows = []
    for line in lines:
        halves = [HALVES[character] for character in ESCAPE.sub("", line)]
        rows += [[upper for upper, _lower in halves], [lower for _upper, lower in halves]]
    return rows


class UrlTests(SynchronousTestCase):
    """URLs."""

    def test_hosts(self) -> None:
        """IPv6 addresses come in brackets, others as they are."""
        four, six = addresses("192.168.1.20", "fd00::2")
        self.assertEqual(url("https", four, 9000), "https://192.168.1.20:9000/")
        self.assertEqual(url("https", six, 9000, "/ca.crt"), "https://[fd00::2]:9000/ca.crt")
        self.assertEqual(url("http", "attic.local", 9000), "http://attic.local:9000/")

    def test_default_port(self) -> None:
        """The scheme's own port is left out, another's is not."""
        self.assertEqual(url("https", "attic.local", 443), "https://attic.local/")
        self.assertEqual(url("http", "attic.local", 80), "http://attic.local/")
        self.assertEqual(url("http", "attic.local", 443), "http://attic.local:443/")


class BannerTests(SynchronousTestCase):
    """The whole text."""

    def setUp(self) -> None:
        """Make a machine with several addresses."""
        self.names = Names(
            "attic", addresses("127.0.0.1", "::1", "fd00::2", "10.0.0.2", "192.168.1.20"), addresses("192.168.1.20")[0]
        )

    def banner(self, names: Names, *, local_ca: bool = True, colour: bool = False) -> str:
        """The text for the usual port."""
        return banner("https", 9000, names, local_ca=local_ca, colour=colour)

    def test_addresses(self) -> None:
        """Every address that others can use is there, the best first, then the .local name."""
        self.assertEqual(
            [line.strip() for line in self.banner(self.names).splitlines() if line.startswith("    https:")],
            [
                "https://192.168.1.20:9000/",
                "https://10.0.0.2:9000/",
                "https://[fd00::2]:9000/",
                "https://attic.local:9000/",
            ],
        )

    def test_trust(self) -> None:
        """Where to get the authority's certificate is said if there is a local one, and only then."""
        trust = "open https://192.168.1.20:9000/ca.crt there once"
        self.assertIn(trust, self.banner(self.names))
        self.assertNotIn("ca.crt", self.banner(self.names, local_ca=False))

    def test_no_host(self) -> None:
        """A machine without a host name shows its addresses alone."""
        self.assertNotIn(".local", self.banner(machine(None)))

    def test_alone(self) -> None:
        """A machine that others cannot reach shows how to reach it from itself, without a code."""
        self.assertEqual(
            self.banner(machine("attic", [])),
            "Open https://localhost:9000/ on this machine. It has no address that others could use.\n",
        )

    def test_code(self) -> None:
        """The code drawn is that of the best address, with four light modules around, in colour or not."""
        code = [[int(module) for module in row] for row in segno.make_qr("https://192.168.1.20:9000/").matrix]
        blank = [0] * (len(code) + 8)
        framed = [blank] * 4 + [[0] * 4 + row + [0] * 4 for row in code] + [blank] * 4
        for colour in (False, True):
            drawn = modules(qr_lines(self.banner(self.names, colour=colour)))
            # An odd number of rows leaves half a line of nothing below.
            self.assertEqual(drawn[: len(framed)], framed)
            self.assertEqual(drawn[len(framed) :], [[1] * len(blank)])

    def test_short_url(self) -> None:
        """Even the shortest URL becomes a QR code of the full kind, at least 21 modules wide, which phones read."""
        text = banner("http", 80, machine("attic", ["8.8.8.8"]), local_ca=False, colour=False)
        self.assertEqual(len(qr_lines(text)[0]), 4 + 21 + 4)

    def test_colour(self) -> None:
        """On a terminal the code's lines, and no other, are white on black whatever its theme."""
        text = self.banner(self.names, colour=True)
        lines = qr_lines(text)
        self.assertEqual(len(lines), 17)
        for line in text.splitlines():
            if line in lines:
                self.assertTrue(line.startswith(WHITE_ON_BLACK) and line.endswith("\x1b[0m"))
            else:
                self.assertNotIn("\x1b", line)

    def test_plain(self) -> None:
        """Elsewhere there are no escape codes, and the text is the same."""
        plain = self.banner(self.names)
        self.assertNotIn("\x1b", plain)
        self.assertEqual(ESCAPE.sub("", self.banner(self.names, colour=True)), plain)
