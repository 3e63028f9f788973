"""Tests of `signald.config.appearance`."""

from __future__ import annotations

import os
import re
from importlib.resources import files
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from signald.config.appearance import (
    DARK_GROUND,
    LEAST_CONTRAST,
    LIGHT_GROUND,
    MOST_LOGO_BYTES,
    Accent,
    Logo,
    contrast,
    read_accent,
    read_logo,
    read_title,
)
from signald.config.values import ConfigError


class ColourTests(SynchronousTestCase):
    """Accents and their contrasts."""

    def test_contrast(self) -> None:
        """The ratio is that of WCAG's own examples, in either order."""
        self.assertAlmostEqual(contrast("#000000", "#ffffff"), 21.0)
        self.assertAlmostEqual(contrast("#ffffff", "#ffffff"), 1.0)
        self.assertAlmostEqual(contrast("#777777", "#ffffff"), 4.48, 2)
        self.assertAlmostEqual(contrast("#ffffff", "#767676"), 4.54, 2)

    @given(st.binary(min_size=3, max_size=3))
    def test_every_accent_can_be_read(self, colour: bytes) -> None:
        """Whatever the colour is, what the page shows can be read on its ground, and the text on it too."""
        accent = Accent.of(f"#{colour.hex()}")
        for shown in (accent.light, accent.light_strong):
            self.assertGreaterEqual(contrast(shown, LIGHT_GROUND), LEAST_CONTRAST)
            self.assertGreaterEqual(contrast(shown, "#ffffff"), LEAST_CONTRAST)
        for shown in (accent.dark, accent.dark_strong):
            self.assertGreaterEqual(contrast(shown, DARK_GROUND), LEAST_CONTRAST)
            self.assertGreaterEqual(contrast(shown, "#000000"), LEAST_CONTRAST)

    def test_a_readable_accent_is_kept(self) -> None:
        """A colour that can be read is not changed."""
        self.assertEqual(Accent.of("#0b6a58").light, "#0b6a58")
        self.assertEqual(Accent.of("#57c7ac").dark, "#57c7ac")

    def test_grounds(self) -> None:
        """The grounds are those of the style sheet: of both themes the ones on which the accent has less contrast."""
        style = (files("signald_page") / "style.css").read_text("utf-8")
        grounds = re.findall(r"--(?:ground|surface): var\(--light, (#\w+)\) var\(--dark, (#\w+)\)", style)
        light, dark = zip(*grounds, strict=True)
        self.assertEqual(min(light, key=lambda one: contrast(_long(one), "#000000")), LIGHT_GROUND)
        self.assertEqual(min(dark, key=lambda one: contrast(_long(one), "#ffffff")), DARK_GROUND)

    def test_reading(self) -> None:
        """A colour has six hexadecimal digits."""
        self.assertEqual(read_accent("#ABCDEF"), "#abcdef")
        for text in ("", "green", "#abc", "abcdef", "#abcdef0", "#abcdeg", "#abcdef; color: red"):
            self.assertIn("#0b6a58", str(self.assertRaises(ConfigError, read_accent, text)))


class TitleTests(SynchronousTestCase):
    """Titles."""

    def test_reading(self) -> None:
        """A title is one line that can be printed, of a bounded length."""
        self.assertEqual(read_title("  Calls \n of  Example "), "Calls of Example")
        for text in ("", "   ", "x" * 41, "a\u202eb", "a\x00b"):
            self.assertIn("1 to 40 characters", str(self.assertRaises(ConfigError, read_title, text)))


class LogoTests(SynchronousTestCase):
    """Logos."""

    def setUp(self) -> None:
        """Name a file."""
        self.file = Path(self.mktemp()).resolve()

    def test_types(self) -> None:
        """SVG and PNG are told by their contents, whatever the name."""
        for content, suffix in (
            (b"\x89PNG\r\n\x1a\n...", ".png"),
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>", ".svg"),
            (b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- ours -->\n<!DOCTYPE svg PUBLIC "a" "b">\n<svg>', ".svg"),
        ):
            self.file.write_bytes(content)
            self.assertEqual(read_logo(self.file), Logo(content, suffix))

    def test_refused(self) -> None:
        """Other files, large ones, and what cannot be read are refused with a sentence."""
        for content in (b"", b"GIF89a", b"<html><svg>", b"<!DOCTYPE svg [<!ENTITY a 'b'>]><svg>", b"<svgx>"):
            self.file.write_bytes(content)
            self.assertIn("SVG or PNG", str(self.assertRaises(ConfigError, read_logo, self.file)))
        self.file.write_bytes(b"<svg>" + bytes(MOST_LOGO_BYTES))
        self.assertIn("at most 65536 bytes", str(self.assertRaises(ConfigError, read_logo, self.file)))
        self.file.unlink()
        self.assertIn("No such file", str(self.assertRaises(ConfigError, read_logo, self.file)))
        os.mkfifo(self.file)
        self.assertIn("a FIFO", str(self.assertRaises(ConfigError, read_logo, self.file)))


def _long(colour: str) -> str:
    """Return a colour in six digits."""
    return colour if len(colour) == 7 else "#" + "".join(digit * 2 for digit in colour[1:])
