"""Media of the test pattern: a video track of colour bars with a clock, and an audio track of one tone."""

from __future__ import annotations

import asyncio
import math
import time
from array import array
from collections.abc import Awaitable, Callable, Sequence
from fractions import Fraction

from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame, VideoFrame
from av.frame import Frame

from signald_client.media import AUDIO_CLOCK, VIDEO_CLOCK, Media
from signald_client.pattern_image import PatternImage

__all__ = ["FramePacer", "PatternAndTone", "PatternTrack", "ToneTrack"]

AUDIO_SAMPLES = 960
"""Samples in a frame of 20 ms of audio."""

TONE_FREQUENCY = 480
"""Frequency in hertz; it divides the sampling rate, so that one period is a whole number of samples."""

TONE_AMPLITUDE = 0.1
"""Amplitude of the tone as a part of full scale."""


class FramePacer:
    """Waits until the next of equally spaced frames is due.

    Attributes:
        rate: frames per second.

    """

    def __init__(
        self,
        rate: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.rate = rate
        self._clock = clock
        self._sleep = sleep
        self._start: float | None = None
        self._index = -1

    async def wait_for_frame(self) -> int:
        """Wait until a frame is due and return its index, from 0; frames that are overdue are skipped."""
        now = self._clock()
        if self._start is None:
            self._start = now
        self._index = max(self._index + 1, int((now - self._start) * self.rate))
        wait = self._start + self._index / self.rate - now
        if wait > 0:
            await self._sleep(wait)
        return self._index


class PatternTrack(MediaStreamTrack):
    """Video track of colour bars, a clock and a moving square."""

    kind = "video"

    def __init__(self, width: int, height: int, pacer: FramePacer, clock: Callable[[], float] = time.time) -> None:
        """Create a live track.

        Arguments:
            width: pixels, even.
            height: pixels, even.
            pacer: tells when the frames are due.
            clock: returns the time to show, in seconds since the epoch.

        """
        super().__init__()
        self._size = (width, height)
        strides = [plane.line_size for plane in VideoFrame(width, height, "yuv420p").planes]
        self._image = PatternImage(width, height, strides)
        self._pacer = pacer
        self._clock = clock

    async def recv(self) -> Frame:
        """Return the next frame when it is due.

        Raises:
            MediaStreamError: the track was stopped.

        """
        if self.readyState != "live":
            raise MediaStreamError
        index = await self._pacer.wait_for_frame()
        frame = VideoFrame(*self._size, "yuv420p")
        now = self._clock()
        text = time.strftime("%H:%M:%S", time.localtime(now)) + f".{int(now * 10) % 10}"
        for plane, content in zip(frame.planes, self._image.draw(index, text), strict=True):
            plane.update(content)
        frame.pts = int(index * VIDEO_CLOCK / self._pacer.rate)
        frame.time_base = Fraction(1, VIDEO_CLOCK)
        return frame


class ToneTrack(MediaStreamTrack):
    """Audio track of one steady tone."""

    kind = "audio"

    def __init__(self, pacer: FramePacer) -> None:
        """Create a live track; the pacer's rate is 50 frames per second."""
        super().__init__()
        period = AUDIO_CLOCK // TONE_FREQUENCY
        wave = [int(TONE_AMPLITUDE * 32767 * math.sin(2 * math.pi * index / period)) for index in range(period)]
        self._samples = array("h", wave * (AUDIO_SAMPLES // period + 2)).tobytes()
        self._period = period
        self._pacer = pacer

    async def recv(self) -> Frame:
        """Return the next 20 ms when they are due.

        Raises:
            MediaStreamError: the track was stopped.

        """
        if self.readyState != "live":
            raise MediaStreamError
        index = await self._pacer.wait_for_frame()
        frame = AudioFrame(format="s16", layout="mono", samples=AUDIO_SAMPLES)
        first = index * AUDIO_SAMPLES % self._period
        frame.planes[0].update(self._samples[2 * first : 2 * (first + AUDIO_SAMPLES)])
        frame.sample_rate = AUDIO_CLOCK
        frame.pts = index * AUDIO_SAMPLES
        frame.time_base = Fraction(1, AUDIO_CLOCK)
        return frame


class PatternAndTone(Media):
    """Sends the test pattern and the tone."""

    def __init__(self, width: int = 640, height: int = 480, rate: float = 15.0) -> None:
        """Create both tracks; the pattern has this size in pixels and this rate in frames per second."""
        self._tracks = (
            PatternTrack(width, height, FramePacer(rate)),
            ToneTrack(FramePacer(AUDIO_CLOCK / AUDIO_SAMPLES)),
        )

    def tracks(self) -> Sequence[MediaStreamTrack]:
        """Return the pattern's track and the tone's."""
        return self._tracks

    async def stop(self) -> None:
        """Stop both tracks."""
        for track in self._tracks:
            track.stop()
