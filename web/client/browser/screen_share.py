"""What the person shows of their screen: asked for, sent beside the camera, ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import texts
from ..model.devices import VIDEO
from .bridge import BrowserError, call, get, listen, put, spawn, wait, window

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..model.page_state import PageState

__all__ = ["ScreenShare", "possible"]

CONSTRAINTS: dict[str, Any] = {
    "video": {"frameRate": {"ideal": 15, "max": 30}},
    "audio": {"echoCancellation": False, "noiseSuppression": False, "autoGainControl": False},
    "systemAudio": "include",
}
"""What is asked for (Screen Capture, `DisplayMediaStreamOptions`): the sound as it is, since it is no speech."""


def possible() -> bool:
    """Return whether this browser can show its screen; phones mostly cannot."""
    return get(window, "navigator", "mediaDevices", "getDisplayMedia") is not None


class ScreenShare:
    """The shared screen, window or tab.

    Attributes:
        stream: a JavaScript `MediaStream` with the tracks; None while nothing is shared.

    """

    def __init__(self, state: PageState, changed: Callable[[], None], replaced: Callable[[], None]) -> None:
        """Begin with nothing.

        Args:
            state: whose `sharing` tells whether something is shared.
            changed: called when that changed.
            replaced: called when other tracks are to be sent, or none.

        """
        self.stream: Any = None
        self._state = state
        self._changed = changed
        self._replaced = replaced
        self._asking = False

    def track(self, kind: str) -> Any:
        """Return the track of this kind; None where there is none."""
        tracks = [] if self.stream is None else call(self.stream, "getTracks")
        for track in tracks:
            if get(track, "kind") == kind:
                return track
        return None

    def toggle(self) -> None:
        """Ask what to share; or end it."""
        if self.stream is not None:
            self.stop()
        elif not self._asking:
            self._asking = True
            spawn(self._start())

    async def _start(self) -> None:
        try:
            stream = await wait(call(get(window, "navigator", "mediaDevices"), "getDisplayMedia", CONSTRAINTS))
        except BrowserError as error:
            self._asking = False
            if error.name != "NotAllowedError":
                self._state.notices.problem = texts.SCREEN_REFUSED
                self._changed()
            return
        self._asking = False
        if not self._state.in_session:
            for track in call(stream, "getTracks"):
                call(track, "stop")
            return
        self.stream = stream
        video = self.track(VIDEO)
        # Text is to stay sharp; of a film, nobody knows.
        put(video, "contentHint", "detail")
        stream_id = get(stream, "id")
        # Without a hold on the stream, which would never be released.
        listen(video, "ended", lambda event: self._over(stream_id))
        self._state.devices.sharing = True
        self._replaced()
        self._changed()

    def _over(self, stream_id: str) -> None:
        """The person ended it through the browser, or closed the window."""
        if self.stream is not None and get(self.stream, "id") == stream_id:
            self.stop()

    def stop(self) -> None:
        """Share nothing any more."""
        if self.stream is None:
            return
        stream, self.stream = self.stream, None
        for track in call(stream, "getTracks"):
            call(track, "stop")
        self._state.devices.sharing = False
        self._replaced()
        self._changed()
