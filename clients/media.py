"""What a peer sends and what it does with what comes: a test pattern and a tone, a file, an echo, a recording."""

from __future__ import annotations

import asyncio
import math
import queue
import threading
import time
from array import array
from collections.abc import Awaitable, Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from aiortc.contrib.media import MediaPlayer
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame, VideoFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.frame import Frame
from av.packet import Packet
from av.video.stream import VideoStream

from signald_client.picture import Picture

__all__ = [
    "Counter",
    "Echo",
    "EchoTrack",
    "File",
    "Media",
    "MediaError",
    "Pace",
    "Pattern",
    "PatternAndTone",
    "Recorded",
    "Recording",
    "Tone",
]

VIDEO_CLOCK = 90_000
"""RTP's clock for video, per second (RFC 7741 §4.1)."""

AUDIO_CLOCK = 48_000
"""Opus's clock and sampling rate, per second (RFC 7587 §4.1)."""

AUDIO_SAMPLES = 960
"""Samples in 20 ms of audio."""

TONE = 480
"""Hertz; a divisor of the sampling rate, so that one period is a whole number of samples."""

LOUDNESS = 0.1
"""The tone's amplitude as a part of full scale."""

ECHO_FRAMES = 5
"""Frames that an echo holds; older ones are dropped, since a late echo is of no use."""

RECORD_FRAMES = 300
"""Frames that wait for the recording's encoder; further ones are lost to the recording."""

RECORD_WAIT = 3.0
"""Seconds for which a recording waits for the first frame of every kind before it begins with those that came."""


class MediaError(Exception):
    """A file cannot be played or recorded; the argument is a sentence for people."""


class Media:
    """What one connection sends, and what happens with what it receives; the base class sends and does nothing.

    A bot of your own derives from it. One object serves one connection with one member.
    """

    def tracks(self) -> Sequence[MediaStreamTrack]:
        """Return the tracks to send, at most one of each kind; asked once."""
        return ()

    def sends(self, kind: str) -> bool:
        """Whether there is something to send of a kind whose track was agreed on; asked at the end, for the report."""
        return True

    def receives(self, kind: str) -> None:
        """The other side sends media of this kind, `audio` or `video`: frames may follow."""

    def frame(self, kind: str, frame: Frame) -> None:
        """A frame of this kind came, decoded. It is called in the event loop: be quick."""

    async def stop(self) -> None:
        """The connection is over: let go of what was opened."""


class Pace:
    """Says when the next of equally spaced frames is due.

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

    async def next(self) -> int:
        """Wait until a frame is due and return its index, from 0; one that is overdue is left out."""
        now = self._clock()
        if self._start is None:
            self._start = now
        self._index = max(self._index + 1, int((now - self._start) * self.rate))
        wait = self._start + self._index / self.rate - now
        if wait > 0:
            await self._sleep(wait)
        return self._index


class Pattern(MediaStreamTrack):
    """Video of colour bars, a clock and a square that moves."""

    kind = "video"

    def __init__(self, width: int, height: int, pace: Pace, clock: Callable[[], float] = time.time) -> None:
        """Begin to draw.

        Args:
            width: pixels, even.
            height: pixels, even.
            pace: when the frames are due.
            clock: the time to show, seconds since the epoch.

        """
        super().__init__()
        self._size = (width, height)
        strides = [plane.line_size for plane in VideoFrame(width, height, "yuv420p").planes]
        self._picture = Picture(width, height, strides)
        self._pace = pace
        self._clock = clock

    async def recv(self) -> Frame:
        """Return the next frame when it is due."""
        if self.readyState != "live":
            raise MediaStreamError
        index = await self._pace.next()
        frame = VideoFrame(*self._size, "yuv420p")
        now = self._clock()
        text = time.strftime("%H:%M:%S", time.localtime(now)) + f".{int(now * 10) % 10}"
        for plane, content in zip(frame.planes, self._picture.draw(index, text), strict=True):
            plane.update(content)
        frame.pts = int(index * VIDEO_CLOCK / self._pace.rate)
        frame.time_base = Fraction(1, VIDEO_CLOCK)
        return frame


class Tone(MediaStreamTrack):
    """Audio of one steady tone."""

    kind = "audio"

    def __init__(self, pace: Pace) -> None:
        """Begin to sound; the pace is 50 frames per second."""
        super().__init__()
        period = AUDIO_CLOCK // TONE
        wave = [int(LOUDNESS * 32767 * math.sin(2 * math.pi * index / period)) for index in range(period)]
        self._samples = array("h", wave * (AUDIO_SAMPLES // period + 2)).tobytes()
        self._period = period
        self._pace = pace

    async def recv(self) -> Frame:
        """Return the next 20 ms when they are due."""
        if self.readyState != "live":
            raise MediaStreamError
        index = await self._pace.next()
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
        """Begin: the pattern's size in pixels and its frames per second."""
        self._tracks = (Pattern(width, height, Pace(rate)), Tone(Pace(AUDIO_CLOCK / AUDIO_SAMPLES)))

    def tracks(self) -> Sequence[MediaStreamTrack]:
        """Return the pattern and the tone."""
        return self._tracks

    async def stop(self) -> None:
        """End both."""
        for track in self._tracks:
            track.stop()


