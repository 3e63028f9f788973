"""What a peer sends and records."""

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

from signald_client.media import (
    ECHO_FRAMES,
    LOUDNESS,
    RECORD_FRAMES,
    Counter,
    Echo,
    EchoTrack,
    File,
    Media,
    MediaError,
    Pace,
    Pattern,
    PatternAndTone,
    Recorded,
    Recording,
    Tone,
)
from tests.suites.peer.case import AsyncCase, asynchronous


class FakeTime:
    """A clock that moves while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def clock(self) -> float:
        """Return the time."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Move on."""
        self.now += seconds


def pace(rate: float) -> Pace:
    """Return a pace that takes no time."""
    fake = FakeTime()
    return Pace(rate, fake.clock, fake.sleep)


async def video(count: int, width: int = 64, height: int = 48) -> list[Any]:
    """Return the first frames of a pattern at 10 frames a second."""
    track = Pattern(width, height, pace(10))
    return [await track.recv() for _ in range(count)]


async def audio(count: int) -> list[Any]:
    """Return the first frames of a tone."""
    track = Tone(pace(50))
    return [await track.recv() for _ in range(count)]


def contents(path: Path) -> dict[str, tuple[str, int]]:
    """Return codec and number of frames of each kind of stream in a file."""
    found: dict[str, tuple[str, int]] = {}
    with av.open(str(path)) as container:
        for stream in container.streams:
            container.seek(0)
            found[stream.type] = (stream.codec_context.name, sum(1 for _ in container.decode(stream)))
    return found


class PaceTests(AsyncCase):
    """When frames are due."""

    @asynchronous
    async def test_equal_steps(self) -> None:
        """The first is due at once, the others one after another at their rate."""
        fake = FakeTime()
        steps = Pace(4, fake.clock, fake.sleep)
        self.assertEqual([(await steps.next(), fake.now) for _ in range(3)], [(0, 100.0), (1, 100.25), (2, 100.5)])

    @asynchronous
    async def test_late(self) -> None:
        """What is overdue is left out."""
        fake = FakeTime()
        steps = Pace(4, fake.clock, fake.sleep)
        await steps.next()
        fake.now += 10.1
        self.assertEqual((await steps.next(), fake.now), (40, 110.1))
        self.assertEqual((await steps.next(), fake.now), (41, 110.25))


class PatternTests(AsyncCase):
    """The test pattern."""

    @asynchronous
    async def test_frames(self) -> None:
        """Frames have their size, follow each other in RTP's clock, and differ."""
        first, second = await video(2, 322, 242)
        self.assertEqual((first.width, first.height, first.format.name), (322, 242, "yuv420p"))
        self.assertEqual([first.pts, second.pts], [0, 9000])
        self.assertEqual(first.time_base, Fraction(1, 90_000))
        self.assertNotEqual(bytes(first.planes[0]), bytes(second.planes[0]))

    @asynchronous
    async def test_clock(self) -> None:
        """The clock shows the time of the wall."""
        shown = []
        for now in (0.0, 0.0, 0.1, 3600.0):
            frame: Any = await Pattern(640, 480, pace(10), functools.partial(float, now)).recv()
            shown.append(bytes(frame.planes[0]))
        self.assertEqual(shown[0], shown[1])
        self.assertEqual(len(set(shown)), 3)

    @asynchronous
    async def test_end(self) -> None:
        """A track that was stopped has no more frames."""
        for track in (Pattern(64, 48, pace(10)), Tone(pace(50))):
            track.stop()
            with self.assertRaises(MediaStreamError):
                await track.recv()


class ToneTests(AsyncCase):
    """The tone."""

    @asynchronous
    async def test_wave(self) -> None:
        """It is one unbroken sine of 480 Hz, 20 ms a frame."""
        frames = await audio(5)
        self.assertEqual([frame.pts for frame in frames], [0, 960, 1920, 2880, 3840])
        self.assertEqual((frames[0].sample_rate, frames[0].format.name, frames[0].layout.name), (48000, "s16", "mono"))
        samples = array("h")
        for frame in frames:
            samples.frombytes(bytes(frame.planes[0])[: 2 * 960])
        for index, sample in enumerate(samples):
            expected = LOUDNESS * 32767 * math.sin(2 * math.pi * 480 * index / 48000)
            self.assertLess(abs(sample - expected), 1.5)


class PatternAndToneTests(AsyncCase):
    """What is sent by default."""

    @asynchronous
    async def test_tracks(self) -> None:
        """It is a track of each kind, which end with it."""
        media = PatternAndTone(64, 48, 10)
        tracks = media.tracks()
        self.assertEqual([track.kind for track in tracks], ["video", "audio"])
        self.assertTrue(media.sends("video"))
        await media.stop()
        self.assertEqual({track.readyState for track in tracks}, {"ended"})


