"""Reactors in memory for tests of the whole daemon."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IReactorSocket, IReactorThreads
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer


class AdoptedPort:
    """A listening port of the reactor in memory."""

    def __init__(self) -> None:
        self.listening = True

    def stopListening(self) -> Deferred[None]:
        """Record that the port is closed."""
        self.listening = False
        return succeed(None)


@implementer(IReactorSocket)
class AdoptingReactor(MemoryReactorClock):
    """A reactor in memory that adopts bound sockets.

    Attributes:
        ports: the adopted ports.

    """

    def __init__(self) -> None:
        super().__init__()
        self.ports: list[AdoptedPort] = []

    def adoptStreamPort(self, descriptor: int, family: int, factory: object) -> Any:  # Twisted's name
        """Record a new port."""
        self.ports.append(AdoptedPort())
        return self.ports[-1]


def install_reactor(case: SynchronousTestCase, reactor: object) -> None:
    """Make a reactor in memory the reactor of the process until the end of the test."""
    import twisted.internet.reactor  # the import installs the reactor that is to be replaced

    case.patch(twisted.internet, "reactor", reactor)


@implementer(IReactorThreads)
class ThreadlessReactor(AdoptingReactor):
    """A reactor in memory that calls functions immediately instead of in a thread, and whose shutdown can be fired."""

    def getThreadPool(self) -> Any:  # Twisted's name
        """Return None, because no test uses the reactor's threads."""

    def callFromThread(self, callable: Callable[..., Any], *args: object, **kwargs: object) -> None:  # Twisted's names
        """Call the function immediately."""
        callable(*args, **kwargs)

    def callInThread(self, callable: Callable[..., Any], *args: object, **kwargs: object) -> None:  # Twisted's names
        """Call the function immediately."""
        callable(*args, **kwargs)

    def suggestThreadPoolSize(self, size: int) -> None:  # Twisted's name
        """Ignore the size."""

    def fire_shutdown(self, phase: str) -> list[Deferred[Any]]:
        """Call the functions that are registered for a phase of the shutdown, and return a Deferred of each call."""
        triggers = self.triggers.get(phase, {}).get("shutdown", [])
        return [maybeDeferred(function, *positional, **named) for function, positional, named in triggers]
