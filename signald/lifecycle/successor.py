"""Upgrades the daemon: starts the successor, and hands sockets, users and sessions over once it is loaded.

The running process serves its clients until the successor has imported its code and checked its configuration. Then it
holds everything back that clients send, and passes on the state. From the moment at which the whole state is sent, the
process that is left serves the clients, whichever of the two that is: when the successor ends before it accepts
connections, the running process goes on; when the running process ends, the successor takes over (`predecessor`).
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from typing import Any, Protocol, assert_never

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import deferLater
from twisted.logger import Logger

from signald import __version__
from signald.core.messages import UserId
from signald.core.snapshot import FORMATS, Snapshot, dump
from signald.lifecycle.handover_channel import (
    PROTOCOL,
    Accepting,
    Channel,
    HandoverError,
    Loaded,
    Message,
    Refused,
    Start,
    State,
    Supervised,
    send_start,
)
from signald.lifecycle.sd_notify import Notifier

__all__ = [
    "HANDOVER_VARIABLE",
    "LOAD_SECONDS",
    "SETTLE_SECONDS",
    "TAKE_SECONDS",
    "RunningDaemon",
    "StartedProcess",
    "Upgrade",
    "launch",
    "successor_command",
]

HANDOVER_VARIABLE = "HANDOVER_SOCKET"
"""The environment variable that names the descriptor of the successor's end of the channel."""

LOAD_SECONDS = 120.0
"""Time for the successor to load; an interpreter's start takes 0.5 s of a quiet core."""

SETTLE_SECONDS = 10.0
"""Time for pending decisions and for writing the journal, while clients are served; a disk that hangs ends it."""

TAKE_SECONDS = 30.0
"""Time for the successor to restore the state and accept connections, while nobody is served: 0.1 ms for each user."""

BARRIER_SECONDS = 5.0
"""Time for the service manager to notice its new main process."""

POLL_SECONDS = 0.01
"""The interval at which the service manager's barrier is looked at."""

_MANAGER_VARIABLES = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_PID")
"""Variables that name this process. The successor gets its sockets over the channel, and its process ID is not known
before it exists; without `WATCHDOG_PID`, `WATCHDOG_USEC` holds for any process (sd_watchdog_enabled(3))."""

_log = Logger()


class StartedProcess(Protocol):
    """The successor's process, as `subprocess.Popen` is one."""

    @property
    def pid(self) -> int:
        """The process ID."""

    def kill(self) -> None:
        """Kill the process."""

    def wait(self) -> int:
        """Wait for the end, and return the exit status; negative for a signal."""


@frozen
class RunningDaemon:
    """Gives the upgrade control of the running daemon.

    Attributes:
        sockets: returns the purpose and the descriptor of each listening socket.
        lock: returns the descriptor of the lock of the data directory; None if it is not locked.
        settled: returns a Deferred that fires when no decision is pending, or after a short time, and nothing is being
            written in the data directory; clients are served meanwhile.
        hold: stops accepting connections, writing in the data directory and processing requests; returns the state.
        release: does all of that again.
        finish: ends this process, whose state and sockets the successor has.
        report: stores that an upgrade failed, with the reason.
        resume_seconds: returns the processor time that a client's resume takes.

    """

    sockets: Callable[[], list[tuple[str, int]]]
    lock: Callable[[], int | None]
    settled: Callable[[], Deferred[None]]
    hold: Callable[[], Snapshot]
    release: Callable[[], None]
    finish: Callable[[], None]
    report: Callable[[str], None]
    resume_seconds: Callable[[], float]


class _Step(Enum):
    """The steps of an upgrade."""

    IDLE = "idle"
    LOADING = "loading"
    SETTLING = "settling"
    HANDING_OVER = "handing over"
    DONE = "done"


