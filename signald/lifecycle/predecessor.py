"""Takes over from a running process that started this one for an upgrade (`successor` is the other side).

Nothing is bound, written or told to the service manager before the running process has handed over its whole state.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, assert_never

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from signald import __version__
from signald.config.values import ConfigError
from signald.core.messages import UserId
from signald.core.snapshot import FORMATS, Snapshot, aged, load
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
    encode,
    receive_start,
)
from signald.lifecycle.successor import HANDOVER_VARIABLE
from signald.lifecycle.supervision import Supervision

__all__ = ["WAIT_SECONDS", "Predecessor", "Takeover"]

WAIT_SECONDS = 300.0
"""Time for which the state is waited for. The running process gives up after less, unless it hangs."""

START_SECONDS = 10.0
"""Time for which the first message of the running process is waited for; it sends that at once."""

_CREDENTIALS = struct.Struct("3i")

_log = Logger()


@define(eq=False)
class Predecessor:
    """The running process, until the reactor runs.

    Attributes:
        start: its first message.
        supervision: the sockets that it hands over, and the service manager.
        format: the format in which its state is wanted.

    """

    start: Start
    supervision: Supervision
    format: int
    _socket: socket.socket

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Predecessor | None:
        """Read the first message of the process that started this one as its successor; None if none did.

        Raises:
            ConfigError: that process is too old or too new, or its sockets cannot be used; it is told so.

        """
        given = environment.get(HANDOVER_VARIABLE)
        if given is None:
            return None
        end = _adopt(given)
        try:
            start, descriptors = receive_start(end)
            format = _choose_format(start)
            supervision = Supervision.of_successor(environment, os.getpid(), start, descriptors)
        except (HandoverError, OSError, ConfigError) as error:
            _refuse(end, str(error))
            raise ConfigError(f"This process cannot take over: {error}.") from None
        return cls(start, supervision, format, end)

    def refuse(self, reason: str) -> None:
        """Tell the running process that this one cannot take over; this one is to end then."""
        _refuse(self._socket, reason)

    def connect(
        self, reactor: Any, on_message: Callable[[Message, bytes], None], on_end: Callable[[str], None]
    ) -> Channel:
        """Return the channel to the running process; this object is of no further use."""
        return Channel(reactor, self._socket, on_message, on_end)


@define(eq=False)
class Takeover:
    """Waits for the state of the running process, and begins to serve with it.

    Attributes:
        status: the exit status that this process is to have.

    """

    _reactor: Any
    _predecessor: Predecessor
    _serve: Callable[[Snapshot, float], None]
    """Restores a state and accepts connections; the second argument is the processor time of a resume."""

    _supervise: Callable[[Sequence[UserId]], None]
    """Begins to report to the service manager; the argument is the users who have left since the state was taken."""

    _stop: Callable[[], None]
    """Ends this process."""

    status: int = field(init=False, default=0)
    _channel: Channel | None = field(init=False, default=None)
    _deadline: IDelayedCall | None = field(init=False, default=None)
    _is_serving: bool = field(init=False, default=False)

    def begin(self) -> None:
        """Tell the running process that this one is loaded."""
        self._channel = self._predecessor.connect(self._reactor, self._received, self._ended)
        self._channel.send(Loaded(__version__, self._predecessor.format))
        self._deadline = self._reactor.callLater(WAIT_SECONDS, self._ended, "the running process is silent")

    def _received(self, message: Message, body: bytes) -> None:
        match message:
            case State() if not self._is_serving:
                self._take(message, body)
            case Supervised() if self._is_serving:
                self._end_channel()
                self._supervise(message.left)
            case State() | Supervised() | Start() | Loaded() | Accepting() | Refused():
                raise HandoverError("the running process sent a message out of turn")
            case _ as never:
                assert_never(never)

    def _take(self, message: State, body: bytes) -> None:
        try:
            snapshot = aged(load(body), max(0.0, time.monotonic() - message.taken))
            self._serve(snapshot, message.resume_seconds)
        except Exception as error:  # noqa: BLE001 # whatever it is, the running process has to go on
            _log.failure("the state of the running process cannot be used", event="takeover-error")
            if self._channel is not None:
                self._channel.send(Refused(f"the state cannot be used: {type(error).__name__}"))
                self._channel.loseConnection()
            return
        self._is_serving = True
        if self._channel is not None:
            self._channel.send(Accepting())

    def _ended(self, problem: str) -> None:
        """Take the place of a running process that ended; without its whole state there is nothing to take over."""
        self._end_channel()
        if self._is_serving:
            self._supervise(())
            return
        _log.warn("nothing was taken over: {problem}", event="takeover-failed", problem=problem)
        self.status = 1
        self._stop()

    def _end_channel(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        if self._channel is not None:
            self._channel.close()


def _adopt(given: str) -> socket.socket:
    """Return the socket that the environment names.

    Raises:
        ConfigError: it is not one that the parent of this process made.

    """
    try:
        end = socket.socket(fileno=int(given))
        end.set_inheritable(False)
        credentials = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    except (OSError, ValueError):
        raise ConfigError(f"{HANDOVER_VARIABLE} names no socket; this variable is for upgrades alone.") from None
    if end.family != socket.AF_UNIX or _CREDENTIALS.unpack(credentials)[0] != os.getppid():
        raise ConfigError(f"{HANDOVER_VARIABLE} names a socket of another process than the parent of this one.")
    end.settimeout(START_SECONDS)
    return end


def _choose_format(start: Start) -> int:
    """Return the newest format that both processes know.

    Raises:
        HandoverError: there is none.

    """
    known = set(FORMATS) & set(start.formats)
    if start.protocol != PROTOCOL or not known:
        raise HandoverError(
            f"signald {start.version} hands over by protocol {start.protocol} in formats {start.formats}, and signald "
            f"{__version__} knows protocol {PROTOCOL} and formats {list(FORMATS)}; restart the server instead"
        )
    return max(known)


def _refuse(end: socket.socket, reason: str) -> None:
    with end:
        try:
            end.sendall(encode(Refused(reason)))
        except OSError:
            return
