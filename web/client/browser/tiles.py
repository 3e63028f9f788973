"""The pictures of the other people, one tile each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import texts
from ..model.layout import GRID, SPOTLIGHT, picture
from .audio_output import set_speaker
from .bridge import BrowserError, Listeners, call, get, now, put, spawn, wait, window

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..model.active_speaker import ActiveSpeaker
    from ..model.page_state import PageState
    from ..model.remote_peer import RemotePeer
    from .page import Page
    from .peer_connection import PeerConnection

    Speaker = Callable[[], str]

__all__ = ["Tiles"]

STALE_AFTER = 2.0
"""Seconds without a new frame after which the last one no longer counts as a picture."""


class Tile:
    """The place of one person's picture.

    Attributes:
        figure: the element; the style sheet dims one whose `data-live` is false.
        name: of the picture (`layout`), or empty.
        user: whose picture it is, or empty.
        video: the `video` element.
        stream: what it shows; None for nothing.
        first_frame: seconds of the page's clock when the first frame was there; 0.0 before.

    """

    def __init__(
        self, figure: Any, blocked: Callable[[], None], pinned: Callable[[str], None], speaker: Speaker
    ) -> None:
        """Take a `figure` that holds a `video`.

        Args:
            figure: the element.
            blocked: called when the browser wants a press before it plays sound.
            pinned: called with the picture's name when the person presses its pin.
            speaker: gives the id of the speaker to play through.

        """
        self.figure = figure
        self.video = call(figure, "querySelector", "video")
        self.name = ""
        self.user = ""
        self.stream: Any = None
        self.first_frame = 0.0
        self._blocked = blocked
        self._speaker = speaker
        self._moved = 0.0
        self._asked = False
        self._awaited = 0
        document = get(window, "document")
        self._listeners = Listeners()
        pin, pip, full = (call(figure, "querySelector", "." + button) for button in ("pin", "pip", "full"))
        self._listeners.listen(pin, "click", lambda event: pinned(self.name))
        self._listeners.listen(pip, "click", lambda event: spawn(_tried(self.video, "requestPictureInPicture")))
        self._listeners.listen(full, "click", lambda event: spawn(_tried(figure, "requestFullscreen")))
        put(pip, "hidden", not get(document, "pictureInPictureEnabled"))
        put(full, "hidden", not get(document, "fullscreenEnabled"))
        self._listeners.listen(self.video, "loadeddata", self._loaded)
        self._listeners.listen(self.video, "resize", self._loaded)

    def show(self, name: str, user: str, stream: Any) -> None:
        """Show this picture of this person."""
        self.name = name
        self.user = user
        self.stream = stream
        call(self.video, "setAttribute", "data-user", user)
        put(self.video, "muted", False)
        put(self.video, "srcObject", stream)
        set_speaker(self.video, self._speaker())
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

    def follow(self, other: RemotePeer | None, large: bool, speaking: bool) -> None:
        """Say who this is, whether they are reached just now, and what they do."""
        if other is None:
            return
        screen = self.name != picture(other.user)
        name = other.name
        if screen:
            name = texts.SCREEN_OF.format(other.name or texts.SOMEBODY)
        self._set(".name", "textContent", name)
        self._set(".name", "hidden", not name)
        self._set(".silent", "hidden", screen or other.microphone is not False)
        self._set(".trouble", "hidden", not other.interrupted)
        self._set("figcaption span", "textContent", texts.NO_PICTURE.format(name or texts.THE_OTHER))
        call(self.video, "setAttribute", "aria-label", name or texts.THE_OTHER)
        call(call(self.figure, "querySelector", ".pin"), "setAttribute", "aria-pressed", "true" if large else "false")
        for attribute, value in (
            ("data-live", not other.interrupted),
            ("data-main", large),
            ("data-screen", screen),
            ("data-speaking", speaking and not screen),
        ):
            call(self.figure, "setAttribute", attribute, "true" if value else "false")

    def _set(self, selector: str, name: str, value: str | bool) -> None:
        put(call(self.figure, "querySelector", selector), name, value)

    def look(self) -> None:
        """Tell the style sheet whether there is a picture."""
        if not self.user:
            return
        if get(self.video, "requestVideoFrameCallback") is None:
            # Without it nobody can say; `totalVideoFrames` stays at 0 in Firefox.
            self._moved = now()
        elif not self._asked:
            self._asked = True
            self._awaited = call(self.video, "requestVideoFrameCallback", self._frame_came)
        # While the connection is interrupted, the last frame stays, dimmed.
        live = call(self.figure, "getAttribute", "data-live") != "false"
        picture = bool(self.first_frame) and (not live or now() - self._moved < STALE_AFTER)
        call(self.figure, "setAttribute", "data-picture", "true" if picture else "false")

    def _frame_came(self, *args: Any) -> None:
        self._asked = False
        self._moved = now()

    def remove(self) -> None:
        """Take it out of the page for ever."""
        self._listeners.end()
        call(self.figure, "remove")

    def clear(self) -> None:
        """Show nobody any more."""
        self.name = ""
        self.user = ""
        self.stream = None
        self.first_frame = 0.0
        if self._asked:
            # Its callback would keep the tile.
            self._asked = False
            call(self.video, "cancelVideoFrameCallback", self._awaited)
        put(self.video, "srcObject", None)
        call(self.video, "removeAttribute", "data-user")
        call(self.figure, "setAttribute", "data-picture", "false")


class Tiles:
    """All of them. The first has the element `remote-video`, further ones are copies of it."""

    def __init__(self, page: Page, state: PageState, speaker: Speaker, changed: Callable[[], None]) -> None:
        """Take the page's first tile.

        Args:
            page: which has it.
            state: the page's.
            speaker: gives the id of the speaker to play through.
            changed: called when the state changed.

        """
        self._state = state
        self._speaker = speaker
        self._changed = changed
        self._room = page.element("remotes")
        figure = call(self._room, "querySelector", "figure")
        self._blank = call(figure, "cloneNode", True)
        call(call(self._blank, "querySelector", "video"), "removeAttribute", "id")
        # In the document, so that it speaks the language that the document speaks.
        document = get(window, "document")
        keeper = call(document, "createElement", "template")
        call(get(keeper, "content"), "append", self._blank)
        call(get(document, "body"), "append", keeper)
        self._tiles = [self._made(figure)]

    def follow(self, peers: dict[str, PeerConnection], speech: ActiveSpeaker) -> None:
        """Show exactly the pictures of these people."""
        names, large = self._state.pictures
        wanted = {}
        for user, peer in peers.items():
            for name, stream in ((picture(user), peer.stream), (picture(user, True), peer.screen)):
                if name in names:
                    wanted[name] = (user, stream)
        first = self._tiles[0]
        for tile in self._tiles[:]:
            if tile.name and tile.name not in wanted:
                tile.clear()
                if tile is not first:
                    tile.remove()
                    self._tiles.remove(tile)
        shown = {tile.name: tile for tile in self._tiles}
        for name in names:
            if name not in wanted:
                continue
            user, stream = wanted[name]
            if name not in shown:
                self._free().show(name, user, stream)
            elif shown[name].stream is not stream:
                shown[name].show(name, user, stream)
        time = now()
        for tile in self._tiles:
            tile.follow(self._state.participants.find(tile.user), tile.name == large, speech.speaks(tile.user, time))
        call(self._room, "setAttribute", "data-count", str(len(wanted)))
        call(self._room, "setAttribute", "data-layout", SPOTLIGHT if large else GRID)

    def _made(self, figure: Any) -> Tile:
        return Tile(figure, self._blocked, self._pinned, self._speaker)

    def _free(self) -> Tile:
        """Return a tile that shows nobody."""
        if not self._tiles[0].name:
            return self._tiles[0]
        figure = call(self._blank, "cloneNode", True)
        call(self._room, "append", figure)
        tile = self._made(figure)
        self._tiles.append(tile)
        return tile

    def _blocked(self) -> None:
        self._state.devices.sound_blocked = True
        self._changed()

    def _pinned(self, name: str) -> None:
        self._state.layout.pin(name)
        self._changed()

    def hear(self) -> None:
        """The person wants to hear."""
        self._state.devices.sound_blocked = False
        for tile in self._tiles:
            tile.hear()
        self._changed()

    def speaker_chosen(self) -> None:
        """Play through another speaker from now on."""
        for tile in self._tiles:
            set_speaker(tile.video, self._speaker())

    def look(self) -> None:
        """Find out who has a picture: call it about once a second."""
        for tile in self._tiles:
            tile.look()

    def first_frame(self, user: str) -> float:
        """Return the time of the first frame of somebody, in seconds of the page's clock; 0.0 before."""
        for tile in self._tiles:
            if tile.name == picture(user):
                return tile.first_frame
        return 0.0


async def _tried(element: Any, method: str) -> None:
    """Ask the browser for what it may refuse, which the person then sees."""
    try:
        await wait(call(element, method))
    except BrowserError:
        return
