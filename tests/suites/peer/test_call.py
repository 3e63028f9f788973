"""Tests calls of the command `signald-peer` through the real daemon."""

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

from signald_client.call import run_call
from signald_client.command import parse_arguments
from signald_client.exit_status import EXIT_FLOWED, EXIT_NO_CALL, EXIT_NOT_FLOWED
from signald_client.pattern import PatternAndTone
from signald_client.peer import Peer
from signald_client.recording import Recording
from signald_client.signaling.messages import Knock
from signald_client.signaling.session_ids import find_session_id
from signald_client.signaling.wire import Value
from tests.suites.peer.case import AsyncCase, SmallMedia, asynchronous, make_media

reactor: Any = installed

SMALL = ["--size", "64x48", "--rate", "10"]


class WatchedStderr(io.StringIO):
    """A standard error that a test can wait for.

    Attributes:
        linked: a future that completes with the link once the link was written.

    """

    def __init__(self) -> None:
        super().__init__()
        self.linked: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def write(self, text: str) -> int:
        """Store the text, and complete `linked` when the text contains a link."""
        for line in text.splitlines():
            if line.startswith("https://"):
                self.linked.set_result(line)
        return super().write(text)


class CallCase(AsyncCase):
    """A test case that runs the command."""

    def start_call(self, *arguments: str) -> asyncio.Task[int]:
        """Start a call with these command-line arguments, and capture its output."""
        self.out, self.err = io.StringIO(), WatchedStderr()
        self.patch(sys, "stdout", self.out)
        self.patch(sys, "stderr", self.err)
        for number in (signal.SIGINT, signal.SIGTERM):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        return asyncio.ensure_future(run_call(parse_arguments([*arguments]), reactor))

    def report(self) -> dict[str, Any]:
        """Return the report, which must be the whole standard output."""
        report: dict[str, Any] = json.loads(self.out.getvalue())
        return report

    def file(self, name: str) -> Path:
        """Return a path in a new directory."""
        directory = Path(self.mktemp())
        directory.mkdir()
        return directory / name