@define(eq=False)
class Upgrade:
    """Starts a successor and hands over to it, one at a time.

    Attributes:
        launch: the function that starts the successor with its end of the channel; None where the successor could not
            take the place of this process.
        step: the step of the upgrade that is under way.

    """

    _reactor: Any
    _daemon: RunningDaemon
    _notifier: Notifier
    _queues: bool
    launch: Callable[[socket.socket], StartedProcess] | None = None
    step: _Step = field(init=False, default=_Step.IDLE)
    _process: StartedProcess | None = field(init=False, default=None)
    _channel: Channel | None = field(init=False, default=None)
    _deadline: IDelayedCall | None = field(init=False, default=None)

    @property
    def is_under_way(self) -> bool:
        """Whether a successor is loading or taking over."""
        return self.step in (_Step.LOADING, _Step.SETTLING, _Step.HANDING_OVER)

    @property
    def is_done(self) -> bool:
        """Whether a successor has taken over, so that this process has nothing left to do."""
        return self.step is _Step.DONE

    def begin(self) -> None:
        """Start the successor; a failure is logged, and changes nothing."""
        if self.step is not _Step.IDLE:
            _log.warn("an upgrade is under way already", event="upgrade-refused")
            return
        if self.launch is None:
            self._fail("this process is the first of a container, or runs under twistd: restart it instead")
            return
        self.step = _Step.LOADING
        _log.info("starting the successor", event="upgrade-started")
        try:
            here = self._start_process(self.launch)
        except Exception as error:  # noqa: BLE001 # whatever it is, the next upgrade has to be possible
            self._fail(f"the successor cannot be started: {getattr(error, 'strerror', None) or type(error).__name__}")
            return
        self._channel = Channel(self._reactor, here, self._received, self._ended)
        self._set_deadline(LOAD_SECONDS, f"the successor did not load within {LOAD_SECONDS:g} s")

    def _start_process(self, launch: Callable[[socket.socket], StartedProcess]) -> socket.socket:
        """Start the successor, send it the first message, and return this process's end of the channel."""
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with there:
                self._process = launch(there)
            self._send_start(here)
        except BaseException:
            here.close()
            raise
        return here

    def _send_start(self, end: socket.socket) -> None:
        sockets, lock = self._daemon.sockets(), self._daemon.lock()
        descriptors = [descriptor for _, descriptor in sockets]
        if lock is not None:
            descriptors.append(lock)
        names = [name for name, _ in sockets]
        start = Start(PROTOCOL, __version__, list(FORMATS), names, self._queues, has_lock=lock is not None)
        send_start(end, start, descriptors)

    def cancel(self, reason: str) -> None:
        """End an upgrade that is under way, so that this process goes on alone, unless the successor serves already."""
        if self._channel is not None and self.is_under_way:
            # The successor may have accepted connections since the reactor looked last.
            self._channel.doRead()
        if self.is_under_way:
            self._fail(reason)

    async def finish_supervision(self, left: Sequence[UserId]) -> None:
        """Wait until the service manager knows its new main process, and tell the successor so.

        Arguments:
            left: the users whose clients have ended their identity since the state was taken; read after the wait.

        """
        reader = self._notifier.barrier()
        if reader is not None:
            deadline = self._reactor.seconds() + BARRIER_SECONDS
            try:
                while not _has_ended(reader) and self._reactor.seconds() < deadline:
                    await deferLater(self._reactor, POLL_SECONDS)
            finally:
                os.close(reader)
        if self._channel is not None:
            self._channel.send(Supervised(list(left)))

    def _received(self, message: Message, _body: bytes) -> None:
        match message:
            case Loaded() if self.step is _Step.LOADING and message.format in FORMATS:
                self.step = _Step.SETTLING
                self._clear_deadline()
                _log.info("the successor is loaded: signald {version}", event="upgrade-loaded", version=message.version)
                settled = Deferred.fromCoroutine(self._hand_over(message.format))
                settled.addErrback(lambda failure: self._fail("an error in the server", failure))
            case Accepting() if self.step is _Step.HANDING_OVER:
                self._clear_deadline()
                self.step = _Step.DONE
                if self._process is not None:
                    self._notifier.main_process(self._process.pid)
                _log.info("the successor has taken over", event="upgrade-done")
                self._daemon.finish()
            case Refused() if self.is_under_way:
                self._fail(message.reason)
            case Loaded() | Accepting() | Refused() | Start() | State() | Supervised():
                raise HandoverError("the successor sent a message out of turn")
            case _ as never:
                assert_never(never)

    async def _hand_over(self, format: int) -> None:
        channel = self._channel
        self._set_deadline(SETTLE_SECONDS, "the disk is busy: the journal is still being written")
        await self._daemon.settled()
        if self.step is not _Step.SETTLING or channel is None or channel is not self._channel:
            return
        self._clear_deadline()
        self.step = _Step.HANDING_OVER
        self._set_deadline(TAKE_SECONDS, f"the successor did not take over within {TAKE_SECONDS:g} s")
        snapshot = self._daemon.hold()
        body = dump(snapshot, format)
        channel.send(State(time.monotonic(), self._daemon.resume_seconds()), body)
        _log.info(
            "handing over: {users} users, {sessions} sessions, {bytes} bytes",
            event="upgrade-handing-over",
            users=len(snapshot.users),
            sessions=len(snapshot.sessions),
            bytes=len(body),
        )

    def _ended(self, problem: str) -> None:
        """Go on alone when the channel ended before the successor accepted connections."""
        if self.is_under_way:
            status = self._end_process()
            self._fail(f"the successor: {problem}" if status < 0 else f"the successor ended with status {status}")

    def _end_process(self) -> int:
        """End the successor, if there is one, and return its exit status; negative if it did not end by itself."""
        process, self._process = self._process, None
        if process is None:
            return -1
        # Two processes must not serve the same users, so the end is waited for; after SIGKILL that takes no time.
        process.kill()
        return process.wait()

    def _set_deadline(self, seconds: float, reason: str) -> None:
        self._deadline = self._reactor.callLater(seconds, self.cancel, reason)

    def _clear_deadline(self) -> None:
        deadline, self._deadline = self._deadline, None
        if deadline is not None and deadline.active():
            deadline.cancel()

    def _fail(self, reason: str, failure: Any = None) -> None:
        """End the successor, and serve the clients again that were held back."""
        step, self.step = self.step, _Step.IDLE
        self._clear_deadline()
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()
        self._end_process()
        if step is _Step.HANDING_OVER:
            self._daemon.release()
        if failure is not None:
            _log.failure("the upgrade failed", failure, event="upgrade-error")
        _log.warn("this process goes on, without an upgrade: {reason}", event="upgrade-failed", reason=reason)
        self._daemon.report(reason)


