"""How loud the own microphone is, also while the others hear nothing of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .bridge import BrowserError, call, construct, get, listen, loudness, put, spawn, wait, window

if TYPE_CHECKING:
    from typing import Any

__all__ = ["LevelMeter"]

SAMPLES = 1024
"""Of the sound, which a level is taken from: 21 ms at 48 kHz."""


class LevelMeter:
    """Listens to a copy of the track, which stays audible here when the track itself is muted."""

    def __init__(self) -> None:
        self._of = ""
        self._copy: Any = None
        self._context: Any = None
        self._source: Any = None
        self._analyser: Any = None
        self._samples: Any = None
        # Browsers let no page begin with sound on its own.
        listen(window, "pointerdown", lambda event: self._wake())
        listen(window, "keydown", lambda event: self._wake())

    def follow(self, track: Any) -> None:
        """Listen to this audio track from now on; None for nothing."""
        of = "" if track is None else get(track, "id")
        if of == self._of:
            return
        self._stop()
        self._of = of
        if track is None:
            return
        try:
            self._copy = call(track, "clone")
            put(self._copy, "enabled", True)
            if self._context is None:
                self._context = construct("AudioContext")
                self._analyser = call(self._context, "createAnalyser")
                put(self._analyser, "fftSize", SAMPLES)
                self._samples = construct("Float32Array", SAMPLES)
            stream = construct("MediaStream", [self._copy])
            self._source = call(self._context, "createMediaStreamSource", stream)
            call(self._source, "connect", self._analyser)
        except BrowserError:
            # Without Web Audio there is no level, and all else works.
            self._stop()
        self._wake()

    def level(self) -> float:
        """Return the loudness now: 0.0 for silence, 1.0 for the loudest."""
        return loudness(self._analyser, self._samples) if self._source is not None else 0.0

    def _stop(self) -> None:
        if self._source is not None:
            call(self._source, "disconnect")
        if self._copy is not None:
            call(self._copy, "stop")
        self._source = self._copy = None
        self._of = ""

    def _wake(self) -> None:
        if self._source is not None and get(self._context, "state") == "suspended":
            spawn(self._resume())

    async def _resume(self) -> None:
        try:
            await wait(call(self._context, "resume"))
        except BrowserError:
            return