class BaseTests(AsyncCase):
    """The base class of media."""

    @asynchronous
    async def test_nothing(self) -> None:
        """It sends nothing and lets everything pass."""
        media = Media()
        self.assertEqual(list(media.tracks()), [])
        media.receives("video")
        media.frame("video", VideoFrame(16, 16, "yuv420p"))
        await media.stop()


class CounterTests(AsyncCase):
    """The counting of frames."""

    @asynchronous
    async def test_counts(self) -> None:
        """Frames pass and are counted; the end passes and is not."""
        source = Pattern(64, 48, pace(10))
        counter = Counter(source)
        self.assertEqual(counter.kind, "video")
        for _ in range(3):
            await counter.recv()
        source.stop()
        with self.assertRaises(MediaStreamError):
            await counter.recv()
        self.assertEqual(counter.frames, 3)


class EchoTests(AsyncCase):
    """The echo."""

    @asynchronous
    async def test_gives_back(self) -> None:
        """Frames come back in their order, each kind on its track."""
        media = Echo()
        tracks = {track.kind: track for track in media.tracks()}
        frames = await video(2)
        for frame in frames:
            media.frame("video", frame)
        self.assertEqual([await tracks["video"].recv() for _ in frames], frames)
        await media.stop()

    @asynchronous
    async def test_sends_what_it_receives(self) -> None:
        """It has nothing to send of a kind that does not come."""
        media = Echo()
        media.receives("audio")
        self.assertEqual((media.sends("audio"), media.sends("video")), (True, False))

    @asynchronous
    async def test_bounded(self) -> None:
        """When nobody fetches them, only the newest frames are kept."""
        track = EchoTrack("video")
        frames = await video(ECHO_FRAMES + 3)
        for frame in frames:
            track.put(frame)
        self.assertEqual([await track.recv() for _ in range(ECHO_FRAMES)], frames[3:])

    @asynchronous
    async def test_end(self) -> None:
        """The end reaches those who wait and those who come."""
        track = EchoTrack("audio")
        waiting = asyncio.ensure_future(track.recv())
        await asyncio.sleep(0)
        track.stop()
        with self.assertRaises(MediaStreamError):
            await waiting
        with self.assertRaises(MediaStreamError):
            await track.recv()


