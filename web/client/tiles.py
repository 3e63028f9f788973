"""The pictures of the other people, one tile each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .browser import BrowserError, call, get, listen, now, put, spawn, wait

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .page import Page
    from .peer import Peer
    from .state import PageState

__all__ = ["Tiles"]

STALE_AFTER = 2.0
"""Seconds without a new frame after which the last one no longer counts as a picture."""


class Tile:
    """One person's picture.

    Attributes:
        video: the `video` element.
        first_frame: seconds of the page's clock when the first frame was there; 0.0 before.

    """

    def __init__(self, figure: Any, peer: Peer, blocked: Callable[[], None]) -> None:
        """Show a peer's stream in a `figure` that holds a `video`."""
        self.first_frame = 0.0
        self.figure = figure
        self.video = call(figure, "querySelector", "video")
        self._blocked = blocked
        self._moved = 0.0
        self._asked = False
        call(self.video, "setAttribute", "data-user", peer.user)
        # An element that was used before still has its listeners.
        self._over = False
        listen(self.video, "loadeddata", self._loaded)
        listen(self.video, "resize", self._loaded)
        put(self.video, "muted", False)
        put(self.video, "srcObject", peer.stream)
        spawn(self._play())

    async def _play(self) -> None:
        try:
            await wait(call(self.video, "play"))
        except BrowserError as error:
            if error.name == "NotAllowedError" and not self._over:
                # Without sound it may play at once.
                put(self.video, "muted", True)
                self._blocked()
                spawn(self._play_silently())

    async def _play_silently(self) -> None:
        try:
            await wait(call(self.video, "play"))
        except BrowserError:
            # The person is asked to press a button anyway.
            return

    def hear(self) -> None:
        """The person pressed a button, so sound may play now."""
        put(self.video, "muted", False)
        spawn(self._play())

    def _loaded(self, event: Any) -> None:
        if not self._over and not self.first_frame and get(self.video, "videoWidth"):
            self.first_frame = self._moved = now()
            self.look()

    def look(self) -> None:
        """Tell the style sheet whether there is a picture."""
        if get(self.video, "requestVideoFrameCallback") is None:
            # Without it nobody can say; `totalVideoFrames` stays at 0 in Firefox.
            self._moved = now()
        elif not self._asked:
            self._asked = True
            call(self.video, "requestVideoFrameCallback", self._frame_came)
        picture = bool(self.first_frame) and now() - self._moved < STALE_AFTER
        call(self.figure, "setAttribute", "data-picture", "true" if picture else "false")

    def _frame_came(self, *args: Any) -> None:
        self._asked = False
        self._moved = now()

    def close(self) -> None:
        """Show nobody any more."""
        self._over = True
        put(self.video, "srcObject", None)
        call(self.video, "removeAttribute", "data-user")
        call(self.figure, "setAttribute", "data-picture", "false")


class Tiles:
    """All of them. The first uses the element `remote-video`, further ones are copies of its tile."""

    def __init__(self, page: Page, state: PageState, changed: Callable[[], None]) -> None:
        self._state = state
        self._changed = changed
        self._room = page.element("remotes")
        self._first = call(self._room, "querySelector", "figure")
        self._blank = call(self._first, "cloneNode", True)
        call(call(self._blank, "querySelector", "video"), "removeAttribute", "id")
        self._tiles: dict[str, Tile] = {}

    def follow(self, peers: dict[str, Peer]) -> None:
        """Show exactly these people."""
        for user in [user for user in self._tiles if user not in peers]:
            tile = self._tiles.pop(user)
            tile.close()
            if get(tile.video, "id") != "remote-video":
                call(tile.figure, "remove")
        for user, peer in peers.items():
            if user not in self._tiles:
                self._tiles[user] = Tile(self._free(), peer, self._blocked)

    def _free(self) -> Any:
        """Return a tile that shows nobody."""
        if not any(get(tile.video, "id") == "remote-video" for tile in self._tiles.values()):
            return self._first
        figure = call(self._blank, "cloneNode", True)
        call(self._room, "append", figure)
        return figure

    def _blocked(self) -> None:
        self._state.sound_blocked = True
        self._changed()

    def hear(self) -> None:
        """The person wants to hear."""
        self._state.sound_blocked = False
        for tile in self._tiles.values():
            tile.hear()
        self._changed()

    def look(self) -> None:
        """Find out who has a picture: call it about once a second."""
        for tile in self._tiles.values():
            tile.look()

    def first_frame(self, user: str) -> float:
        """Return the time of the first frame of somebody, in seconds of the page's clock; 0.0 before."""
        return self._tiles[user].first_frame if user in self._tiles else 0.0
