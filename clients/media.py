"""Media of a connection: the base class for bots, an echo, and the playing of a file."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
from aiortc.contrib.media import MediaPlayer
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av.frame import Frame
from av.packet import Packet

from signald_client.errors import MediaError

__all__ = ["AUDIO_CLOCK", "VIDEO_CLOCK", "CountingTrack", "EchoMedia", "FileMedia", "Media", "QueuedTrack"]

VIDEO_CLOCK = 90_000
"""RTP clock rate of video, in hertz (RFC 7741 §4.1)."""

AUDIO_CLOCK = 48_000
"""RTP clock rate and sampling rate of Opus, in hertz (RFC 7587 §4.1)."""

ECHO_FRAMES = 5
"""Most frames that an echo holds; older ones are dropped, since a late echo is useless."""


class Media:
    """Source and sink of one connection's media; this base class sends nothing and ignores what it receives.

    A bot derives a class of its own from it. One object serves the connection with one member.
    """

    def tracks(self) -> Sequence[MediaStreamTrack]:
        """Return the tracks to send, at most one of each kind; called once."""
        return ()

    def sends(self, kind: str) -> bool:
        """Whether there was anything to send of a negotiated kind; called at the end, for the report."""
        return True

    def track_added(self, kind: str) -> None:
        """Handle a new remote track of this kind, `audio` or `video`; frames may follow."""

    def frame_received(self, kind: str, frame: Frame) -> None:
        """Handle a decoded frame of this kind; called in the event loop, so it must not block."""

    async def stop(self) -> None:
        """Release all resources; called when the connection is over."""


class FileMedia(Media):
    """Plays a file once."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            MediaError: the file cannot be played.

        """
        try:
            self._player = MediaPlayer(str(path))
        except (OSError, av.FFmpegError) as error:
            raise MediaError(f"The file {path} cannot be played: {error.strerror}.") from error
        self._tracks = [track for track in (self._player.video, self._player.audio) if track is not None]
        if not self._tracks:
            raise MediaError(f"The file {path} has neither video nor audio.")

    def tracks(self) -> Sequence[MediaStreamTrack]:
        """Return the file's video and audio tracks, as far as it has them."""
        return self._tracks

    async def stop(self) -> None:
        """Stop the reading thread, and close the file."""
        for track in self._tracks:
            # Stopping the last track joins the reading thread, which may sleep until the next frame is due.
            await asyncio.to_thread(track.stop)


class QueuedTrack(MediaStreamTrack):
    """Track whose frames are put into it."""

    def __init__(self, kind: str, most_frames: int) -> None:
        """Create a track without a frame.

        Arguments:
            kind: `video` or `audio`.
            most_frames: the frames that may wait at a time.

        """
        super().__init__()
        self.kind = kind
        self._most_frames = most_frames
        self._frames: asyncio.Queue[Frame | None] = asyncio.Queue()

    def put_frame(self, frame: Frame) -> None:
        """Queue a frame; when the queue is full, drop the oldest."""
        if self._frames.qsize() >= self._most_frames:
            self._frames.get_nowait()
        self._frames.put_nowait(frame)

    async def recv(self) -> Frame:
        """Return the next frame when there is one.

        Raises:
            MediaStreamError: the track was stopped.

        """
        frame = await self._frames.get() if self.readyState == "live" else None
        if frame is None:
            raise MediaStreamError
        return frame

    def stop(self) -> None:
        """Stop the track, and wake up whoever waits for a frame."""
        super().stop()
        self._frames.put_nowait(None)


class EchoMedia(Media):
    """Sends received media back."""

    def __init__(self) -> None:
        self._tracks = {kind: QueuedTrack(kind, ECHO_FRAMES) for kind in ("video", "audio")}
        self._received: set[str] = set()

    def tracks(self) -> Sequence[MediaStreamTrack]:
        """Return the tracks of both kinds."""
        return list(self._tracks.values())

    def sends(self, kind: str) -> bool:
        """Whether the other side sends this kind."""
        return kind in self._received

    def track_added(self, kind: str) -> None:
        """Note that this kind will be sent back."""
        self._received.add(kind)

    def frame_received(self, kind: str, frame: Frame) -> None:
        """Send the frame back."""
        self._tracks[kind].put_frame(frame)

    async def stop(self) -> None:
        """Stop both tracks."""
        for track in self._tracks.values():
            track.stop()


class CountingTrack(MediaStreamTrack):
    """Track that passes on the frames of another and counts them.

    Attributes:
        frames: frames so far.

    """

    def __init__(self, source: MediaStreamTrack) -> None:
        super().__init__()
        self.kind = source.kind
        self.frames = 0
        self._source = source

    async def recv(self) -> Frame | Packet[Any]:
        """Return the next frame of the other track."""
        frame = await self._source.recv()
        self.frames += 1
        return frame
