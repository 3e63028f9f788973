"""Tests the media that a peer sends and records."""

from __future__ import annotations

import asyncio
import functools
import math
import time
from array import array
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, VideoFrame

from signald_client.errors import MediaError
from signald_client.media import ECHO_FRAMES, CountingTrack, EchoMedia, FileMedia, Media, QueuedTrack
from signald_client.pattern import TONE_AMPLITUDE, FramePacer, PatternAndTone, PatternTrack, ToneTrack
from signald_client.recording import QUEUE_FRAMES, RecordedMedia, Recording
from tests.suites.peer.case import AsyncCase, asynchronous


class FakeTime:
    """A clock that advances by the seconds of each `sleep`."""

    def __init__(self) -> None:
        self.now = 100.0

    def clock(self) -> float:
        """Return the time."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Advance the clock."""
        self.now += seconds


def make_pacer(rate: float) -> FramePacer:
    """Return a pacer that does not really wait."""
    fake = FakeTime()
    return FramePacer(rate, fake.clock, fake.sleep)


async def make_video(count: int, width: int = 64, height: int = 48) -> list[Any]:
    """Return the first frames of a pattern at 10 frames a second."""
    track = PatternTrack(width, height, make_pacer(10))
    return [await track.recv() for _ in range(count)]


async def make_audio(count: int) -> list[Any]:
    """Return the first frames of a tone."""
    track = ToneTrack(make_pacer(50))
    return [await track.recv() for _ in range(count)]


def decoded_streams(path: Path) -> dict[str, tuple[str, int]]:
    """Decode a file, and return codec and number of frames of each kind of stream."""
    found: dict[str, tuple[str, int]] = {}
    with av.open(str(path)) as container:
        for stream in container.streams:
            container.seek(0)
            found[stream.type] = (stream.codec_context.name, sum(1 for _ in container.decode(stream)))
    return found


class FramePacerTests(AsyncCase):
    """Tests of the times at which frames are due."""

    @asynchronous
    async def test_equal_steps(self) -> None:
        """The first frame is due at once, and each further frame is due one equal step later."""
        fake = FakeTime()
        pacer = FramePacer(4, fake.clock, fake.sleep)
        self.assertEqual(
            [(await pacer.wait_for_frame(), fake.now) for _ in range(3)], [(0, 100.0), (1, 100.25), (2, 100.5)]
        )

    @asynchronous
    async def test_late(self) -> None:
        """Overdue frames are skipped."""
        fake = FakeTime()
        pacer = FramePacer(4, fake.clock, fake.sleep)
        await pacer.wait_for_frame()
        fake.now += 10.1
        self.assertEqual((await pacer.wait_for_frame(), fake.now), (40, 110.1))
        self.assertEqual((await pacer.wait_for_frame(), fake.now), (41, 110.25))


class PatternTrackTests(AsyncCase):
    """Tests of the test pattern."""

    @asynchronous
    async def test_frames(self) -> None:
        """Frames have the given size, and follow each other in RTP's clock with different content."""
        first, second = await make_video(2, 322, 242)
        self.assertEqual((first.width, first.height, first.format.name), (322, 242, "yuv420p"))
        self.assertEqual([first.pts, second.pts], [0, 9000])
        self.assertEqual(first.time_base, Fraction(1, 90_000))
        self.assertNotEqual(bytes(first.planes[0]), bytes(second.planes[0]))

    @asynchronous
    async def test_clock(self) -> None:
        """The image shows the time of the clock."""
        shown = []
        for now in (0.0, 0.0, 0.1, 3600.0):
            frame: Any = await PatternTrack(640, 480, make_pacer(10), functools.partial(float, now)).recv()
            shown.append(bytes(frame.planes[0]))
        self.assertEqual(shown[0], shown[1])
        self.assertEqual(len(set(shown)), 3)

    @asynchronous
    async def test_end(self) -> None:
        """A stopped track raises `MediaStreamError` when a frame is requested."""
        for track in (PatternTrack(64, 48, make_pacer(10)), ToneTrack(make_pacer(50))):
            track.stop()
            with self.assertRaises(MediaStreamError):
                await track.recv()


