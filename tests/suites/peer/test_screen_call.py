"""Tests `signald-peer screen` through the real daemon; the viewer is a peer in this process."""

from __future__ import annotations

import argparse
import asyncio
import os
import threading
from typing import Any

from signald_client.command import parse_arguments
from signald_client.control.console import Console
from signald_client.control.screen_capture import find_display
from signald_client.control.screen_share import ScreenShare
from signald_client.data_channel import MemberChannel
from signald_client.errors import ControlError
from signald_client.exit_status import EXIT_FLOWED, EXIT_NO_CALL
from signald_client.peer import Peer
from signald_client.signaling.session_ids import find_session_id
from tests.suites.peer.case import SmallMedia, asynchronous, make_media
from tests.suites.peer.test_call import CallCase
from tests.support.x_display import XDisplay

CODE = "ABCDE-FGHJK"


class Viewer:
    """A viewer that asks for control with a code, presses a key, and waits for the end."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []

    def connection_opened(self, member: MemberChannel) -> None:
        """Do nothing."""

    def channel_ready(self, member: MemberChannel) -> None:
        """Do nothing."""

    def message_received(self, member: MemberChannel, message: dict[str, Any]) -> None:
        """Record a message, and react to it."""
        self.received.append(message)
        if message["type"] == "control-offer":
            member.send_message({"type": "control-request", "version": 1, "embedded": False, "code": CODE})
        elif message["type"] == "control-granted":
            member.send_message({"type": "control-key", "code": "KeyA", "down": True})

    def connection_closed(self, member: MemberChannel) -> None:
        """Do nothing."""


class ScreenCallTests(CallCase):
    """The command in this process."""

    def setUp(self) -> None:
        """Start the X server."""
        self.display = XDisplay("640x480")
        self.addCleanup(self.display.close)

    def options(self, *options: str) -> list[str]:
        """Return the command line that shares the X server's screen."""
        return ["screen", "--display", self.display.name, *options]

    @asynchronous
    async def test_control(self) -> None:
        """A viewer sees the screen, gets control with the code, and presses a key; the end releases it."""
        daemon = self.start_daemon()
        code = self.file("code")
        code.write_text(CODE + "\n")
        server = ["--server", self.address(daemon).url, "--ca", str(self.data / "ca.pem"), "--duration", "8"]
        control = ["--control", "code", "--control-code-file", str(code), "--unverified", "--rate", "10"]
        running = self.start_call(*self.options(*control, *server))
        session = find_session_id(await self.err.linked)
        viewer, made = Viewer(), list[SmallMedia]()
        peer = Peer(self.address(daemon), make_media(made), trust=self.trust(), channels=viewer)
        await peer.connect()
        await peer.join_session(session)
        while self.display.pressed() != ["a"]:
            await asyncio.sleep(0.02)
        while made[0].counts["video"] < 5:
            await asyncio.sleep(0.02)
        self.assertEqual(await running, EXIT_FLOWED)
        self.assertEqual(self.display.pressed(), [])
        self.assertEqual(self.report()["control"], {"grants": 1, "events": 1, "refused": {}})
        self.assertIn("presence", [message["type"] for message in viewer.received])
        await peer.close()

    @asynchronous
    async def test_what_cannot_start(self) -> None:
        """A short code, a missing file, and a display that does not exist are one sentence each, and status 2."""
        short = self.file("short")
        short.write_text("1234567")
        for options, words in (
            (self.options("--control", "code", "--control-code-file", str(short)), "at least 8 symbols"),
            (self.options("--control", "code", "--control-code-file", str(short) + "-missing"), "cannot be read"),
            (self.options("--control", "ask", "--emergency-key", "Hyper_Q"), "Hyper_Q"),
            (["screen", "--display", ":9999"], "cannot be opened"),
        ):
            self.assertEqual(await self.start_call(*options), EXIT_NO_CALL)
            self.assertIn(words, self.err.getvalue())
            self.assertEqual(len(self.err.getvalue().splitlines()), 1, self.err.getvalue())

    @asynchronous
    async def test_generated_code(self) -> None:
        """Without a file the program makes a code; a server that is not there ends it with status 2."""
        status = await self.start_call(*self.options("--control", "code", "--server", "wss://127.0.0.1:9/ws"))
        self.assertEqual(status, EXIT_NO_CALL)
        self.assertRegex(self.err.getvalue(), r"The code for control is [0-9A-Z]{5}-[0-9A-Z]{5}\.")

    def test_no_display(self) -> None:
        """Without a display, and in a Wayland session, a sentence says why nothing can be shared."""
        for variables, words in (({}, "DISPLAY is not set"), ({"WAYLAND_DISPLAY": "wayland-0"}, "Wayland")):
            self.patch(os, "environ", variables)
            error = self.assertRaises(ControlError, find_display, None)
            self.assertIn(words, str(error))
        self.patch(os, "environ", {"DISPLAY": self.display.name})
        self.assertEqual(find_display(None), self.display.name)