class RealCallTests(CallCase):
    """Tests of calls in which the other member is a `Peer` in this process."""

    def setUp(self) -> None:
        """Start the daemon."""
        daemon = self.start_daemon()
        self.server = self.address(daemon)
        self.shared = ["--ca", str(self.data / "ca.pem"), *SMALL]

    async def other_side(self) -> tuple[Peer, list[SmallMedia]]:
        """Return a connected peer, and the list of the media that it creates."""
        made: list[SmallMedia] = []
        peer = Peer(self.server, make_media(made), trust=self.trust(), reactor=reactor)
        await peer.connect()
        return peer, made

    async def hosted(self) -> tuple[Peer, list[SmallMedia], str]:
        """Return a peer that has opened a session, its media, and the link to the session."""
        peer, made = await self.other_side()
        return peer, made, self.server.link(await peer.open_session())

    @asynchronous
    async def test_host(self) -> None:
        """The host prints id and link, and ends after its guest has left; status 0 means that media flowed."""
        running = self.start_call("host", "--server", self.server.url, *self.shared)
        link = await self.err.linked
        session = find_session_id(link)
        guest, made = await self.other_side()
        await guest.join_session(session)
        await made[0].flowing
        await guest.close()
        self.assertEqual(await running, EXIT_FLOWED)
        self.assertEqual(find_session_id(self.err.getvalue().splitlines()[0]), session)
        self.assertEqual(len(self.err.getvalue().splitlines()), 2)
        report = self.report()
        self.assertEqual((report["session"], report["reason"], report["flowed"]), (session, "left", True))
        self.assertGreater(min(report["video-frames-sent"], report["audio-packets-received"]), 0)

    @asynchronous
    async def test_join(self) -> None:
        """The guest joins with the link alone, and prints nothing but the report."""
        host, made, link = await self.hosted()
        running = self.start_call("join", link, *self.shared)
        while not made:
            await asyncio.sleep(0.01)
        await made[0].flowing
        await host.close()
        self.assertEqual(await running, EXIT_FLOWED)
        self.assertEqual((self.report()["reason"], self.err.getvalue()), ("host-left", ""))

    @asynchronous
    async def test_duration(self) -> None:
        """The call ends after its duration, even without another member."""
        running = self.start_call("host", "--server", self.server.url, "--duration", "0.1", *self.shared)
        self.assertEqual(await running, EXIT_NOT_FLOWED)
        self.assertEqual(self.report()["reason"], "duration")

    @asynchronous
    async def test_echo(self) -> None:
        """With --echo received media is sent back."""
        host, made, link = await self.hosted()
        running = self.start_call("join", link, "--echo", *self.shared)
        while not made:
            await asyncio.sleep(0.01)
        await made[0].flowing
        await host.close()
        self.assertEqual(await running, EXIT_FLOWED)
        self.assertEqual(self.report()["reason"], "host-left")

    @asynchronous
    async def test_play_and_record(self) -> None:
        """With --play a file is sent, and with --record received media is written into another file."""
        source, target = self.file("source.webm"), self.file("target.webm")
        await record_pattern(source, seconds=2)
        host, made, link = await self.hosted()
        running = self.start_call("join", link, "--play", str(source), "--record", str(target), *self.shared)
        while not made:
            await asyncio.sleep(0.01)
        await made[0].flowing
        await host.close()
        self.assertEqual(await running, EXIT_FLOWED, self.err.getvalue())
        with av.open(str(target)) as container:
            self.assertEqual(sorted(stream.type for stream in container.streams), ["audio", "video"])

    @asynchronous
    async def test_recording_fails(self) -> None:
        """A recording that cannot be written makes the call fail, even when media flowed."""
        target = self.file("target.webm")
        target.symlink_to("/dev/full")
        host, made, link = await self.hosted()
        running = self.start_call("join", link, "--record", str(target), *self.shared)
        while not made:
            await asyncio.sleep(0.01)
        await made[0].flowing
        await host.close()
        self.assertEqual(await running, EXIT_NOT_FLOWED)
        self.assertEqual(self.err.getvalue(), f"signald-peer: The file {target} could not be written.\n")

    @asynchronous
    async def test_two_recordings(self) -> None:
        """Each member is recorded into a separate file."""
        target = self.file("target.webm")
        running = self.start_call(
            "host", "--capacity", "3", "--server", self.server.url, "--record", str(target), *self.shared
        )
        session = find_session_id(await self.err.linked)
        guests = [await self.other_side() for _ in range(2)]
        for guest, made in guests:
            await guest.join_session(session)
            for media in made:
                await media.flowing
        for guest, _ in guests:
            await guest.close()
        self.assertEqual(await running, EXIT_FLOWED)
        self.assertTrue(target.with_name("target-2.webm").stat().st_size)

    @asynchronous
    async def test_admitted(self) -> None:
        """With name and password the guest waits in the lobby, prints that it waits, and joins once admitted."""
        knocks: asyncio.Queue[Knock] = asyncio.Queue()

        def collect(event: Value) -> None:
            if isinstance(event, Knock):
                knocks.put_nowait(event)

        made: list[SmallMedia] = []
        host = Peer(self.server, make_media(made), trust=self.trust(), on_event=collect, reactor=reactor)
        await host.connect()
        link = self.server.link(await host.open_session(password="pw", lobby=True))
        running = self.start_call("join", link, "--name", "Ann", "--password", "pw", *self.shared)
        knock = await knocks.get()
        self.assertEqual(knock.name, "Ann")
        await host.admit_user(knock.user)
        await made[0].flowing
        await host.close()
        self.assertEqual(await running, EXIT_FLOWED)
        self.assertEqual(self.err.getvalue(), "Waiting to be admitted.\n")

    @asynchronous
    async def test_signals(self) -> None:
        """SIGTERM and SIGINT end the call with a report; the exit status shows that no media flowed."""
        for number in (signal.SIGTERM, signal.SIGINT):
            running = self.start_call("host", "--server", self.server.url, *self.shared)
            await self.err.linked
            os.kill(os.getpid(), number)
            self.assertEqual(await running, EXIT_NOT_FLOWED)
            self.assertEqual((self.report()["reason"], self.report()["members"]), ("interrupted", []))

    @asynchronous
    async def test_no_media(self) -> None:
        """When neither side sends media, the exit status and a sentence report that no media flowed."""
        running = self.start_call("host", "--server", self.server.url, "--echo", "--duration", "2", *self.shared)
        session = find_session_id(await self.err.linked)
        guest = Peer(self.server, StoppedMedia, trust=self.trust(), reactor=reactor)
        await guest.connect()
        await guest.join_session(session)
        self.assertEqual(await running, EXIT_NOT_FLOWED)
        self.assertIn("signald-peer: Media did not flow both ways.\n", self.err.getvalue())
        await guest.close()

    @asynchronous
    async def test_token_file(self) -> None:
        """The client sends the file's token in `hello`, and reports a token that the server refuses."""
        path = self.file("token")
        path.write_text("invalid\n")
        running = self.start_call("host", "--server", self.server.url, "--token-file", str(path), *self.shared)
        self.assertEqual(await running, EXIT_NOT_FLOWED)
        self.assertEqual(self.report()["reason"], "token-invalid")

    @asynchronous
    async def test_refused(self) -> None:
        """A refused join is reported with the server's message, and the error's code is the report's reason."""
        running = self.start_call("join", "000-0000-000", "--server", self.server.url, *self.shared)
        self.assertEqual(await running, EXIT_NOT_FLOWED)
        self.assertEqual(self.err.getvalue(), "signald-peer: This session does not exist.\n")
        self.assertEqual(self.report()["reason"], "unknown-session")

    @asynchronous
    async def test_no_call_possible(self) -> None:
        """An option with wrong content, and an unreachable server, are reported in one sentence."""
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
            self.assertEqual(await self.start_call(*line.split()), EXIT_NO_CALL, line)
            self.assertEqual((self.out.getvalue(), self.err.getvalue()), ("", f"signald-peer: {sentence}\n"))

    @asynchronous
    async def test_as_a_command(self) -> None:
        """As processes, host and guest print the link and the report, and nothing else."""
        process = await self.process("host", "--server", self.server.url, *self.shared)
        assert process.stderr is not None
        await process.stderr.readline()
        session = find_session_id((await process.stderr.readline()).decode())
        guest, made = await self.other_side()
        await guest.join_session(session)
        await made[0].flowing
        await guest.close()
        await self.assert_success(process)

        host, made, link = await self.hosted()
        process = await self.process("join", link, *self.shared)
        while not made:
            await asyncio.sleep(0.01)
        await made[0].flowing
        await host.close()
        await self.assert_success(process)

    async def assert_success(self, process: asyncio.subprocess.Process) -> None:
        """Wait for the end of a process, and assert that it wrote its report and no error."""
        out, err = await process.communicate()
        self.assertEqual((process.returncode, err), (EXIT_FLOWED, b""))
        self.assertTrue(json.loads(out)["flowed"])

    async def process(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start the command in a process of Python's development mode, which warns about leaked resources."""
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


class StoppedMedia(SmallMedia):
    """Negotiates audio and video, and never sends a frame."""

    def tracks(self) -> Any:
        """Return tracks that are stopped already."""
        for track in super().tracks():
            track.stop()
        return super().tracks()


async def record_pattern(path: Path, seconds: int) -> None:
    """Record the pattern and the tone into a file."""
    recording = Recording(path)
    media = PatternAndTone(64, 48, 10)
    for track in media.tracks():
        recording.expect_kind(track.kind)
    for track in media.tracks():
        for _ in range(seconds * (10 if track.kind == "video" else 50)):
            try:
                recording.put_frame(track.kind, await track.recv())  # type: ignore[arg-type] # decoded, as all frames of these tracks are
            except MediaStreamError:
                break
    await media.stop()
    await recording.stop()
