"""Initials and colours in place of pictures. It does not touch the browser."""

from __future__ import annotations

__all__ = ["HUES", "hue", "initials"]

HUES = (5, 35, 95, 150, 185, 215, 250, 280, 320)
"""The hues of avatars in degrees of CSS `hsl`, which people with normal sight tell apart."""


def initials(name: str) -> str:
    """Return the first character of the first and of the last word of a name; empty for a person without a name."""
    words = name.split()
    return "".join([word[0] for word in words[:1] + words[1:][-1:]])


def hue(user: str) -> int:
    """Return the hue of a user's avatar, which is the same on every page."""
    return HUES[sum([ord(character) for character in user]) % len(HUES)]
