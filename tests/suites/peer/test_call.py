"""The command's calls, with the real daemon."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import av
from aiortc.mediastreams import MediaStreamError
from twisted.internet import reactor as installed

from signald_client.call import call
from signald_client.command import FLOWED, NOT_FLOWED, USAGE, parse
from signald_client.media import PatternAndTone, Recording
from signald_client.peer import Peer
from signald_client.signaling.messages import Knock
from signald_client.signaling.session_ids import find_session_id
from signald_client.signaling.wire import Value
from tests.suites.peer.case import AsyncCase, SmallMedia, asynchronous, make_media

reactor: Any = installed

SMALL = ["--size", "64x48", "--rate", "10"]


class Lines(io.StringIO):
    """Standard error, which can be waited on.

    Attributes:
        linked: done with the link when it was written.

    """

    def __init__(self) -> None:
        super().__init__()
        self.linked: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def write(self, text: str) -> int:
        """Keep the text."""
        for line in text.splitlines():
            if line.startswith("https://"):
                self.linked.set_result(line)
        return super().write(text)


class CallCase(AsyncCase):
    """A test case that makes calls."""

    def begin(self, *arguments: str) -> asyncio.Task[int]:
        """Begin the call of a command line; what it writes is kept."""
        self.out, self.err = io.StringIO(), Lines()
        self.patch(sys, "stdout", self.out)
        self.patch(sys, "stderr", self.err)
        for number in (signal.SIGINT, signal.SIGTERM):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        return asyncio.ensure_future(call(parse([*arguments]), reactor))

    def report(self) -> dict[str, Any]:
        """Return the report, which is all that is on standard output."""
        report: dict[str, Any] = json.loads(self.out.getvalue())
        return report

    def file(self, name: str) -> Path:
        """Return a path for a file of the test's own."""
        directory = Path(self.mktemp())
        directory.mkdir()
        return directory / name


