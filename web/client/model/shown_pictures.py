"""Tells each participant how large their picture is shown, so that they send no more than that.

The message `view` has the height in pixels. It does not touch the browser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .mesh import LEVELS, fitting_height

if TYPE_CHECKING:
    from typing import Any

    from .peer_messaging import PeerMessaging

__all__ = ["PIXELS", "ShownPicture", "ShownPictures", "limit_heights", "seen_heights"]

WIDE = 16 / 9

PIXELS = 1920 * 1080
"""The pixels that all pictures together may have: a phone decodes no more, and a screen of high resolution has tiles
with several times as many."""

MOST_HEIGHT = LEVELS[-1][0]
"""The most lines that a camera's picture is sent with, also to a participant who has not said what they show."""

OTHERS_PART = 0.5
"""The part of the pixels beside shared screens that the speaker leaves to the others. If they had less, each change of
the speaker would exchange a sharp picture and a blurred one."""


class ShownPicture:
    """A picture on the stage.

    Attributes:
        user: who sends it.
        height: the height in which it is shown, in pixels of the screen; 0 if it cannot be seen.
        screen: whether it is a shared screen, which is never sent smaller.
        speaking: whether its sender is the active speaker.

    """

    def __init__(self, user: str, height: int, screen: bool = False, speaking: bool = False) -> None:
        self.user = user
        self.height = height
        self.screen = screen
        self.speaking = speaking


def limit_heights(pictures: list[ShownPicture]) -> dict[str, int]:
    """Return the height in which each camera's picture is wanted, so that all fit into `PIXELS`.

    Shared screens come first. The speaker may have what the others do not need, and a part of the rest in any case;
    the others divide what is left in proportion.
    """
    left = max(0, PIXELS - sum(_pixels(picture.height) for picture in pictures if picture.screen))
    cameras = [picture for picture in pictures if not picture.screen]
    groups = [[picture for picture in cameras if picture.speaking is first] for first in (True, False)]
    needed = [sum(_pixels(_sent(picture)) for picture in group) for group in groups]
    for_speaker = min(needed[0], left - min(needed[1], int(left * OTHERS_PART)))
    wanted: dict[str, int] = {}
    for group, size, room in zip(groups, needed, (for_speaker, left - for_speaker)):  # noqa: B905 - not in MicroPython
        part = room / size if size > room else 1.0
        for picture in group:
            wanted[picture.user] = fitting_height(int(_sent(picture) * part**0.5))
    return wanted


def _sent(picture: ShownPicture) -> int:
    """Return the height of a camera's picture, which is never sent with more than `MOST_HEIGHT` lines."""
    return min(picture.height, MOST_HEIGHT)


def _pixels(height: int) -> int:
    return int(height * height * WIDE)


def seen_heights(
    tiles: dict[str, int], floating: dict[str, int], filling: dict[str, int], page_visible: bool
) -> dict[str, int]:
    """Return the height in which each picture is seen; 0 if it is not.

    Arguments:
        tiles: the heights of all pictures in the layout.
        floating: those of the pictures that float above other windows, which are seen also if the page is not.
        filling: that of the picture which fills the screen, and covers all others.
        page_visible: whether the person can see the page.

    """
    seen = (filling or tiles) if page_visible else {}
    return {name: floating.get(name, seen.get(name, 0)) for name in tiles}


class ShownPictures:
    """Exchanges how large pictures are shown."""

    def __init__(self, messaging: PeerMessaging) -> None:
        """Subscribe to the message `view`."""
        self._messaging = messaging
        self._wanted: dict[str, int] = {}
        self._asked: dict[str, int] = {}
        messaging.on_message("view", self._received)
        messaging.on_ready(self._send)
        messaging.on_closed(self._clear)

    def height_for(self, user: str) -> int:
        """Return the height in which a participant shows the local picture."""
        return self._asked.get(user, MOST_HEIGHT)

    def update(self, pictures: list[ShownPicture]) -> None:
        """Ask each participant for what is shown of them; `pictures` are all pictures on the stage."""
        wanted = limit_heights(pictures)
        before, self._wanted = self._wanted, wanted
        for user, height in wanted.items():
            if before.get(user) != height:
                self._send(user)

    def _send(self, user: str) -> None:
        if user in self._wanted and self._messaging.is_ready(user):
            self._messaging.send(user, {"type": "view", "height": self._wanted[user]})

    def _received(self, user: str, message: dict[str, Any]) -> None:
        height = message.get("height")
        if type(height) is int and height > 0:
            self._asked[user] = height

    def _clear(self, user: str) -> None:
        self._asked.pop(user, None)
