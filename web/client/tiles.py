"""The pictures of the other people, one tile each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import texts
from .browser import BrowserError, call, get, listen, now, put, spawn, wait

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .others import Other
    from .page import Page
    from .peer import Peer
    from .state import PageState

__all__ = ["Tiles"]

STALE_AFTER = 2.0
"""Seconds without a new frame after which the last one no longer counts as a picture."""


class Tile:
    """The place of one person's picture.

    Attributes:
        figure: the element; the style sheet dims one whose `data-live` is false.
        user: whose picture it is, or empty.
        video: the `video` element.
        stream: what it shows; None for nothing.
        first_frame: seconds of the page's clock when the first frame was there; 0.0 before.

    """

    def __init__(self, figure: Any, blocked: Callable[[], None]) -> None:
        """Take a `figure` that holds a `video`."""
        self.figure = figure
        self.video = call(figure, "querySelector", "video")
        self.user = ""
        self.stream: Any = None
        self.first_frame = 0.0
        self._blocked = blocked
        self._moved = 0.0
        self._asked = False
        listen(self.video, "loadeddata", self._loaded)
        listen(self.video, "resize", self._loaded)

    def show(self, peer: Peer) -> None:
        """Show this person."""
        self.user = peer.user
        self.stream = peer.stream
        call(self.video, "setAttribute", "data-user", peer.user)
        put(self.video, "muted", False)
        put(self.video, "srcObject", peer.stream)
        spawn(self._play())

    async def _play(self) -> None:
        try:
            await wait(call(self.video, "play"))
        except BrowserError as error:
            if error.name == "NotAllowedError" and self.user:
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
        if self.user:
            put(self.video, "muted", False)
            spawn(self._play())

    def _loaded(self, event: Any) -> None:
        if self.user and not self.first_frame and get(self.video, "videoWidth"):
            self.first_frame = self._moved = now()
            self.look()

    def follow(self, other: Other | None) -> None:
        """Say who this is, and whether they are reached just now."""
        if other is None:
            return
        name = call(self.figure, "querySelector", ".name")
        put(name, "textContent", other.name)
        put(name, "hidden", not other.name)
        put(call(self.figure, "querySelector", ".trouble"), "hidden", not other.interrupted)
        call(self.figure, "setAttribute", "data-live", "false" if other.interrupted else "true")
        put(call(self.figure, "querySelector", "figcaption span"), "textContent", self._no_picture(other.name))

    def _no_picture(self, name: str) -> str:
        return texts.NO_PICTURE.format(name or texts.THE_OTHER)

    def look(self) -> None:
        """Tell the style sheet whether there is a picture."""
        if not self.user:
            return
        if get(self.video, "requestVideoFrameCallback") is None:
            # Without it nobody can say; `totalVideoFrames` stays at 0 in Firefox.
            self._moved = now()
        elif not self._asked:
            self._asked = True
            call(self.video, "requestVideoFrameCallback", self._frame_came)
        # While the connection is interrupted, the last frame stays, dimmed.
        live = call(self.figure, "getAttribute", "data-live") != "false"
        picture = bool(self.first_frame) and (not live or now() - self._moved < STALE_AFTER)
        call(self.figure, "setAttribute", "data-picture", "true" if picture else "false")

    def _frame_came(self, *args: Any) -> None:
        self._asked = False
        self._moved = now()

    def clear(self) -> None:
        """Show nobody any more."""
        self.user = ""
        self.stream = None
        self.first_frame = 0.0
        put(self.video, "srcObject", None)
        call(self.video, "removeAttribute", "data-user")
        call(self.figure, "setAttribute", "data-picture", "false")


class Tiles:
    """All of them. The first has the element `remote-video`, further ones are copies of it."""

    def __init__(self, page: Page, state: PageState, changed: Callable[[], None]) -> None:
        self._state = state
        self._changed = changed
        self._room = page.element("remotes")
        figure = call(self._room, "querySelector", "figure")
        self._blank = call(figure, "cloneNode", True)
        call(call(self._blank, "querySelector", "video"), "removeAttribute", "id")
        self._tiles = [Tile(figure, self._blocked)]

    def follow(self, peers: dict[str, Peer]) -> None:
        """Show exactly these people."""
        first = self._tiles[0]
        for tile in self._tiles[:]:
            if tile.user and tile.user not in peers:
                tile.clear()
                if tile is not first:
                    call(tile.figure, "remove")
                    self._tiles.remove(tile)
        shown = {tile.user: tile for tile in self._tiles}
        for user, peer in peers.items():
            if user not in shown:
                self._free().show(peer)
            elif shown[user].stream is not peer.stream:
                shown[user].show(peer)
        for tile in self._tiles:
            tile.follow(self._state.other(tile.user))
        call(self._room, "setAttribute", "data-count", str(len(peers)))

    def _free(self) -> Tile:
        """Return a tile that shows nobody."""
        if not self._tiles[0].user:
            return self._tiles[0]
        figure = call(self._blank, "cloneNode", True)
        call(self._room, "append", figure)
        tile = Tile(figure, self._blocked)
        self._tiles.append(tile)
        return tile

    def _blocked(self) -> None:
        self._state.sound_blocked = True
        self._changed()

    def hear(self) -> None:
        """The person wants to hear."""
        self._state.sound_blocked = False
        for tile in self._tiles:
            tile.hear()
        self._changed()

    def look(self) -> None:
        """Find out who has a picture: call it about once a second."""
        for tile in self._tiles:
            tile.look()

    def first_frame(self, user: str) -> float:
        """Return the time of the first frame of somebody, in seconds of the page's clock; 0.0 before."""
        for tile in self._tiles:
            if tile.user == user:
                return tile.first_frame
        return 0.0
