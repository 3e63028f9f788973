"""Tells each participant how large their picture is shown, so that they send no more than that.

The message `view` has the height in pixels. It does not touch the browser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .mesh import LEAST_HEIGHT, LEVELS, fitting_height

if TYPE_CHECKING:
    from typing import Any

    from .peer_messaging import PeerMessaging

__all__ = ["PIXELS", "ShownPicture", "ShownPictures", "limit_heights"]

WIDE = 16 / 9

PIXELS = 1920 * 1080
"""The pixels that all pictures together may have: a phone decodes no more, and a screen of high resolution has tiles
with several times as many."""

MOST_HEIGHT = LEVELS[-1][0]
"""The height for a participant who has not said what they show."""


class ShownPicture:
    """A picture on the stage.

    Attributes:
        user: who sends it.
        height: the height of its tile in pixels of the screen.
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

    Shared screens come first and the speaker next; what is left is divided among the others in proportion.
    """
    left = PIXELS - sum(_pixels(picture.height) for picture in pictures if picture.screen)
    cameras = [picture for picture in pictures if not picture.screen]
    wanted: dict[str, int] = {}
    for first in (True, False):
        group = [picture for picture in cameras if picture.speaking is first]
        needed = sum(_pixels(picture.height) for picture in group)
        part = max(0, left) / needed if needed > max(0, left) else 1.0
        for picture in group:
            wanted[picture.user] = fitting_height(int(picture.height * part**0.5))
        left -= int(needed * part)
    return wanted


def _pixels(height: int) -> int:
    return int(height * height * WIDE)


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

    def update(self, pictures: list[ShownPicture], visible: bool) -> None:
        """Ask each participant for what is shown; of a page that is not visible, for the least.

        Arguments:
            pictures: all pictures on the stage.
            visible: whether the person can see the page.

        """
        wanted = limit_heights(pictures) if visible else {picture.user: LEAST_HEIGHT for picture in pictures}
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