class ToneTrackTests(AsyncCase):
    """Tests of the tone."""

    @asynchronous
    async def test_wave(self) -> None:
        """The frames of 20 ms are one continuous sine of 480 Hz."""
        frames = await make_audio(5)
        self.assertEqual([frame.pts for frame in frames], [0, 960, 1920, 2880, 3840])
        self.assertEqual((frames[0].sample_rate, frames[0].format.name, frames[0].layout.name), (48000, "s16", "mono"))
        samples = array("h")
        for frame in frames:
            samples.frombytes(bytes(frame.planes[0])[: 2 * 960])
        for index, sample in enumerate(samples):
            expected = TONE_AMPLITUDE * 32767 * math.sin(2 * math.pi * 480 * index / 48000)
            self.assertLess(abs(sample - expected), 1.5)


class PatternAndToneTests(AsyncCase):
    """Tests of the default media."""

    @asynchronous
    async def test_tracks(self) -> None:
        """The default media has an audio and a video track, and `stop` ends both tracks."""
        media = PatternAndTone(64, 48, 10)
        tracks = media.tracks()
        self.assertEqual([track.kind for track in tracks], ["video", "audio"])
        self.assertTrue(media.sends("video"))
        await media.stop()
        self.assertEqual({track.readyState for track in tracks}, {"ended"})


class MediaTests(AsyncCase):
    """Tests of the base class of media."""

    @asynchronous
    async def test_does_nothing(self) -> None:
        """The base class sends nothing and ignores all events."""
        media = Media()
        self.assertEqual(list(media.tracks()), [])
        media.track_added("video")
        media.frame_received("video", VideoFrame(16, 16, "yuv420p"))
        await media.stop()


class CounterTests(AsyncCase):
    """Tests of the track that counts frames."""

    @asynchronous
    async def test_counts(self) -> None:
        """Frames are passed on and counted; the end is passed on and not counted."""
        source = PatternTrack(64, 48, make_pacer(10))
        counter = CountingTrack(source)
        self.assertEqual(counter.kind, "video")
        for _ in range(3):
            await counter.recv()
        source.stop()
        with self.assertRaises(MediaStreamError):
            await counter.recv()
        self.assertEqual(counter.frames, 3)


class EchoTests(AsyncCase):
    """Tests of the echo."""

    @asynchronous
    async def test_frames_are_sent_back(self) -> None:
        """Frames are sent back in their order, each kind on its own track."""
        media = EchoMedia()
        tracks = {track.kind: track for track in media.tracks()}
        frames = await make_video(2)
        for frame in frames:
            media.frame_received("video", frame)
        self.assertEqual([await tracks["video"].recv() for _ in frames], frames)
        await media.stop()

    @asynchronous
    async def test_kinds_that_are_sent(self) -> None:
        """The echo sends no track of a kind that it does not receive."""
        media = EchoMedia()
        media.track_added("audio")
        self.assertEqual((media.sends("audio"), media.sends("video")), (True, False))

    @asynchronous
    async def test_bounded(self) -> None:
        """When frames are not read, only the newest are kept."""
        track = QueuedTrack("video", ECHO_FRAMES)
        frames = await make_video(ECHO_FRAMES + 3)
        for frame in frames:
            track.put_frame(frame)
        self.assertEqual([await track.recv() for _ in range(ECHO_FRAMES)], frames[3:])

    @asynchronous
    async def test_end(self) -> None:
        """`stop` ends a pending and every later `recv`."""
        track = QueuedTrack("audio", ECHO_FRAMES)
        waiting = asyncio.ensure_future(track.recv())
        await asyncio.sleep(0)
        track.stop()
        with self.assertRaises(MediaStreamError):
            await waiting
        with self.assertRaises(MediaStreamError):
            await track.recv()


