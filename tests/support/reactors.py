"""Reactors in memory for tests of the whole daemon."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IReactorSocket, IReactorThreads
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer


class AdoptedPort:
    """A listening port of the reactor in memory.

    Attributes:
        factory: the factory of its protocols.
        listening: whether the port is open.
        accepting: whether connections are accepted.

    """

    def __init__(self, factory: Any) -> None:
        self.factory = factory
        self.listening = True
        self.accepting = True

    def doRead(self) -> None:  # Twisted's name
        """Accept nothing."""

    def fileno(self) -> int:
        """Return a descriptor that is open in every process."""
        return 0

    def stopReading(self) -> None:  # Twisted's name
        """Record that no connection is accepted."""
        self.accepting = False

    def startReading(self) -> None:  # Twisted's name
        """Record that connections are accepted."""
        self.accepting = True

    def stopListening(self) -> Deferred[None]:
        """Record that the port is closed."""
        self.listening = False
        return succeed(None)


class ImmediatePool:
    """A pool of threads that calls functions immediately."""

    def callInThreadWithCallback(self, onResult: Callable[[bool, Any], None], func: Callable[[], Any]) -> None:
        """Call the function, and report its result or its failure."""
        try:
            result = func()
        except Exception:  # noqa: BLE001 # the caller gets it
            onResult(False, Failure())
        else:
            onResult(True, result)


@implementer(IReactorSocket)
class AdoptingReactor(MemoryReactorClock):
    """A reactor in memory that adopts bound sockets, and calls functions immediately instead of in a thread.

    Attributes:
        ports: the adopted ports.

    """

    def __init__(self) -> None:
        super().__init__()
        self.ports: list[AdoptedPort] = []

    def getThreadPool(self) -> Any:  # Twisted's name
        """Return the pool of the reactor's threads."""
        return ImmediatePool()

    def callFromThread(self, callable: Callable[..., Any], *args: object, **kwargs: object) -> None:  # Twisted's names
        """Call the function immediately."""
        callable(*args, **kwargs)

    def adoptStreamPort(self, descriptor: int, family: int, factory: object) -> Any:  # Twisted's name
        """Record a new port."""
        self.ports.append(AdoptedPort(factory))
        return self.ports[-1]


def install_reactor(case: SynchronousTestCase, reactor: object) -> None:
    """Make a reactor in memory the reactor of the process until the end of the test."""
    import twisted.internet.reactor  # the import installs the reactor that is to be replaced

    case.patch(twisted.internet, "reactor", reactor)


@implementer(IReactorThreads)
class ThreadlessReactor(AdoptingReactor):
    """A reactor in memory that calls functions immediately instead of in a thread, and whose shutdown can be fired."""

    def callInThread(self, callable: Callable[..., Any], *args: object, **kwargs: object) -> None:  # Twisted's names
        """Call the function immediately."""
        callable(*args, **kwargs)

    def suggestThreadPoolSize(self, size: int) -> None:  # Twisted's name
        """Ignore the size."""

    def fire_shutdown(self, phase: str) -> list[Deferred[Any]]:
        """Call the functions that are registered for a phase of the shutdown, and return a Deferred of each call."""
        triggers = self.triggers.get(phase, {}).get("shutdown", [])
        return [maybeDeferred(function, *positional, **named) for function, positional, named in triggers]
