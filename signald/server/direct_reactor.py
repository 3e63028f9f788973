"""An epoll reactor that reads from signald's connections directly, without the context of Twisted's older log."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from select import EPOLLIN
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor
from twisted.logger import Logger
from twisted.python.log import callWithLogger

from signald.server.direct_transport import DirectTransport

__all__ = ["DirectReactor", "install_direct_reactor", "round_caller"]

_MOST_SECONDS = 2147483
"""The longest timeout that epoll_wait(2) takes: its milliseconds are a signed 32-bit number."""

_log = Logger()


class DirectReactor(EPollReactor):
    """An epoll reactor in which the bytes of a `DirectTransport` take the shortest way to its protocol.

    Twisted calls each descriptor with a context from which `twisted.python.log` takes the name of the connection. It
    costs about 3 µs a read, a third of what it takes to pass 250 bytes from one connection to another, and nothing of
    signald writes to that log. Between two polls Twisted's loop looks for what is due, which takes 150 bytecodes where
    nothing is; here it is returned to when there is something to run.
    """

    def __init__(self) -> None:
        super().__init__()
        self._round_calls: list[Callable[[], None]] = []

    def call_next_round(self, function: Callable[[], None]) -> None:
        """Call a function once before the next poll for events: it costs a tenth of `callLater(0)`."""
        self._round_calls.append(function)

    def doPoll(self, timeout: float | None) -> None:
        """Wait for events, and handle them; while the reactor runs, until Twisted's loop has something to do."""
        polls_once = timeout == 0
        while True:
            if self._round_calls:
                self._begin_round()
                timeout = 0 if self._round_calls else self._seconds_to_wait()
            self._handle(self._poller.poll(timeout, len(self._selectables)))
            timeout = self._seconds_to_wait()
            if timeout == 0 or polls_once:
                return

    doIteration = doPoll

    def _seconds_to_wait(self) -> float | None:
        """Return how long a poll may wait; 0 where Twisted's loop has something to do, None for as long as it takes."""
        if not self.running or self._stopped or self._newTimedCalls or self.threadCallQueue:
            return 0
        pending = self._pendingTimedCalls
        return max(0, min(pending[0].time - self.seconds(), _MOST_SECONDS)) if pending else None

    def _begin_round(self) -> None:
        """Call what was to be called before this poll; an exception concerns one function alone."""
        calls, self._round_calls = self._round_calls, []
        for call in calls:
            try:
                call()
            except Exception:  # noqa: BLE001 # whatever it is, the others are called
                _log.failure("a function failed that was called at the beginning of a round", event="round-failed")

    def _handle(self, events: Sequence[tuple[int, int]]) -> None:
        """Read, write or accept; all else than bytes for our transports is left to Twisted."""
        selectables = self._selectables
        for descriptor, event in events:
            # An earlier event of this round may have closed it.
            selectable: Any = selectables.get(descriptor)
            if event != EPOLLIN or not isinstance(selectable, DirectTransport):
                if selectable is not None:
                    callWithLogger(selectable, self._doReadOrWrite, selectable, descriptor, event)
                continue
            ended: BaseException | None
            try:
                ended = selectable.doRead()
            except BaseException as error:  # noqa: BLE001 # whatever it is, it ends one connection, as in Twisted
                _log.failure("a connection is closed after an error in the server", event="connection-failed")
                ended = error
            if ended is not None:
                self._disconnectSelectable(selectable, ended, True)


def round_caller(reactor: Any) -> Callable[[Callable[[], None]], object]:
    """Return the function that calls another one once in the next round of a reactor, which need not be ours."""
    return reactor.call_next_round if isinstance(reactor, DirectReactor) else partial(reactor.callLater, 0)


def install_direct_reactor() -> None:
    """Make a `DirectReactor` the reactor of this process, unless the process has one already."""
    if "twisted.internet.reactor" not in sys.modules:
        installReactor(DirectReactor())