class RealCallTests(CallCase):
    """Calls in which the other side is the library."""

    def setUp(self) -> None:
        """Start the daemon."""
        daemon = self.start_daemon()
        self.server = self.address(daemon)
        self.shared = ["--ca", str(self.data / "ca.pem"), *SMALL]

    async def other_side(self) -> tuple[Peer, list[SmallMedia]]:
        """Return a connected peer, and the list of the media that it makes."""
        made: list[SmallMedia] = []
        peer = Peer(self.server, make_media(made), trust=self.trust(), reactor=reactor)
        await peer.connect()
        return peer, made

    async def hosted(self) -> tuple[Peer, list[SmallMedia], str]:
        """Return a peer that has opened a session, its media, and the link to the session."""
        peer, made = await self.other_side()
        return peer, made, self.server.link(await peer.open())

    @asynchronous
    async def test_host(self) -> None:
        """The host shows ID and link, waits, and ends with its guest; the status says that media flowed."""
        running = self.begin("host", "--server", self.server.url, *self.shared)
        link = await self.err.linked
        session = find_session_id(link)
        guest, made = await self.other_side()
        await guest.join(session)
        await made[0].flowing
        await guest.close()
        self.assertEqual(await running, FLOWED)
        self.assertEqual(find_session_id(self.err.getvalue().splitlines()[0]), session)
        self.assertEqual(len(self.err.getvalue().splitlines()), 2)
        report = self.report()
        self.assertEqual((report["session"], report["reason"], report["flowed"]), (session, "left", True))
        self.assertGreater(min(report["video-frames-sent"], report["audio-packets-received"]), 0)

    @asynchronous
    async def test_join(self) -> None:
        """The guest joins by the link alone, in silence."""
        host, made, link = await self.hosted()
        running = self.begin("join", link, *self.shared)
        while not made:
            await asyncio.sleep(0.01)
        await made[0].flowing
        await host.close()
        self.assertEqual(await running, FLOWED)
        self.assertEqual((self.report()["reason"], self.err.getvalue()), ("host-left", ""))

    @asynchronous
    async def test_duration(self) -> None:
        """The call ends when its time is over, others or not."""
        running = self.begin("host", "--server", self.server.url, "--duration", "0.1", *self.shared)
        self.assertEqual(await running, NOT_FLOWED)
        self.assertEqual(self.report()["reason"], "duration")

    @asynchronous
    async def test_echo(self) -> None:
        """With --echo the other side gets back what it sends."""
        host, made, link = await self.hosted()
        running = self.begin("join", link, "--echo", *self.shared)
        while not made:
            await asyncio.sleep(0.01)
        await made[0].flowing
        await host.close()
        self.assertEqual(await running, FLOWED)
        self.assertEqual(self.report()["reason"], "host-left")

    @asynchronous
    async def test_play_and_record(self) -> None:
        """With --play a file is sent, and with --record what comes is written into another."""
        source, target = self.file("source.webm"), self.file("target.webm")
        await record_pattern(source, seconds=2)
        host, made, link = await self.hosted()
        running = self.begin("join", link, "--play", str(source), "--record", str(target), *self.shared)
        while not made:
            await asyncio.sleep(0.01)
        await made[0].flowing
        await host.close()
        self.assertEqual(await running, FLOWED, self.err.getvalue())
        with av.open(str(target)) as container:
            self.assertEqual(sorted(stream.type for stream in container.streams), ["audio", "video"])

    @asynchronous
    async def test_recording_fails(self) -> None:
        """A recording that cannot be written makes the call a failure, media or not."""
        target = self.file("target.webm")
        target.symlink_to("/dev/full")
        host, made, link = await self.hosted()
        running = self.begin("join", link, "--record", str(target), *self.shared)
        while not made:
            await asyncio.sleep(0.01)
        await made[0].flowing
        await host.close()
        self.assertEqual(await running, NOT_FLOWED)
        self.assertEqual(self.err.getvalue(), f"signald-peer: The file {target} could not be written.\n")

    @asynchronous
    async def test_two_recordings(self) -> None:
        """Each member has a file of its own."""
        target = self.file("target.webm")
        running = self.begin(
            "host", "--capacity", "3", "--server", self.server.url, "--record", str(target), *self.shared
        )
        session = find_session_id(await self.err.linked)
        guests = [await self.other_side() for _ in range(2)]
        for guest, made in guests:
            await guest.join(session)
            for media in made:
                await media.flowing
        for guest, _ in guests:
            await guest.close()
        self.assertEqual(await running, FLOWED)
        self.assertTrue(target.with_name("target-2.webm").stat().st_size)

    @asynchronous
    async def test_admitted(self) -> None:
        """With name and password the guest waits for the host, which it says, and is in the call."""
        knocks: asyncio.Queue[Knock] = asyncio.Queue()

        def hear(event: Value) -> None:
            if isinstance(event, Knock):
                knocks.put_nowait(event)

        made: list[SmallMedia] = []
        host = Peer(self.server, make_media(made), trust=self.trust(), event=hear, reactor=reactor)
        await host.connect()
        link = self.server.link(await host.open(password="pw", lobby=True))
        running = self.begin("join", link, "--name", "Ann", "--password", "pw", *self.shared)
        knock = await knocks.get()
        self.assertEqual(knock.name, "Ann")
        await host.admit(knock.user)
        await made[0].flowing
        await host.close()
        self.assertEqual(await running, FLOWED)
        self.assertEqual(self.err.getvalue(), "Waiting to be admitted.\n")

    @asynchronous
    async def test_signal(self) -> None:
        """SIGTERM and SIGINT end the call in order, and without media the status says so."""
        for number in (signal.SIGTERM, signal.SIGINT):
            running = self.begin("host", "--server", self.server.url, *self.shared)
            await self.err.linked
            os.kill(os.getpid(), number)
            self.assertEqual(await running, NOT_FLOWED)
            self.assertEqual((self.report()["reason"], self.report()["members"]), ("interrupted", []))

    @asynchronous
    async def test_nobody_sends(self) -> None:
        """An echo of nothing is no media, which the status says with a sentence."""
        running = self.begin("host", "--server", self.server.url, "--echo", "--duration", "2", *self.shared)
        session = find_session_id(await self.err.linked)
        guest = Peer(self.server, Mute, trust=self.trust(), reactor=reactor)
        await guest.connect()
        await guest.join(session)
        self.assertEqual(await running, NOT_FLOWED)
        self.assertIn("signald-peer: Media did not flow both ways.\n", self.err.getvalue())
        await guest.close()

    @asynchronous
    async def test_refused(self) -> None:
        """A session that does not exist is told with the server's sentence, and is the report's reason."""
        running = self.begin("join", "000-0000-000", "--server", self.server.url, *self.shared)
        self.assertEqual(await running, NOT_FLOWED)
        self.assertEqual(self.err.getvalue(), "signald-peer: There is no such session.\n")
        self.assertEqual(self.report()["reason"], "unknown-session")

    @asynchronous
    async def test_cannot_be_tried(self) -> None:
        """What is wrong with the options' content, and a server that cannot be reached, is told in one sentence."""
        url = self.server.url
        cases = {
            "join ABC": "A session ID has ten letters and digits, like ABC-DEFG-HJK; this has 3.",
            "host --server nowhere": "'nowhere' is not the address of a server, like wss://localhost:9000/ws.",
            "host --ca /nonexistent": "The file /nonexistent cannot be read: No such file or directory.",
            "host --ca /dev/null": "The CA file holds no certificate in PEM form.",
            "host --play /nonexistent": "The file /nonexistent cannot be played: No such file or directory.",
            "host --record /nonexistent/a.mp4": (
                "The file /nonexistent/a.mp4 cannot be written: No such file or directory."
            ),
            f"host --server {url}": (
                f"The certificate of {self.server.authority} is not trusted; name its authority with --ca FILE."
            ),
        }
        for line, sentence in cases.items():
            self.assertEqual(await self.begin(*line.split()), USAGE, line)
            self.assertEqual((self.out.getvalue(), self.err.getvalue()), ("", f"signald-peer: {sentence}\n"))

    @asynchronous
    async def test_as_a_command(self) -> None:
        """In processes of their own host and guest write the link and the report, and nothing else."""
        process = await self.process("host", "--server", self.server.url, *self.shared)
        assert process.stderr is not None
        await process.stderr.readline()
        session = find_session_id((await process.stderr.readline()).decode())
        guest, made = await self.other_side()
        await guest.join(session)
        await made[0].flowing
        await guest.close()
        await self.check_end(process)

        host, made, link = await self.hosted()
        process = await self.process("join", link, *self.shared)
        while not made:
            await asyncio.sleep(0.01)
        await made[0].flowing
        await host.close()
        await self.check_end(process)

    async def check_end(self, process: asyncio.subprocess.Process) -> None:
        """Wait for the end of a process, which has its report to write and nothing to complain about."""
        out, err = await process.communicate()
        self.assertEqual((process.returncode, err), (FLOWED, b""))
        self.assertTrue(json.loads(out)["flowed"])

    async def process(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start the command in a process of its own, in Python's development mode, which complains about leftovers."""
        code = "import sys; from signald_client.command import main; sys.exit(main())"
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-X",
            "dev",
            "-c",
            code,
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        self.addCleanup(lambda: process.kill() if process.returncode is None else None)
        return process


class Mute(SmallMedia):
    """Negotiates media and never sends any."""

    def tracks(self) -> Any:
        """Return tracks that were ended before they began."""
        for track in super().tracks():
            track.stop()
        return super().tracks()


async def record_pattern(path: Path, seconds: int) -> None:
    """Write a file of the pattern and the tone."""
    recording = Recording(path)
    media = PatternAndTone(64, 48, 10)
    for track in media.tracks():
        recording.expect(track.kind)
    for track in media.tracks():
        for _ in range(seconds * (10 if track.kind == "video" else 50)):
            try:
                recording.put(track.kind, await track.recv())  # type: ignore[arg-type] # decoded, as all of our own
            except MediaStreamError:
                break
    await media.stop()
    await recording.stop()
