"""Screen sharing: starts and stops the capture of a screen, window or tab."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import texts
from ..model.devices import VIDEO
from .bridge import BrowserError, call, get, listen, put, spawn, wait, window

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..model.page_state import PageState

__all__ = ["ScreenShare", "can_share_screen"]

CONSTRAINTS: dict[str, Any] = {
    "video": {"frameRate": {"ideal": 15, "max": 30}},
    "audio": {"echoCancellation": False, "noiseSuppression": False, "autoGainControl": False},
    "systemAudio": "include",
}
"""Constraints of the capture (Screen Capture, `DisplayMediaStreamOptions`); the audio is not processed as speech."""


def can_share_screen() -> bool:
    """Return whether this browser can capture the screen; most phones cannot."""
    return get(window, "navigator", "mediaDevices", "getDisplayMedia") is not None


class ScreenShare:
    """The shared screen, window or tab.

    Attributes:
        stream: a JavaScript `MediaStream` with the captured tracks; None while no screen is shared.

    """

    def __init__(self, state: PageState, refresh: Callable[[], None], replaced: Callable[[], None]) -> None:
        """Start without a shared screen.

        Arguments:
            state: the page's state; this class sets `devices.sharing`.
            refresh: called when the state has changed.
            replaced: called when the tracks to send have changed.

        """
        self.stream: Any = None
        self._state = state
        self._refresh = refresh
        self._replaced = replaced
        self._requesting = False

    def track(self, kind: str) -> Any:
        """Return the captured track of this kind; None if there is none."""
        tracks = [] if self.stream is None else call(self.stream, "getTracks")
        for track in tracks:
            if get(track, "kind") == kind:
                return track
        return None

    def toggle(self) -> None:
        """Let the person choose a screen, window or tab to share, or stop sharing."""
        if self.stream is not None:
            self.stop()
        elif not self._requesting:
            self._requesting = True
            spawn(self._start())

    async def _start(self) -> None:
        try:
            stream = await wait(call(get(window, "navigator", "mediaDevices"), "getDisplayMedia", CONSTRAINTS))
        except BrowserError as error:
            self._requesting = False
            if error.name != "NotAllowedError":
                self._state.notices.problem = texts.SCREEN_REFUSED
                self._refresh()
            return
        self._requesting = False
        if not self._state.in_session:
            for track in call(stream, "getTracks"):
                call(track, "stop")
            return
        self.stream = stream
        video = self.track(VIDEO)
        # With "detail" the browser reduces the frame rate rather than the resolution, which keeps text readable.
        put(video, "contentHint", "detail")
        stream_id = get(stream, "id")
        # The listener holds only the id: with a reference to the stream, neither of the two would ever be released.
        listen(video, "ended", lambda event: self._capture_ended(stream_id))
        self._state.devices.sharing = True
        self._replaced()
        self._refresh()

    def _capture_ended(self, stream_id: str) -> None:
        """Stop sharing, because the person ended the capture in the browser or closed the window."""
        if self.stream is not None and get(self.stream, "id") == stream_id:
            self.stop()

    def stop(self) -> None:
        """Stop sharing."""
        if self.stream is None:
            return
        stream, self.stream = self.stream, None
        for track in call(stream, "getTracks"):
            call(track, "stop")
        self._state.devices.sharing = False
        self._replaced()
        self._refresh()
