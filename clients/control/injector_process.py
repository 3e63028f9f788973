"""The injecting process as its parent sees it: starts it, sends it commands, and reads its reports."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from attrs import asdict

from signald_client.control import control_messages as messages
from signald_client.errors import ControlError

__all__ = ["InjectorProcess"]

COMMANDS: dict[type, str] = {
    messages.Pointer: "pointer",
    messages.Button: "button",
    messages.Wheel: "wheel",
    messages.Key: "key",
    messages.Hold: "hold",
    messages.ClipboardText: "clipboard",
    messages.ClipboardRead: "clipboard-read",
}
"""The name of the command for each event."""

START_SECONDS = 10.0
"""Seconds within which the process has to be ready."""

END_SECONDS = 5.0
"""Seconds within which the process has to end when its input has ended, and in which what it held is released."""

MAX_BUFFERED = 262_144
"""Bytes that may wait in the pipe: more mean that the process, or the X server, hangs."""

MAX_REPORT = 131_072
"""Most bytes of a report."""

_log = logging.getLogger(__name__)


class InjectorProcess:
    """The process that owns the connection to the X server.

    Its standard input is the only thing that keeps it going: it releases everything when that ends, also when this
    process is killed.
    """

    def __init__(self, display: str | None, emergency_key: str, on_report: Callable[[dict[str, Any]], None]) -> None:
        """Prepare the process.

        Arguments:
            display: the X display; None for that of the environment.
            emergency_key: the name of the keysym of the key that ends the control.
            on_report: called with each report of the process, and with `failed` when it has ended by itself.

        """
        options = ["--emergency-key", emergency_key]
        self._display_options = [] if display is None else ["--display", display]
        self._options = [*self._display_options, *options]
        self._on_report = on_report
        self._process: Any = None
        self._reader: asyncio.Task[None] | None = None
        self._closing = False

    @property
    def pid(self) -> int:
        """The number of the process; 0 when there is none."""
        return 0 if self._process is None else self._process.pid

    async def start(self) -> None:
        """Start the process, and wait until it is ready.

        Raises:
            ControlError: the X server cannot be reached, or cannot be controlled safely.

        """
        process = self._process = await _start(self._options)
        try:
            async with asyncio.timeout(START_SECONDS):
                report = json.loads(await process.stdout.readline() or b'{"is": "failed"}')
        except TimeoutError:
            process.kill()
            report = {"is": "failed"}
        if report["is"] != "ready":
            await process.wait()
            self._process = None
            raise ControlError(report.get("sentence") or "The process that controls the computer did not start.")
        self._reader = asyncio.ensure_future(self._read_reports(process))

    def show(self, name: str) -> None:
        """Let events through, and show the notice on the screen with the viewer's name."""
        self._send({"do": "start", "name": name})

    def hide(self) -> None:
        """Release all keys and buttons, drop further events, and hide the notice on the screen."""
        self._send({"do": "stop"})

    def release_all(self) -> None:
        """Release every key and button."""
        self._send({"do": "release"})

    def inject(self, event: Any) -> None:
        """Inject an event of the viewer."""
        self._send({"do": COMMANDS[type(event)], **asdict(event)})

    async def close(self) -> None:
        """End the process, and wait until everything is released."""
        self._closing = True
        process = self._process
        if process is None or self._reader is None:
            return
        process.stdin.close()
        # A timeout around the task would cancel it, so that nobody would release what a killed process held.
        _, pending = await asyncio.wait([self._reader], timeout=END_SECONDS)
        if pending:
            process.kill()
        await self._reader

    def _send(self, command: dict[str, Any]) -> None:
        process = self._process
        if process is None or process.stdin.is_closing():
            return
        if process.stdin.transport.get_write_buffer_size() > MAX_BUFFERED:
            # Its successor in `_read_reports` releases what it holds.
            process.kill()
            return
        process.stdin.write(json.dumps(command).encode() + b"\n")

    async def _read_reports(self, process: Any) -> None:
        """Pass the reports on until the process ends; when it was killed, release what it held."""
        # A process that is killed may leave a report without its end.
        while (line := await process.stdout.readline()).endswith(b"\n"):
            self._on_report(json.loads(line))
        self._process = None
        if not self._closing:
            self._on_report({"is": "ended", "reason": "failed"})
        if await process.wait() != 0:
            await self._release()

    async def _release(self) -> None:
        _log.warning("The process that controls the computer has failed; what it held is released.")
        rescuer = await _start([*self._display_options, "--release"])
        try:
            async with asyncio.timeout(END_SECONDS):
                await rescuer.wait()
        except TimeoutError:
            rescuer.kill()
            await rescuer.wait()


async def _start(options: Sequence[str]) -> Any:
    """Start the process in a session of its own, so that no signal to this one's group reaches it."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        # Without the working directory, whose files anybody may have written.
        "-P",
        "-m",
        "signald_client.control.injector",
        *options,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        limit=MAX_REPORT,
    )
