"""Reads what an operator chooses of the page's look: its title, its accent colour with the contrasts, and its logo."""

from __future__ import annotations

import re
from pathlib import Path

from attrs import frozen

from signald.config.values import ConfigError
from signald.net.regular_files import read_regular

__all__ = [
    "DARK_GROUND",
    "LEAST_CONTRAST",
    "LIGHT_GROUND",
    "MOST_LOGO_BYTES",
    "Accent",
    "Logo",
    "contrast",
    "read_accent",
    "read_logo",
    "read_title",
]

MOST_TITLE = 40
"""The most characters of a title, which stands beside the logo on a phone too."""

MOST_LOGO_BYTES = 65536
"""The largest logo in bytes: each visitor loads it before anything else."""

LEAST_CONTRAST = 4.5
"""The least contrast of text with its ground (WCAG 2.2, success criterion 1.4.3)."""

LIGHT_GROUND = "#f5f4f0"
DARK_GROUND = "#1e2425"
"""The grounds of the page on which its accent has the least contrast: `--ground` in its light theme, `--surface` in its
dark one (`web/style.css`)."""

_STEPS = 20
"""The steps in which a colour is mixed with black or white."""

_STRONGER = 4
"""The further steps for what is under the pointer."""

_COLOUR = re.compile(r"#[0-9a-f]{6}")

_PNG = b"\x89PNG\r\n\x1a\n"
"""The signature of PNG (PNG §5.2)."""

_SVG = re.compile(
    rb"(?s)(?:\xef\xbb\xbf)?\s*(?:<\?xml.{0,200}?\?>)?(?:\s|<!--.{0,2000}?-->|<!DOCTYPE[^\[>]{0,300}>)*<svg[\s>]"
)
"""The beginning of an SVG document; one with a DTD of its own is not taken."""


@frozen
class Logo:
    """A picture of the operator's.

    Attributes:
        content: the file.
        suffix: the suffix of its type, `.svg` or `.png`.

    """

    content: bytes
    suffix: str


@frozen
class Accent:
    """The colours that the page derives from an accent colour, so that it can be read in both themes.

    Attributes:
        light: the accent of the light theme, on which white text stands.
        light_strong: the same under the pointer.
        dark: the accent of the dark theme, on which black text stands.
        dark_strong: the same under the pointer.

    """

    light: str
    light_strong: str
    dark: str
    dark_strong: str

    @classmethod
    def of(cls, colour: str) -> Accent:
        """Derive the colours: each is the given one, or the nearest mix with black or white that can be read."""
        light, dark = _readable(colour, LIGHT_GROUND, 0), _readable(colour, DARK_GROUND, 255)
        return cls(light, _mix(light, 0, _STRONGER), dark, _mix(dark, 255, _STRONGER))


def read_title(text: str) -> str:
    """Parse the title of the page.

    Raises:
        ConfigError: it is empty, too long, or has characters that cannot be printed.

    """
    title = " ".join(text.split())
    if not 0 < len(title) <= MOST_TITLE or not title.isprintable():
        raise ConfigError(f"expected a title of 1 to {MOST_TITLE} characters, got {text[:60]!a}.")
    return title


def read_accent(text: str) -> str:
    """Parse a colour, and return it in lower case.

    Raises:
        ConfigError: it is not a colour of six hexadecimal digits.

    """
    colour = text.lower()
    if _COLOUR.fullmatch(colour) is None:
        raise ConfigError(f"expected a colour such as #0b6a58, got {text:.40}.")
    return colour


def read_logo(path: Path) -> Logo:
    """Read the file of a logo.

    Raises:
        ConfigError: it cannot be read, is too large, or is neither SVG nor PNG; the sentence does not name the setting.

    """
    try:
        content, _ = read_regular(path, MOST_LOGO_BYTES)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None
    if len(content) > MOST_LOGO_BYTES:
        raise ConfigError(f"expected a picture of at most {MOST_LOGO_BYTES} bytes, got a larger one.")
    if content.startswith(_PNG):
        return Logo(content, ".png")
    if _SVG.match(content):
        return Logo(content, ".svg")
    raise ConfigError("expected a picture in SVG or PNG, got another file.")


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, from 1.0 to 21.0 (WCAG 2.2, "contrast ratio")."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    """Return the relative luminance of a colour (WCAG 2.2, "relative luminance")."""
    parts = [part / 255 for part in bytes.fromhex(colour[1:])]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _readable(colour: str, ground: str, end: int) -> str:
    """Return the first mix of a colour with black or white (`end` is 0 or 255) that can be read on a ground."""
    mixes = (_mix(colour, end, step) for step in range(_STEPS + 1))
    return next(mix for mix in mixes if contrast(mix, ground) >= LEAST_CONTRAST)


def _mix(colour: str, end: int, step: int) -> str:
    parts = bytes.fromhex(colour[1:])
    return "#" + bytes(round(part + (end - part) * step / _STEPS) for part in parts).hex()