class ShareTests(CallCase):
    """The shared screen without a call."""

    def setUp(self) -> None:
        """Start the X server."""
        self.display = XDisplay("640x480")
        self.addCleanup(self.display.close)

    def options(self, *options: str) -> argparse.Namespace:
        """Return the parsed command line."""
        return parse_arguments(["screen", "--display", self.display.name, "--rate", "20", *options])

    @asynchronous
    async def test_another_size(self) -> None:
        """When the screen gets another size, the pictures have it from then on, in each track."""
        share = await ScreenShare.start(self.options())
        media = share.make_media()
        (track,) = media.tracks()
        frame: Any = await track.recv()
        self.assertEqual((frame.width, frame.height), (640, 480))
        self.display.resize(320, 240)
        while (frame.width, frame.height) != (320, 240):
            frame = await track.recv()
        await media.stop()
        await share.close()

    @asynchronous
    async def test_closed_while_the_screen_is_gone(self) -> None:
        """A capture whose X server has ended tries again, and can be closed meanwhile."""
        failures: list[threading.ExceptHookArgs] = []
        self.patch(threading, "excepthook", failures.append)
        display = XDisplay("320x240")
        share = await ScreenShare.start(parse_arguments(["screen", "--display", display.name]))
        media = share.make_media()
        (track,) = media.tracks()
        await track.recv()
        display.close()
        await asyncio.sleep(1.5)
        await share.close()
        await media.stop()
        self.assertEqual(failures, [])

    @asynchronous
    async def test_a_screen_that_cannot_be_captured(self) -> None:
        """Where the screen cannot be captured, a sentence says so, and the injecting process has ended."""
        for control in ("ask", "never"):
            options = self.options("--control", control)
            options.rate = -1.0
            try:
                await ScreenShare.start(options)
            except ControlError as error:
                self.assertIn("cannot be captured", str(error))
            else:
                self.fail("it started")
        self.assertEqual(self.display.windows(), [])


class ConsoleTests(CallCase):
    """The terminal."""

    @asynchronous
    async def test_lines(self) -> None:
        """Lines arrive one by one, trimmed and in lower case, until the input ends."""
        reading, writing = os.pipe()
        kept = os.dup(0)
        os.dup2(reading, 0)
        os.close(reading)
        lines: list[str] = []
        try:
            console = Console(lines.append)
            os.write(writing, b"YES\n  same 1 \nst")
            await asyncio.sleep(0.1)
            os.write(writing, b"op\n\xff\n")
            os.close(writing)
            await asyncio.sleep(0.1)
            console.close()
        finally:
            os.dup2(kept, 0)
            os.close(kept)
        self.assertEqual(lines, ["yes", "same 1", "stop", "\ufffd"])

    @asynchronous
    async def test_nothing_to_read(self) -> None:
        """A terminal from which another program has read the line first is read again."""
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        kept = os.dup(0)
        os.dup2(reading, 0)
        os.close(reading)
        lines: list[str] = []
        try:
            console = Console(lines.append)
            console._read()
            os.write(writing, b"stop\n")
            await asyncio.sleep(0.1)
            console.close()
        finally:
            os.dup2(kept, 0)
            os.close(kept)
            os.close(writing)
        self.assertEqual(lines, ["stop"])

    @asynchronous
    async def test_a_terminal_that_is_gone(self) -> None:
        """A terminal that was closed is not read again, though it stays readable."""
        # Reading this end fails with EIO when the other one is closed, as with a terminal that has hung up.
        end, terminal = os.openpty()
        kept = os.dup(0)
        os.dup2(end, 0)
        os.close(end)
        loop = asyncio.get_running_loop()
        failures: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda loop, context: failures.append(context))
        self.addCleanup(loop.set_exception_handler, None)
        lines: list[str] = []
        try:
            console = Console(lines.append)
            os.write(terminal, b"no\n")
            await asyncio.sleep(0.1)
            os.close(terminal)
            await asyncio.sleep(0.1)
            self.assertFalse(loop.remove_reader(0))
            console.close()
        finally:
            os.dup2(kept, 0)
            os.close(kept)
        self.assertEqual((lines, failures), (["no"], []))