def successor_command(original: Sequence[str], arguments: Sequence[str], interpreter: str) -> list[str]:
    """Return the command that starts the successor: that of this process.

    A script is run itself, and not by the interpreter that runs this process: where the script's path leads through a
    symbolic link to another environment by now, its first line names that environment's interpreter.

    Arguments:
        original: `sys.orig_argv`.
        arguments: `sys.argv`.
        interpreter: `sys.executable`.

    """
    if original[1:] == arguments and os.access(arguments[0], os.X_OK):
        return list(arguments)
    return [interpreter, *original[1:]]


def launch(end: socket.socket, environment: Mapping[str, str]) -> StartedProcess:
    """Start the successor with the environment that this process was started with.

    Raises:
        OSError: it cannot be started.

    """
    passed_on = {name: value for name, value in environment.items() if name not in _MANAGER_VARIABLES}
    command = successor_command(sys.orig_argv, sys.argv, sys.executable)
    return subprocess.Popen(  # noqa: S603 # the command is that of this process
        command, env={**passed_on, HANDOVER_VARIABLE: str(end.fileno())}, pass_fds=(end.fileno(),)
    )


def _has_ended(reader: int) -> bool:
    """Whether the other end of a non-blocking pipe is closed everywhere."""
    with suppress(BlockingIOError):
        return not os.read(reader, 1)
    return False
