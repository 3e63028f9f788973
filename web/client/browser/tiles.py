"""The tiles of the remote pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import texts
from ..model.avatars import hue, initials
from ..model.layout import GRID, OWN_SCREEN, SPOTLIGHT, picture_id, picture_owner
from ..model.remote_peer import RemotePeer
from .audio_output import set_speaker
from .bridge import BrowserError, Listeners, call, get, now, put, spawn, wait, window

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..model.active_speaker import ActiveSpeaker
    from ..model.page_state import PageState
    from .page import Page
    from .peer_connection import PeerConnection

    SpeakerId = Callable[[], str]

__all__ = ["Tiles"]

STALE_AFTER = 2.0
"""Seconds without a new frame after which the video counts as missing."""


class Tile:
    """One picture on the stage.

    Attributes:
        figure: the element; the style sheet dims an element whose `data-live` is false.
        name: the picture's name (`layout`); empty while the tile is free.
        user: the user who sends the picture; empty while the tile is free.
        video: the `video` element.
        stream: the `MediaStream` that the tile plays; None while the tile is free.
        first_frame: the time of the first frame, in seconds of the page's clock; 0.0 before.

    """

    def __init__(
        self, figure: Any, sound_blocked: Callable[[], None], pin: Callable[[str], None], speaker_id: SpeakerId
    ) -> None:
        """Create a tile for a `figure` that contains a `video`.

        Arguments:
            figure: the element.
            sound_blocked: called when the browser requires a click before it plays sound.
            pin: called with the picture's name when the person clicks its pin.
            speaker_id: returns the id of the loudspeaker to play through.

        """
        self.figure = figure
        self.video = call(figure, "querySelector", "video")
        self.name = ""
        self.user = ""
        self.stream: Any = None
        self.first_frame = 0.0
        self._floating: Any = None
        self._sound_blocked = sound_blocked
        self._speaker_id = speaker_id
        self._last_frame = 0.0
        self._frame_requested = False
        self._frame_request = 0
        document = get(window, "document")
        self._listeners = Listeners()
        listen = self._listeners.listen
        pin_button, pip, full = (call(figure, "querySelector", "." + button) for button in ("pin", "pip", "full"))
        listen(pin_button, "click", lambda event: pin(self.name))
        listen(pip, "click", lambda event: spawn(_call_ignoring_refusal(self.video, "requestPictureInPicture")))
        listen(full, "click", lambda event: spawn(_call_ignoring_refusal(figure, "requestFullscreen")))
        put(pip, "hidden", not get(document, "pictureInPictureEnabled"))
        put(full, "hidden", not get(document, "fullscreenEnabled"))
        listen(self.video, "enterpictureinpicture", self._floated)
        listen(self.video, "leavepictureinpicture", self._landed)
        listen(self.video, "loadeddata", self._size_known)
        listen(self.video, "resize", self._size_known)

    def show(self, name: str, user: str, stream: Any) -> None:
        """Play a picture of this user."""
        self.name = name
        self.user = user
        self.stream = stream
        call(self.video, "setAttribute", "data-user", user)
        put(self.video, "muted", False)
        put(self.video, "srcObject", stream)
        set_speaker(self.video, self._speaker_id())
        spawn(self._play())

    async def _play(self) -> None:
        try:
            await wait(call(self.video, "play"))
        except BrowserError as error:
            if error.name == "NotAllowedError" and self.user:
                # Browsers play muted video without a click; a button requests the click that sound requires.
                put(self.video, "muted", True)
                self._sound_blocked()
                spawn(_call_ignoring_refusal(self.video, "play"))

    def play_sound(self) -> None:
        """Play with sound, which the browser allows after the person's click."""
        if self.user:
            put(self.video, "muted", False)
            spawn(self._play())

    @property
    def floating_height(self) -> int:
        """The height of the picture above other windows, in CSS pixels; 0 if it is not there, or that is unknown."""
        return int(get(self._floating, "height")) if self._floating else 0

    def _floated(self, event: Any) -> None:
        self._floating = get(event, "pictureInPictureWindow")

    def _landed(self, event: Any) -> None:
        self._floating = None

    def _size_known(self, event: Any) -> None:
        if self.user and not self.first_frame and get(self.video, "videoWidth"):
            self.first_frame = self._last_frame = now()
            self.check_frames()

    def label(self, member: RemotePeer | None, large: bool, speaking: bool) -> None:
        """Show the person's name, and whether they are connected, muted, large or speaking."""
        if member is None:
            return
        screen = self.name != picture_id(member.user)
        name = member.name
        if screen:
            name = texts.SCREEN_OF.format(member.name or texts.SOMEBODY)
        self._set(".name", "textContent", name)
        self._set(".name", "hidden", not name)
        self._set(".silent", "hidden", screen or member.microphone is not False)
        self._set(".trouble", "hidden", not member.interrupted)
        note = texts.NO_PICTURE if member.was_connected else texts.CONNECTING_TO
        self._set(".note", "textContent", note.format(name or texts.THE_OTHER))
        self._set(".avatar", "textContent", initials(member.name))
        call(get(self.figure, "style"), "setProperty", "--hue", str(hue(member.user)))
        call(self.video, "setAttribute", "aria-label", name or texts.THE_OTHER)
        call(call(self.figure, "querySelector", ".pin"), "setAttribute", "aria-pressed", "true" if large else "false")
        for attribute, value in (
            ("data-live", not member.interrupted),
            ("data-main", large),
            ("data-screen", screen),
            ("data-speaking", speaking and not screen),
        ):
            call(self.figure, "setAttribute", attribute, "true" if value else "false")

    def _set(self, selector: str, name: str, value: str | bool) -> None:
        put(call(self.figure, "querySelector", selector), name, value)

    def check_frames(self) -> None:
        """Set the attribute that tells the style sheet whether frames arrive."""
        if not self.user:
            return
        if get(self.video, "requestVideoFrameCallback") is None:
            # No other interface reports frames: `totalVideoFrames` stays at 0 in Firefox.
            self._last_frame = now()
        elif not self._frame_requested:
            self._frame_requested = True
            self._frame_request = call(self.video, "requestVideoFrameCallback", self._frame_received)
        # While the connection is interrupted, the last frame is kept and dimmed.
        live = call(self.figure, "getAttribute", "data-live") != "false"
        picture_id = bool(self.first_frame) and (not live or now() - self._last_frame < STALE_AFTER)
        call(self.figure, "setAttribute", "data-picture", "true" if picture_id else "false")

    def _frame_received(self, *args: Any) -> None:
        self._frame_requested = False
        self._last_frame = now()

    def remove(self) -> None:
        """Remove the tile from the document."""
        self._listeners.end()
        call(self.figure, "remove")

    def clear(self) -> None:
        """Free the tile."""
        self.name = ""
        self.user = ""
        self.stream = None
        self.first_frame = 0.0
        if self._frame_requested:
            # A pending callback would keep the tile in memory.
            self._frame_requested = False
            call(self.video, "cancelVideoFrameCallback", self._frame_request)
        put(self.video, "srcObject", None)
        call(self.video, "removeAttribute", "data-user")
        call(self.figure, "setAttribute", "data-picture", "false")


