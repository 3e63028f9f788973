"""Recording of received media into a file."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from aiortc.mediastreams import MediaStreamTrack
from av import AudioFrame, VideoFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.frame import Frame
from av.video.stream import VideoStream

from signald_client.errors import MediaError
from signald_client.media import AUDIO_CLOCK, VIDEO_CLOCK, Media

__all__ = ["RecordedMedia", "Recording"]

QUEUE_FRAMES = 300
"""Most frames that wait for the encoder; further ones are dropped."""

START_TIMEOUT = 3.0
"""Seconds to wait for a first frame of every announced kind; the file then begins with the kinds that arrived."""


class Recording:
    """Writes frames into a file; a thread encodes them.

    The file's name selects the container: `.webm` has VP8 and Opus, `.wav` 16-bit samples, others H.264 and AAC.
    Video whose size changes is scaled to the size of its first frame.

    Attributes:
        frames: written frames, by kind.

    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Open the file.

        Raises:
            MediaError: the file cannot be written.

        """
        self.frames = {"audio": 0, "video": 0}
        self._path = path
        self._clock = clock
        self._kinds: set[str] = set()
        self._streams: dict[str, AudioStream | VideoStream] = {}
        self._size = (0, 0)
        self._error: Exception | None = None
        try:
            # PyAV opens the file with the first frame only, which is too late to report that it cannot be written.
            path.open("wb").close()
            self._container: OutputContainer = av.open(str(path), "w")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "its name has no known ending"
            raise MediaError(f"The file {path} cannot be written: {reason}.") from error
        self._queue: queue.SimpleQueue[tuple[str, Frame] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run_thread, name="recording", daemon=True)
        self._thread.start()

    def expect_kind(self, kind: str) -> None:
        """Announce frames of this kind: the file begins once there is a frame of each announced kind."""
        self._kinds.add(kind)

    def put_frame(self, kind: str, frame: Frame) -> None:
        """Queue a frame for the encoder; drop it when the queue is full."""
        if self._queue.qsize() < QUEUE_FRAMES:
            self._queue.put((kind, frame))

    async def stop(self) -> None:
        """Write the queued frames, and close the file.

        Raises:
            MediaError: the file could not be written.

        """
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        if self._error is not None:
            raise MediaError(f"The file {self._path} could not be written.") from self._error

    def _run_thread(self) -> None:
        # A full disk may be reported only when the last bytes are written.
        for step in (self._write_queue, self._container.close):
            try:
                step()
            except Exception as error:  # noqa: BLE001, `stop` reports whatever the encoder raises
                self._error = self._error or error

    def _write_queue(self) -> None:
        held: list[tuple[str, Frame]] = []
        started_at = self._clock()
        while (item := self._queue.get()) is not None:
            if self._streams:
                self._write_frame(*item)
                continue
            held.append(item)
            if {kind for kind, _ in held} >= self._kinds or self._clock() - started_at > START_TIMEOUT:
                self._add_streams(held)
                held = []
        if held:
            self._add_streams(held)
        for stream in self._streams.values():
            self._container.mux(stream.encode(None))

    def _add_streams(self, held: list[tuple[str, Frame]]) -> None:
        """Add a stream with its codec for each kind of the held frames, and write these."""
        name = self._container.format.name
        for kind, frame in held:
            if kind in self._streams:
                continue
            if isinstance(frame, VideoFrame) and name != "wav":
                video = self._container.add_stream("libvpx" if name == "webm" else "libx264", rate=30)
                video.width, video.height = self._size = (frame.width, frame.height)
                video.pix_fmt = "yuv420p"
                video.codec_context.time_base = Fraction(1, VIDEO_CLOCK)
                self._streams[kind] = video
            elif isinstance(frame, AudioFrame):
                codec = {"webm": "libopus", "wav": "pcm_s16le"}.get(name, "aac")
                audio: Any = self._container.add_stream(codec, rate=AUDIO_CLOCK)
                self._streams[kind] = audio
        for item in held:
            self._write_frame(*item)

    def _write_frame(self, kind: str, frame: Frame) -> None:
        stream = self._streams.get(kind)
        if isinstance(stream, VideoStream) and isinstance(frame, VideoFrame):
            if (frame.width, frame.height) != self._size:
                frame = frame.reformat(*self._size)
            # The encoder chooses the picture types; the sender's do not fit.
            frame.pict_type = 0
            self._container.mux(stream.encode(frame))
        elif isinstance(stream, AudioStream) and isinstance(frame, AudioFrame):
            self._container.mux(stream.encode(frame))
        else:
            return
        self.frames[kind] += 1


class RecordedMedia(Media):
    """Wraps another media, and records what it receives.

    Attributes:
        error: why the file could not be written, as a sentence for people; None while there was no error.

    """

    def __init__(self, media: Media, recording: Recording) -> None:
        self.error: str | None = None
        self._media = media
        self._recording = recording

    def tracks(self) -> Sequence[MediaStreamTrack]:
        """Return the wrapped media's tracks."""
        return self._media.tracks()

    def sends(self, kind: str) -> bool:
        """Whether the wrapped media had anything to send."""
        return self._media.sends(kind)

    def track_added(self, kind: str) -> None:
        """Announce the track to the wrapped media and to the recording."""
        self._media.track_added(kind)
        self._recording.expect_kind(kind)

    def frame_received(self, kind: str, frame: Frame) -> None:
        """Pass the frame to the wrapped media and to the recording."""
        self._media.frame_received(kind, frame)
        self._recording.put_frame(kind, frame)

    async def stop(self) -> None:
        """Stop the wrapped media and the recording."""
        await self._media.stop()
        try:
            await self._recording.stop()
        except MediaError as error:
            self.error = str(error)
