"""Tests of `signald.cli.banner`; they decode the QR code that it draws."""

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
"""The two modules that a character shows on a terminal with light text: 0 is light, 1 is dark."""


def qr_lines(text: str) -> list[str]:
    """Return the lines of a banner that draw the QR code."""
    return [line for line in text.splitlines() if line and set(ESCAPE.sub("", line)) <= set(HALVES)]


def modules(lines: list[str]) -> list[list[int]]:
    """Return the modules that the lines draw, row by row."""
    rows = []
    for line in lines:
        halves = [HALVES[character] for character in ESCAPE.sub("", line)]
        rows += [[upper for upper, _lower in halves], [lower for _upper, lower in halves]]
    return rows


class UrlTests(SynchronousTestCase):
    """Tests of `url`."""

    def test_hosts(self) -> None:
        """IPv6 addresses are put in brackets; other hosts are not changed."""
        four, six = addresses("192.168.1.20", "fd00::2")
        self.assertEqual(url("https", four, 9000), "https://192.168.1.20:9000/")
        self.assertEqual(url("https", six, 9000, "/ca.crt"), "https://[fd00::2]:9000/ca.crt")
        self.assertEqual(url("http", "attic.local", 9000), "http://attic.local:9000/")

    def test_default_port(self) -> None:
        """A URL leaves out the default port of its scheme, but not that of another scheme."""
        self.assertEqual(url("https", "attic.local", 443), "https://attic.local/")
        self.assertEqual(url("http", "attic.local", 80), "http://attic.local/")
        self.assertEqual(url("http", "attic.local", 443), "http://attic.local:443/")


class BannerTests(SynchronousTestCase):
    """Tests of the complete text of the banner."""

    def setUp(self) -> None:
        """Create the names of a machine with several addresses."""
        self.names = Names(
            "attic", addresses("127.0.0.1", "::1", "fd00::2", "10.0.0.2", "192.168.1.20"), addresses("192.168.1.20")[0]
        )

    def banner(self, names: Names, *, local_ca: bool = True, colour: bool = False) -> str:
        """Return the banner for port 9000."""
        return banner("https", 9000, names, local_ca=local_ca, colour=colour)

    def test_addresses(self) -> None:
        """The banner lists every address that other machines can reach, the best first, and then the .local name."""
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
        """The banner has the URL of the authority's certificate only if the local authority is used."""
        trust = "open https://192.168.1.20:9000/ca.crt there once"
        self.assertIn(trust, self.banner(self.names))
        self.assertNotIn("ca.crt", self.banner(self.names, local_ca=False))

    def test_path(self) -> None:
        """Where the page has a path, every URL has it."""
        for names in (self.names, machine("attic", [])):
            text = banner("https", 9000, names, path="/calls/", local_ca=True, colour=False)
            urls = re.findall(r"https://[^/]+(/\S*)", text)
            self.assertEqual({url.removesuffix("ca.crt") for url in urls}, {"/calls/"})

    def test_no_host(self) -> None:
        """The banner of a machine without a host name has no .local name."""
        self.assertNotIn(".local", self.banner(machine(None)))

    def test_machine_without_a_network(self) -> None:
        """The banner of a machine that others cannot reach has only the URL for localhost, and no QR code."""
        self.assertEqual(
            self.banner(machine("attic", [])),
            "Open https://localhost:9000/ on this machine. It has no address that others could use.\n",
        )

    def test_code(self) -> None:
        """The QR code has the URL of the best address and a margin of four light modules, with and without colour."""
        code = [[int(module) for module in row] for row in segno.make_qr("https://192.168.1.20:9000/").matrix]
        blank = [0] * (len(code) + 8)
        framed = [blank] * 4 + [[0] * 4 + row + [0] * 4 for row in code] + [blank] * 4
        for colour in (False, True):
            drawn = modules(qr_lines(self.banner(self.names, colour=colour)))
            # A line draws two rows; with an odd number of rows, the lower half of the last line is empty.
            self.assertEqual(drawn[: len(framed)], framed)
            self.assertEqual(drawn[len(framed) :], [[1] * len(blank)])

    def test_short_url(self) -> None:
        """Even the shortest URL becomes a QR code of at least 21 modules, since phones cannot read Micro QR codes."""
        text = banner("http", 80, machine("attic", ["8.8.8.8"]), local_ca=False, colour=False)
        self.assertEqual(len(qr_lines(text)[0]), 4 + 21 + 4)

    def test_colour(self) -> None:
        """With colour, exactly the lines of the QR code are white on black, regardless of the terminal's theme."""
        text = self.banner(self.names, colour=True)
        lines = qr_lines(text)
        self.assertEqual(len(lines), 17)
        for line in text.splitlines():
            if line in lines:
                self.assertTrue(line.startswith(WHITE_ON_BLACK) and line.endswith("\x1b[0m"))
            else:
                self.assertNotIn("\x1b", line)

    def test_plain(self) -> None:
        """Without colour, the banner has the same text without escape codes."""
        plain = self.banner(self.names)
        self.assertNotIn("\x1b", plain)
        self.assertEqual(ESCAPE.sub("", self.banner(self.names, colour=True)), plain)
