"""Decides which pictures a call shows, and which one is large. It does not touch the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .remote_peer import RemotePeer

__all__ = [
    "CORNERS",
    "GRID",
    "OWN_SCREEN",
    "SPOTLIGHT",
    "arrange",
    "nearest_corner",
    "next_corner",
    "picture_id",
    "picture_owner",
]

SCREEN = "/screen"

OWN_SCREEN = "/own" + SCREEN
"""The id of the picture of this person's own shared screen, whose owner no user is."""

GRID = "grid"
SPOTLIGHT = "spotlight"

CORNERS = ("bottom-right", "bottom-left", "top-left", "top-right")
"""The corners in which the self view can lie; the first is the default."""


def picture_id(user: str, screen: bool = False) -> str:
    """Return the id of a participant's camera picture, or of their shared screen."""
    return user + SCREEN if screen else user


def picture_owner(name: str) -> tuple[str, bool]:
    """Return whose picture has this id, and whether it is a shared screen."""
    return (name[: -len(SCREEN)], True) if name.endswith(SCREEN) else (name, False)


def arrange(
    members: list[RemotePeer], pinned: str, mode: str, speaker: str, own_screen: bool = False
) -> tuple[list[str], str]:
    """Return the pictures in order, and the large one; empty for a grid of equal pictures.

    Arguments:
        members: the remote participants.
        pinned: the picture that the person pinned; empty, or one that is gone, for none.
        mode: `GRID`, `SPOTLIGHT`, or empty, which makes a shared screen large.
        speaker: the user who speaks, or spoke last; empty for nobody.
        own_screen: whether this person's own shared screen is one of the pictures.

    """
    pictures = []
    screens = []
    for member in members:
        pictures.append(picture_id(member.user))
        if member.screen:
            screens.append(picture_id(member.user, True))
    pictures += screens
    if own_screen:
        pictures.append(OWN_SCREEN)
    if len(pictures) < 2:
        return pictures, ""
    if pinned in pictures:
        return pictures, pinned
    if mode == GRID:
        return pictures, ""
    if screens:
        # A shared screen is meant to be seen; of several, the one of the participant who joined last is large.
        return pictures, screens[-1]
    if mode == SPOTLIGHT:
        return pictures, speaker if speaker in pictures else pictures[0]
    return pictures, ""


def nearest_corner(x: float, y: float, width: float, height: float) -> str:
    """Return the corner nearest to a point; all lengths are in pixels."""
    return ("top-" if y < height / 2 else "bottom-") + ("left" if x < width / 2 else "right")


def next_corner(corner: str, key: str) -> str:
    """Return the corner to which a key (`KeyboardEvent.key`) moves the self view; only arrow keys move it."""
    vertical, horizontal = corner.split("-")
    if key in ("ArrowLeft", "ArrowRight"):
        horizontal = key[5:].lower()
    elif key in ("ArrowUp", "ArrowDown"):
        vertical = "top" if key == "ArrowUp" else "bottom"
    return vertical + "-" + horizontal
