"""Captures the screen of an X server for all viewers, by FFmpeg's `x11grab`."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
from aiortc.mediastreams import MediaStreamTrack
from av import FFmpegError, VideoFrame
from Xlib.display import Display
from Xlib.error import DisplayError

from signald_client.errors import ControlError
from signald_client.media import VIDEO_CLOCK, Media, QueuedTrack

__all__ = ["ScreenCapture", "ScreenMedia", "find_display"]

MAX_WIDTH, MAX_HEIGHT = 1920, 1080
"""Pixels to which a larger screen is reduced: encoding takes 4 ms for each 100,000 pixels."""

RETRY_SECONDS = 1.0
"""Seconds until the capture is opened again after a failure, as when the screen gets another size."""

FAILURES = (OSError, ValueError, FFmpegError)
"""What FFmpeg raises when the screen cannot be captured, or not any more; the last one when the X server has ended."""

WAYLAND = "This is a Wayland session, whose screen an X11 program cannot see: log in to an X11 session to share it."


def find_display(name: str | None) -> str:
    """Return the name of the X display; that of the environment when `name` is None.

    Raises:
        ControlError: there is none, or it is that of a Wayland session; the text is a sentence for people.

    """
    display = name or os.environ.get("DISPLAY", "")
    if not display:
        wayland = "WAYLAND_DISPLAY" in os.environ
        raise ControlError(WAYLAND if wayland else "There is no X11 screen to share: DISPLAY is not set.")
    try:
        connection = Display(display)
    except (OSError, DisplayError) as error:
        raise ControlError(f"The X display {display} cannot be opened.") from error
    try:
        # Xwayland has the extension since 21.1, and its devices are called so in all versions.
        if connection.query_extension("XWAYLAND") is not None or _has_wayland_devices(connection):
            raise ControlError(WAYLAND)
    finally:
        connection.close()
    return display


def _has_wayland_devices(connection: Any) -> bool:
    if not connection.has_extension("XInputExtension"):
        return False
    return any(device.name.startswith("xwayland-") for device in connection.xinput_query_device(0).devices)


class ScreenCapture:
    """Captures the screen in a thread, and gives its newest picture to every track."""

    def __init__(self, display: str, rate: float) -> None:
        """Open the screen.

        Arguments:
            display: the X display.
            rate: pictures per second.

        Raises:
            ControlError: the screen cannot be captured.

        """
        self._display = display
        self._options = {"framerate": f"{rate:g}", "draw_mouse": "1"}
        self._tracks: set[_ScreenTrack] = set()
        self._stopping = threading.Event()
        self._loop = asyncio.get_running_loop()
        try:
            self._container = self._open()
        except FAILURES as error:
            raise ControlError(f"The screen {display} cannot be captured.") from error
        self._thread = threading.Thread(target=self._run, name="screen capture", daemon=True)
        self._thread.start()

    def track(self) -> MediaStreamTrack:
        """Return a new track of the screen."""
        track = _ScreenTrack(self._tracks.discard)
        self._tracks.add(track)
        return track

    async def close(self) -> None:
        """End the capture."""
        self._stopping.set()
        await asyncio.to_thread(self._thread.join)
        self._container.close()

    def _open(self) -> Any:
        return av.open(self._display, format="x11grab", options=self._options)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                for frame in self._container.decode(video=0):
                    if self._stopping.is_set():
                        return
                    if self._tracks:
                        self._loop.call_soon_threadsafe(self._show, _reduced(frame))
            except FAILURES:
                # The server closes the capture of a screen that gets another size.
                self._reopen()

    def _reopen(self) -> None:
        while not self._stopping.wait(RETRY_SECONDS):
            try:
                self._container.close()
                self._container = self._open()
            except FAILURES:
                continue
            return

    def _show(self, frame: VideoFrame) -> None:
        for track in self._tracks:
            track.put_frame(frame)


class _ScreenTrack(QueuedTrack):
    """A track of the newest picture; pictures that its encoder has no time for are left out."""

    def __init__(self, on_stop: Any) -> None:
        super().__init__("video", most_frames=1)
        self._on_stop = on_stop

    def stop(self) -> None:
        """Stop the track, and say so."""
        super().stop()
        self._on_stop(self)


class ScreenMedia(Media):
    """Sends the screen."""

    def __init__(self, capture: ScreenCapture) -> None:
        self._track = capture.track()

    def tracks(self) -> Sequence[MediaStreamTrack]:
        """Return the track of the screen."""
        return (self._track,)

    async def stop(self) -> None:
        """Stop the track."""
        self._track.stop()


def _reduced(frame: VideoFrame) -> VideoFrame:
    """Return a picture in the encoder's format, of even size within the bounds, with the present time."""
    scale = min(1.0, MAX_WIDTH / frame.width, MAX_HEIGHT / frame.height)
    width, height = (max(2, int(side * scale) // 2 * 2) for side in (frame.width, frame.height))
    reduced = frame.reformat(width, height, "yuv420p")
    reduced.pts = int(time.monotonic() * VIDEO_CLOCK)
    reduced.time_base = Fraction(1, VIDEO_CLOCK)
    return reduced