class Tiles:
    """All tiles. The first tile is the element `remote-video`; the others are clones of it.

    Attributes:
        own_screen: the `MediaStream` of this person's own shared screen, without its sound; None while this page does
            not show it.

    """

    def __init__(self, page: Page, state: PageState, speaker_id: SpeakerId, refresh: Callable[[], None]) -> None:
        """Use the page's first tile.

        Arguments:
            page: the page's elements.
            state: the page's state.
            speaker_id: returns the id of the loudspeaker to play through.
            refresh: called when the state has changed.

        """
        self.own_screen: Any = None
        self._own = RemotePeer(picture_owner(OWN_SCREEN)[0])
        self._state = state
        self._speaker_id = speaker_id
        self._refresh = refresh
        self._remotes = page.element("remotes")
        figure = call(self._remotes, "querySelector", "figure")
        self._template = call(figure, "cloneNode", True)
        call(call(self._template, "querySelector", "video"), "removeAttribute", "id")
        # The clone is attached to the document, so that switching the language translates the clone too.
        document = get(window, "document")
        container = call(document, "createElement", "template")
        call(get(container, "content"), "append", self._template)
        call(get(document, "body"), "append", container)
        self._tiles = [self._create_tile(figure)]

    def show_pictures(self, peers: dict[str, PeerConnection], speech: ActiveSpeaker) -> None:
        """Show exactly the pictures of these users."""
        names, large = self._state.pictures
        wanted = {}
        for user, peer in peers.items():
            camera, screen = peer.stream, peer.screen
            if self._state.participants.shows_screen_only(user) and not get(call(screen, "getTracks"), "length"):
                # A program with one video sends the screen in place of the camera.
                camera, screen = screen, camera
            for name, stream in ((picture_id(user), camera), (picture_id(user, True), screen)):
                if name in names:
                    wanted[name] = (user, stream)
        if OWN_SCREEN in names and self.own_screen is not None:
            wanted[OWN_SCREEN] = (self._own.user, self.own_screen)
        self._own.name = texts.YOU
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
                self._free_tile().show(name, user, stream)
            elif shown[name].stream is not stream:
                shown[name].show(name, user, stream)
        time = now()
        for tile in self._tiles:
            member = self._own if tile.name == OWN_SCREEN else self._state.participants.find(tile.user)
            tile.label(member, tile.name == large, speech.is_speaking(tile.user, time))
        call(self._remotes, "setAttribute", "data-count", str(len(wanted)))
        call(self._remotes, "setAttribute", "data-layout", SPOTLIGHT if large else GRID)

    def figures(self) -> list[tuple[str, Any, Any, bool, bool]]:
        """Return name, figure and video of each shown picture in order, and whether it has frames and is a screen."""
        found = []
        tiles = {tile.name: tile for tile in self._tiles}
        for name in self._state.pictures[0]:
            if name in tiles:
                tile = tiles[name]
                shown = call(tile.figure, "getAttribute", "data-picture") == "true"
                found.append((name, tile.figure, tile.video, shown, name != picture_id(tile.user)))
        return found

    def enlarged_heights(self) -> tuple[dict[str, int], dict[str, int]]:
        """Return the heights of the pictures that float above other windows, and of the one that fills the screen."""
        full_screen = get(window, "document", "fullscreenElement")
        floating, filling = {}, {}
        for tile in self._tiles:
            if tile.floating_height:
                floating[tile.name] = tile.floating_height
            if full_screen is not None and call(tile.figure, "isSameNode", full_screen):
                filling[tile.name] = int(get(tile.figure, "clientHeight"))
        return floating, filling

    def _create_tile(self, figure: Any) -> Tile:
        return Tile(figure, self._sound_blocked, self._pin, self._speaker_id)

    def _free_tile(self) -> Tile:
        """Return a free tile; create a tile if none is free."""
        if not self._tiles[0].name:
            return self._tiles[0]
        figure = call(self._template, "cloneNode", True)
        call(self._remotes, "append", figure)
        tile = self._create_tile(figure)
        self._tiles.append(tile)
        return tile

    def _sound_blocked(self) -> None:
        self._state.devices.sound_blocked = True
        self._refresh()

    def _pin(self, name: str) -> None:
        self._state.layout.pin(name)
        self._refresh()

    def play_sound(self) -> None:
        """Play all tiles with sound, which the browser allows after the person's click."""
        self._state.devices.sound_blocked = False
        for tile in self._tiles:
            tile.play_sound()
        self._refresh()

    def apply_speaker(self) -> None:
        """Play all tiles through the chosen loudspeaker from now on."""
        for tile in self._tiles:
            set_speaker(tile.video, self._speaker_id())

    def check_frames(self) -> None:
        """Check which tiles receive frames; the page calls this method about once a second."""
        for tile in self._tiles:
            tile.check_frames()

    def first_frame(self, user: str) -> float:
        """Return the time of the first frame from this user's camera, in seconds of the page's clock; 0.0 before."""
        for tile in self._tiles:
            if tile.name == picture_id(user):
                return tile.first_frame
        return 0.0


async def _call_ignoring_refusal(element: Any, method: str) -> None:
    """Call a method whose promise the browser may reject; a rejection only means that nothing happens on the page."""
    try:
        await wait(call(element, method))
    except BrowserError:
        return