class RecordingTests(AsyncCase):
    """The recording."""

    def path(self, name: str) -> Path:
        """Return a path in a directory of the test's own."""
        directory = Path(self.mktemp())
        directory.mkdir()
        return directory / name

    async def record(self, path: Path, kinds: str = "audio video") -> Recording:
        """Record a second of these kinds."""
        recording = Recording(path)
        for kind in kinds.split():
            recording.expect(kind)
        for frame in await audio(50) if "audio" in kinds else ():
            recording.put("audio", frame)
        for frame in await video(10) if "video" in kinds else ():
            recording.put("video", frame)
        await recording.stop()
        return recording

    @asynchronous
    async def test_webm(self) -> None:
        """A .webm file has VP8 and Opus, with every frame."""
        path = self.path("a.webm")
        recording = await self.record(path)
        self.assertEqual(recording.frames, {"audio": 50, "video": 10})
        found = contents(path)
        self.assertEqual(found["video"], ("vp8", 10))
        self.assertEqual(found["audio"][0], "opus")

    @asynchronous
    async def test_mp4(self) -> None:
        """A .mp4 file has H.264 and AAC, with every frame."""
        path = self.path("a.mp4")
        await self.record(path)
        found = contents(path)
        self.assertEqual(found["video"], ("h264", 10))
        self.assertEqual(found["audio"][0], "aac")

    @asynchronous
    async def test_wav(self) -> None:
        """A .wav file has the sound alone."""
        path = self.path("a.wav")
        recording = await self.record(path)
        self.assertEqual(recording.frames, {"audio": 50, "video": 0})
        self.assertEqual(list(contents(path)), ["audio"])

    @asynchronous
    async def test_one_kind_never_comes(self) -> None:
        """A kind that was expected and did not come is left out, after a while or at the end."""
        path = self.path("a.webm")
        recording = Recording(path)
        recording.expect("audio")
        recording.expect("video")
        for frame in await video(10):
            recording.put("video", frame)
        await recording.stop()
        self.assertEqual(contents(path), {"video": ("vp8", 10)})

        fake = FakeTime()
        path = self.path("b.webm")
        recording = Recording(path, fake.clock)
        recording.expect("audio")
        recording.expect("video")
        fake.now += 4
        for frame in await video(10):
            recording.put("video", frame)
        for frame in await audio(5):
            recording.put("audio", frame)
        await recording.stop()
        self.assertEqual(recording.frames, {"audio": 0, "video": 10})

    @asynchronous
    async def test_changing_size(self) -> None:
        """Video whose size changes, as browsers' does, is scaled to the first size."""
        path = self.path("a.webm")
        recording = Recording(path)
        recording.expect("video")
        frames = await video(5) + await video(5, 128, 96)
        for index, frame in enumerate(frames):
            frame.pts = index * 9000
            recording.put("video", frame)
        await recording.stop()
        self.assertEqual(contents(path), {"video": ("vp8", 10)})

    @asynchronous
    async def test_nothing_came(self) -> None:
        """A recording of nothing is no error."""
        recording = Recording(self.path("a.mp4"))
        await recording.stop()
        self.assertEqual(recording.frames, {"audio": 0, "video": 0})

    @asynchronous
    async def test_too_slow(self) -> None:
        """Frames that the encoder cannot follow are lost, not kept without bound."""
        path = self.path("a.wav")
        recording = Recording(path)
        for frame in await audio(RECORD_FRAMES + 500):
            recording.put("audio", frame)
        await recording.stop()
        self.assertGreaterEqual(recording.frames["audio"], RECORD_FRAMES)

    def test_unwritable(self) -> None:
        """A file that cannot be written is told with a sentence, before anything is recorded."""
        error = self.assertRaises(MediaError, Recording, Path("/nonexistent/a.mp4"))
        self.assertEqual(str(error), "The file /nonexistent/a.mp4 cannot be written: No such file or directory.")
        path = self.path("a.xyz")
        error = self.assertRaises(MediaError, Recording, path)
        self.assertEqual(str(error), f"The file {path} cannot be written: its name has no known ending.")

    @asynchronous
    async def test_encoder_fails(self) -> None:
        """What the encoder refuses is told at the end, with the other media stopped all the same."""
        path = self.path("a.mp4")
        recorded = Recorded(PatternAndTone(64, 48, 10), Recording(path))
        recorded.receives("video")
        recorded.frame("video", VideoFrame(15, 15, "yuv420p"))
        await recorded.stop()
        self.assertEqual(recorded.error, f"The file {path} could not be written.")
        self.assertEqual({track.readyState for track in recorded.tracks()}, {"ended"})

    @asynchronous
    async def test_recorded_media(self) -> None:
        """Recorded media sends what the other sends, and both get what comes."""
        path = self.path("a.webm")
        echo = Echo()
        recorded = Recorded(echo, Recording(path))
        self.assertEqual(list(recorded.tracks()), list(echo.tracks()))
        recorded.receives("video")
        self.assertEqual((recorded.sends("video"), recorded.sends("audio")), (True, False))
        frames = await video(3)
        for frame in frames:
            recorded.frame("video", frame)
        self.assertEqual(await echo.tracks()[0].recv(), frames[0])
        await recorded.stop()
        self.assertIsNone(recorded.error)
        self.assertEqual(contents(path), {"video": ("vp8", 3)})


class FileTests(AsyncCase):
    """The playing of a file."""

    @asynchronous
    async def test_plays(self) -> None:
        """Its frames come, each kind on a track of its own, until it ends."""
        path = Path(self.mktemp()).with_suffix(".webm")
        recording = Recording(path)
        recording.expect("audio")
        recording.expect("video")
        for frame in await audio(10):
            recording.put("audio", frame)
        for frame in await video(2):
            recording.put("video", frame)
        await recording.stop()
        media = File(path)
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
        """A file that is not played to its end, or not at all, is closed without delay."""
        path = Path(self.mktemp()).with_suffix(".wav")
        recording = Recording(path)
        recording.expect("audio")
        for frame in await audio(250):
            recording.put("audio", frame)
        await recording.stop()
        before = time.monotonic()
        media = File(path)
        self.assertEqual([track.kind for track in media.tracks()], ["audio"])
        await media.tracks()[0].recv()
        await media.stop()
        await File(path).stop()
        self.assertLess(time.monotonic() - before, 3)

    def test_unplayable(self) -> None:
        """A file that is not there, is no media, or has neither sound nor pictures is told with a sentence."""
        directory = Path(self.mktemp())
        directory.mkdir()
        error = self.assertRaises(MediaError, File, directory / "none.webm")
        self.assertEqual(str(error), f"The file {directory}/none.webm cannot be played: No such file or directory.")
        text = directory / "text.webm"
        text.write_text("no media")
        error = self.assertRaises(MediaError, File, text)
        self.assertEqual(str(error), f"The file {text} cannot be played: Invalid data found when processing input.")
        subtitles = directory / "words.srt"
        subtitles.write_text("1\n00:00:01,000 --> 00:00:02,000\nHello\n\n")
        error = self.assertRaises(MediaError, File, subtitles)
        self.assertEqual(str(error), f"The file {subtitles} has neither video nor audio.")