class File(Media):
    """Sends what is in a file, once."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            MediaError: it cannot be played.

        """
        try:
            self._player = MediaPlayer(str(path))
        except (OSError, av.FFmpegError) as error:
            raise MediaError(f"The file {path} cannot be played: {error.strerror}.") from error
        self._tracks = [track for track in (self._player.video, self._player.audio) if track is not None]
        if not self._tracks:
            raise MediaError(f"The file {path} has neither video nor audio.")

    def tracks(self) -> Sequence[MediaStreamTrack]:
        """Return the file's video and audio, as far as it has them."""
        return self._tracks

    async def stop(self) -> None:
        """End the reading thread, and close the file."""
        for track in self._tracks:
            # The last of them waits for the reading thread, which may be asleep until the next frame is due.
            await asyncio.to_thread(track.stop)


class EchoTrack(MediaStreamTrack):
    """Gives back the frames that it is given."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self._frames: asyncio.Queue[Frame | None] = asyncio.Queue()

    def put(self, frame: Frame) -> None:
        """Take a frame; when nobody fetches them, the oldest is dropped."""
        if self._frames.qsize() >= ECHO_FRAMES:
            self._frames.get_nowait()
        self._frames.put_nowait(frame)

    async def recv(self) -> Frame:
        """Return the next frame when there is one."""
        frame = await self._frames.get() if self.readyState == "live" else None
        if frame is None:
            raise MediaStreamError
        return frame

    def stop(self) -> None:
        """End the track, and whoever waits for a frame of it."""
        super().stop()
        self._frames.put_nowait(None)


class Echo(Media):
    """Sends back what it receives."""

    def __init__(self) -> None:
        self._tracks = {kind: EchoTrack(kind) for kind in ("video", "audio")}
        self._received: set[str] = set()

    def tracks(self) -> Sequence[MediaStreamTrack]:
        """Return the tracks of both kinds."""
        return list(self._tracks.values())

    def sends(self, kind: str) -> bool:
        """Whether the other side sends this kind."""
        return kind in self._received

    def receives(self, kind: str) -> None:
        """Expect to send it back."""
        self._received.add(kind)

    def frame(self, kind: str, frame: Frame) -> None:
        """Send a frame back."""
        self._tracks[kind].put(frame)

    async def stop(self) -> None:
        """End both tracks."""
        for track in self._tracks.values():
            track.stop()


class Counter(MediaStreamTrack):
    """Counts the frames of a track on their way to the connection.

    Attributes:
        frames: how many there were.

    """

    def __init__(self, source: MediaStreamTrack) -> None:
        super().__init__()
        self.kind = source.kind
        self.frames = 0
        self._source = source

    async def recv(self) -> Frame | Packet[Any]:
        """Return the next frame of the track."""
        frame = await self._source.recv()
        self.frames += 1
        return frame


class Recording:
    """Writes what is received into a file; a thread of its own encodes.

    The container follows the file's name: `.webm` has VP8 and Opus, `.wav` 16-bit samples, others H.264 and AAC.
    Video of a changing size is scaled to that of its first frame.

    Attributes:
        frames: how many frames were written, by kind.

    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Open the file.

        Raises:
            MediaError: it cannot be written.

        """
        self.frames = {"audio": 0, "video": 0}
        self._path = path
        self._clock = clock
        self._kinds: set[str] = set()
        self._streams: dict[str, AudioStream | VideoStream] = {}
        self._size = (0, 0)
        self._error: Exception | None = None
        try:
            # The library would open it with the first frame only.
            path.open("wb").close()
            self._container: OutputContainer = av.open(str(path), "w")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "its name has no known ending"
            raise MediaError(f"The file {path} cannot be written: {reason}.") from error
        self._queue: queue.SimpleQueue[tuple[str, Frame] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="recording", daemon=True)
        self._thread.start()

    def expect(self, kind: str) -> None:
        """Frames of this kind will come: the file begins when there is one of each."""
        self._kinds.add(kind)

    def put(self, kind: str, frame: Frame) -> None:
        """Record a frame; it is lost when too many wait already."""
        if self._queue.qsize() < RECORD_FRAMES:
            self._queue.put((kind, frame))

    async def stop(self) -> None:
        """Write what waits, and close the file.

        Raises:
            MediaError: nothing could be written.

        """
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        if self._error is not None:
            raise MediaError(f"The file {self._path} could not be written.") from self._error

    def _work(self) -> None:
        # A full disk may show only when the last bytes are written.
        for step in (self._record, self._container.close):
            try:
                step()
            except Exception as error:  # noqa: BLE001, whatever the encoder raises is told when the recording stops
                self._error = self._error or error

    def _record(self) -> None:
        held: list[tuple[str, Frame]] = []
        begun = self._clock()
        while (item := self._queue.get()) is not None:
            if self._streams:
                self._write(*item)
                continue
            held.append(item)
            if {kind for kind, _ in held} >= self._kinds or self._clock() - begun > RECORD_WAIT:
                self._begin(held)
                held = []
        if held:
            self._begin(held)
        for stream in self._streams.values():
            self._container.mux(stream.encode(None))

    def _begin(self, held: list[tuple[str, Frame]]) -> None:
        """Choose the codecs, and write the frames that came before all kinds were there."""
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
            self._write(*item)

    def _write(self, kind: str, frame: Frame) -> None:
        stream = self._streams.get(kind)
        if isinstance(stream, VideoStream) and isinstance(frame, VideoFrame):
            if (frame.width, frame.height) != self._size:
                frame = frame.reformat(*self._size)
            # The encoder chooses the picture types, not the sender's.
            frame.pict_type = 0
            self._container.mux(stream.encode(frame))
        elif isinstance(stream, AudioStream) and isinstance(frame, AudioFrame):
            self._container.mux(stream.encode(frame))
        else:
            return
        self.frames[kind] += 1


class Recorded(Media):
    """Another media's traffic, with what is received written into a file.

    Attributes:
        error: why the file could not be written, for people; None when it was, or is not finished.

    """

    def __init__(self, media: Media, recording: Recording) -> None:
        self.error: str | None = None
        self._media = media
        self._recording = recording

    def tracks(self) -> Sequence[MediaStreamTrack]:
        """Return the other media's."""
        return self._media.tracks()

    def sends(self, kind: str) -> bool:
        """Ask the other media."""
        return self._media.sends(kind)

    def receives(self, kind: str) -> None:
        """Tell the other media and the recording."""
        self._media.receives(kind)
        self._recording.expect(kind)

    def frame(self, kind: str, frame: Frame) -> None:
        """Give the frame to both."""
        self._media.frame(kind, frame)
        self._recording.put(kind, frame)

    async def stop(self) -> None:
        """Stop both."""
        await self._media.stop()
        try:
            await self._recording.stop()
        except MediaError as error:
            self.error = str(error)
