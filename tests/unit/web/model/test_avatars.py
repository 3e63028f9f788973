"""Tests of the initials and colours in place of pictures."""

from __future__ import annotations

import colorsys

from twisted.trial.unittest import SynchronousTestCase

from signald_page.client.model.avatars import HUES, hue, initials

SATURATION, LIGHTNESS = 0.45, 0.30
"""Those of the style sheet (`.avatar`)."""


def luminance(red: float, green: float, blue: float) -> float:
    """Return the relative luminance of a colour (WCAG 2.2)."""
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in (red, green, blue)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


class AvatarTests(SynchronousTestCase):
    """Initials and hues."""

    def test_initials(self) -> None:
        """The initials are those of the first and of the last word."""
        for name, expected in (
            ("Ann Lee", "AL"),
            ("Bob", "B"),
            ("Fay Müller of the Hill", "FH"),
            ("  ", ""),
            ("", ""),
            ("😀 Zoë", "😀Z"),
            ("دانة", "د"),
        ):
            self.assertEqual(initials(name), expected)

    def test_hue(self) -> None:
        """A user has the same hue always, and users have different ones."""
        users = [f"user{number}" for number in range(len(HUES))]
        self.assertEqual([hue(user) for user in users], [hue(user) for user in users])
        self.assertEqual({hue(user) for user in users}, set(HUES))

    def test_contrast(self) -> None:
        """White letters have a contrast of 4.5 on every hue (WCAG 2.2, 1.4.3)."""
        for degrees in HUES:
            ground = luminance(*colorsys.hls_to_rgb(degrees / 360, LIGHTNESS, SATURATION))
            self.assertGreaterEqual(1.05 / (ground + 0.05), 4.5, degrees)