class RecordingTests(AsyncCase):
    """Tests of the recording."""

    def path(self, name: str) -> Path:
        """Return a path in a new directory."""
        directory = Path(self.mktemp())
        directory.mkdir()
        return directory / name

    async def record(self, path: Path, kinds: str = "audio video") -> Recording:
        """Record one second of media of these kinds."""
        recording = Recording(path)
        for kind in kinds.split():
            recording.expect_kind(kind)
        for frame in await make_audio(50) if "audio" in kinds else ():
            recording.put_frame("audio", frame)
        for frame in await make_video(10) if "video" in kinds else ():
            recording.put_frame("video", frame)
        await recording.stop()
        return recording

    @asynchronous
    async def test_webm(self) -> None:
        """A .webm file has VP8 and Opus, and every frame."""
        path = self.path("a.webm")
        recording = await self.record(path)
        self.assertEqual(recording.frames, {"audio": 50, "video": 10})
        found = decoded_streams(path)
        self.assertEqual(found["video"], ("vp8", 10))
        self.assertEqual(found["audio"][0], "opus")

    @asynchronous
    async def test_mp4(self) -> None:
        """A .mp4 file has H.264 and AAC, and every frame."""
        path = self.path("a.mp4")
        await self.record(path)
        found = decoded_streams(path)
        self.assertEqual(found["video"], ("h264", 10))
        self.assertEqual(found["audio"][0], "aac")

    @asynchronous
    async def test_wav(self) -> None:
        """A .wav file has audio only."""
        path = self.path("a.wav")
        recording = await self.record(path)
        self.assertEqual(recording.frames, {"audio": 50, "video": 0})
        self.assertEqual(list(decoded_streams(path)), ["audio"])

    @asynchronous
    async def test_missing_kind(self) -> None:
        """An expected kind that does not arrive is left out, after 3 s or at the end."""
        path = self.path("a.webm")
        recording = Recording(path)
        recording.expect_kind("audio")
        recording.expect_kind("video")
        for frame in await make_video(10):
            recording.put_frame("video", frame)
        await recording.stop()
        self.assertEqual(decoded_streams(path), {"video": ("vp8", 10)})

        fake = FakeTime()
        path = self.path("b.webm")
        recording = Recording(path, fake.clock)
        recording.expect_kind("audio")
        recording.expect_kind("video")
        fake.now += 4
        for frame in await make_video(10):
            recording.put_frame("video", frame)
        for frame in await make_audio(5):
            recording.put_frame("audio", frame)
        await recording.stop()
        self.assertEqual(recording.frames, {"audio": 0, "video": 10})

    @asynchronous
    async def test_changing_size(self) -> None:
        """Video whose size changes, as that of browsers does, is scaled to its first size."""
        path = self.path("a.webm")
        recording = Recording(path)
        recording.expect_kind("video")
        frames = await make_video(5) + await make_video(5, 128, 96)
        for index, frame in enumerate(frames):
            frame.pts = index * 9000
            recording.put_frame("video", frame)
        await recording.stop()
        self.assertEqual(decoded_streams(path), {"video": ("vp8", 10)})

    @asynchronous
    async def test_empty_recording(self) -> None:
        """A recording without a frame is no error."""
        recording = Recording(self.path("a.mp4"))
        await recording.stop()
        self.assertEqual(recording.frames, {"audio": 0, "video": 0})

    @asynchronous
    async def test_slow_encoder(self) -> None:
        """Frames that exceed the encoder's queue are dropped."""
        path = self.path("a.wav")
        recording = Recording(path)
        for frame in await make_audio(QUEUE_FRAMES + 500):
            recording.put_frame("audio", frame)
        await recording.stop()
        self.assertGreaterEqual(recording.frames["audio"], QUEUE_FRAMES)

    def test_unwritable(self) -> None:
        """A file that cannot be written is reported before anything is recorded."""
        error = self.assertRaises(MediaError, Recording, Path("/nonexistent/a.mp4"))
        self.assertEqual(str(error), "The file /nonexistent/a.mp4 cannot be written: No such file or directory.")
        path = self.path("a.xyz")
        error = self.assertRaises(MediaError, Recording, path)
        self.assertEqual(str(error), f"The file {path} cannot be written: its name has no known ending.")

    @asynchronous
    async def test_encoder_fails(self) -> None:
        """An error of the encoder is reported at the end, and the wrapped media is stopped even then."""
        path = self.path("a.mp4")
        recorded = RecordedMedia(PatternAndTone(64, 48, 10), Recording(path))
        recorded.track_added("video")
        recorded.frame_received("video", VideoFrame(15, 15, "yuv420p"))
        await recorded.stop()
        self.assertEqual(recorded.error, f"The file {path} could not be written.")
        self.assertEqual({track.readyState for track in recorded.tracks()}, {"ended"})

    @asynchronous
    async def test_recorded_media(self) -> None:
        """The wrapped media sends and receives as usual, and the received frames are recorded."""
        path = self.path("a.webm")
        echo = EchoMedia()
        recorded = RecordedMedia(echo, Recording(path))
        self.assertEqual(list(recorded.tracks()), list(echo.tracks()))
        recorded.track_added("video")
        self.assertEqual((recorded.sends("video"), recorded.sends("audio")), (True, False))
        frames = await make_video(3)
        for frame in frames:
            recorded.frame_received("video", frame)
        self.assertEqual(await echo.tracks()[0].recv(), frames[0])
        await recorded.stop()
        self.assertIsNone(recorded.error)
        self.assertEqual(decoded_streams(path), {"video": ("vp8", 3)})


