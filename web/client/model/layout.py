"""Which pictures a call shows, and which of them is the large one: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .remote_peer import RemotePeer

__all__ = ["CORNERS", "GRID", "SPOTLIGHT", "arrange", "nearest_corner", "next_corner", "picture_id"]

SCREEN = "/screen"

GRID = "grid"
SPOTLIGHT = "spotlight"

CORNERS = ("bottom-right", "bottom-left", "top-left", "top-right")
"""Where the own picture can be; the first is where it begins."""


def picture_id(user: str, screen: bool = False) -> str:
    """Return what names a picture: of somebody's camera, or of their screen."""
    return user + SCREEN if screen else user


def arrange(members: list[RemotePeer], pinned: str, mode: str, speaker: str) -> tuple[list[str], str]:
    """Return the pictures in their order, and the large one; empty for a grid of equals.

    Args:
        others: those in the call.
        pinned: the picture that the person wants large; empty, or one that is gone, for none.
        wish: `GRID`, `SPOTLIGHT`, or empty: then a shared screen is large.
        speaker: who speaks, or spoke last; empty for nobody.

    """
    pictures = []
    screens = []
    for member in members:
        pictures.append(picture_id(member.user))
        if member.screen:
            screens.append(picture_id(member.user, True))
    pictures += screens
    if len(pictures) < 2:
        return pictures, ""
    if pinned in pictures:
        return pictures, pinned
    if mode == GRID:
        return pictures, ""
    if screens:
        # Whoever shows something wants it to be seen; of several, the newest of those who came last.
        return pictures, screens[-1]
    if mode == SPOTLIGHT:
        return pictures, speaker if speaker in pictures else pictures[0]
    return pictures, ""


def nearest_corner(x: float, y: float, width: float, height: float) -> str:
    """Return the corner nearest to a point, all in pixels."""
    return ("top-" if y < height / 2 else "bottom-") + ("left" if x < width / 2 else "right")


def next_corner(corner: str, key: str) -> str:
    """Return where an arrow key (`KeyboardEvent.key`) moves the own picture from a corner; other keys leave it."""
    vertical, horizontal = corner.split("-")
    if key in ("ArrowLeft", "ArrowRight"):
        horizontal = key[5:].lower()
    elif key in ("ArrowUp", "ArrowDown"):
        vertical = "top" if key == "ArrowUp" else "bottom"
    return vertical + "-" + horizontal
