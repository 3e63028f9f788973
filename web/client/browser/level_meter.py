"""Measures the level of the local microphone, even while it is muted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .bridge import BrowserError, call, construct, get, listen, loudness, put, spawn, wait, window

if TYPE_CHECKING:
    from typing import Any

__all__ = ["LevelMeter"]

SAMPLES = 1024
"""The number of samples of one measurement, which is 21 ms at 48 kHz."""


class LevelMeter:
    """Measures a clone of the track, which stays enabled when the track itself is muted."""

    def __init__(self) -> None:
        self._track_id = ""
        self._clone: Any = None
        self._context: Any = None
        self._source: Any = None
        self._analyser: Any = None
        self._samples: Any = None
        # Browsers keep an AudioContext suspended until the person interacts with the page.
        listen(window, "pointerdown", lambda event: self._resume_context())
        listen(window, "keydown", lambda event: self._resume_context())

    def set_track(self, track: Any) -> None:
        """Measure this audio track from now on; None stops measuring."""
        track_id = "" if track is None else get(track, "id")
        if track_id == self._track_id:
            return
        self._stop()
        self._track_id = track_id
        if track is None:
            return
        try:
            self._clone = call(track, "clone")
            put(self._clone, "enabled", True)
            if self._context is None:
                self._context = construct("AudioContext")
                self._analyser = call(self._context, "createAnalyser")
                put(self._analyser, "fftSize", SAMPLES)
                self._samples = construct("Float32Array", SAMPLES)
            stream = construct("MediaStream", [self._clone])
            self._source = call(self._context, "createMediaStreamSource", stream)
            call(self._source, "connect", self._analyser)
        except BrowserError:
            # Without Web Audio no level is shown; everything else works.
            self._stop()
        self._resume_context()

    def level(self) -> float:
        """Return the current level, from 0.0 for silence to 1.0."""
        return loudness(self._analyser, self._samples) if self._source is not None else 0.0

    def _stop(self) -> None:
        if self._source is not None:
            call(self._source, "disconnect")
        if self._clone is not None:
            call(self._clone, "stop")
        self._source = self._clone = None
        self._track_id = ""

    def _resume_context(self) -> None:
        if self._source is not None and get(self._context, "state") == "suspended":
            spawn(self._resume())

    async def _resume(self) -> None:
        try:
            await wait(call(self._context, "resume"))
        except BrowserError:
            return