class FileTests(AsyncCase):
    """Tests of playing a file."""

    @asynchronous
    async def test_playing(self) -> None:
        """The file's frames are played on one track for each kind, until the end of the file."""
        path = Path(self.mktemp()).with_suffix(".webm")
        recording = Recording(path)
        recording.expect_kind("audio")
        recording.expect_kind("video")
        for frame in await make_audio(10):
            recording.put_frame("audio", frame)
        for frame in await make_video(2):
            recording.put_frame("video", frame)
        await recording.stop()
        media = FileMedia(path)
        tracks = {track.kind: track for track in media.tracks()}
        picture: Any = await tracks["video"].recv()
        self.assertEqual((picture.width, picture.height), (64, 48))
        self.assertIsInstance(await tracks["audio"].recv(), AudioFrame)
        with self.assertRaises(MediaStreamError):
            while True:
                await tracks["audio"].recv()
        await media.stop()

    @asynchronous
    async def test_stopped_early(self) -> None:
        """A file is closed without delay even if it was not played to its end, or not at all."""
        path = Path(self.mktemp()).with_suffix(".wav")
        recording = Recording(path)
        recording.expect_kind("audio")
        for frame in await make_audio(250):
            recording.put_frame("audio", frame)
        await recording.stop()
        before = time.monotonic()
        media = FileMedia(path)
        self.assertEqual([track.kind for track in media.tracks()], ["audio"])
        await media.tracks()[0].recv()
        await media.stop()
        await FileMedia(path).stop()
        self.assertLess(time.monotonic() - before, 3)

    def test_unplayable(self) -> None:
        """A file that is missing, is not a media file, or has neither video nor audio is reported."""
        directory = Path(self.mktemp())
        directory.mkdir()
        error = self.assertRaises(MediaError, FileMedia, directory / "none.webm")
        self.assertEqual(str(error), f"The file {directory}/none.webm cannot be played: No such file or directory.")
        text = directory / "text.webm"
        text.write_text("no media")
        error = self.assertRaises(MediaError, FileMedia, text)
        self.assertEqual(str(error), f"The file {text} cannot be played: Invalid data found when processing input.")
        subtitles = directory / "words.srt"
        subtitles.write_text("1\n00:00:01,000 --> 00:00:02,000\nHello\n\n")
        error = self.assertRaises(MediaError, FileMedia, subtitles)
        self.assertEqual(str(error), f"The file {subtitles} has neither video nor audio.")
