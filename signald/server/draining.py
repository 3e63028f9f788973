"""The open connections of a port, and their orderly end when the server stops."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Generic, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

__all__ = ["ANSWER_SECONDS", "ConnectionSet", "DrainableConnection"]

ANSWER_SECONDS = 1.0
"""Seconds that a peer which has received everything has to close its side: a frozen one must not delay the restart."""

_log = Logger()


class DrainableConnection(Protocol):
    """A connection that can be closed in an orderly way."""

    @property
    def is_silent(self) -> bool:
        """Whether the peer has received everything that it will get, so that only its own close is awaited."""

    def close_for_drain(self) -> None:
        """Close as soon as what is under way is answered."""

    def abort(self) -> None:
        """Drop the connection at once."""


ConnectionT = TypeVar("ConnectionT", bound=DrainableConnection)


class ConnectionSet(Collection[ConnectionT], Generic[ConnectionT]):
    """The open connections of one kind on one port; it drains them when the server stops.

    Attributes:
        is_draining: whether the server is stopping, so that nothing new may begin.

    """

    def __init__(self, clock: IReactorTime) -> None:
        """Start with no connection; `clock` measures the deadlines of `drain`."""
        self.is_draining = False
        self._clock = clock
        self._connections: set[ConnectionT] = set()
        self._drained: Deferred[None] | None = None
        self._answer_deadline: IDelayedCall | None = None
        self._deadline: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._connections)

    def __iter__(self) -> Iterator[ConnectionT]:
        return iter(self._connections)

    def __contains__(self, connection: object) -> bool:
        return connection in self._connections

    def add(self, connection: ConnectionT) -> None:
        """Add a connection that was made."""
        self._connections.add(connection)

    def discard(self, connection: ConnectionT) -> None:
        """Remove a connection that ended; the last one completes `drain`."""
        self._connections.discard(connection)
        self._complete_if_empty()

    def drain(self, seconds: float) -> Deferred[None]:
        """Close every connection; fires when all have ended. To be called once.

        A silent connection is aborted after `ANSWER_SECONDS`, every other one after `seconds`.
        """
        self.is_draining = True
        for connection in list(self._connections):
            if not _guarded(connection.close_for_drain):
                _guarded(connection.abort)
        drained = self._drained = Deferred()
        self._deadline = self._clock.callLater(seconds, self._abort_all)
        if seconds > ANSWER_SECONDS:
            self._answer_deadline = self._clock.callLater(ANSWER_SECONDS, self._abort_silent)
        self._complete_if_empty()
        return drained

    def _complete_if_empty(self) -> None:
        if not self._connections:
            self._complete()

    def _complete(self) -> None:
        for call in (self._answer_deadline, self._deadline):
            if call is not None and call.active():
                call.cancel()
        drained, self._drained = self._drained, None
        if drained is not None:
            drained.callback(None)

    def _abort_silent(self) -> None:
        for connection in list(self._connections):
            if connection.is_silent:
                _guarded(connection.abort)

    def _abort_all(self) -> None:
        for connection in list(self._connections):
            _guarded(connection.abort)
        self._complete()


def _guarded(call: Callable[[], None]) -> bool:
    """Call a method of one connection; log an exception, which concerns no other connection, and return False then."""
    try:
        call()
    except Exception:  # noqa: BLE001 # whatever it is, the others have to be closed
        _log.failure("a connection could not be closed in order", event="drain-failed")
        return False
    return True
