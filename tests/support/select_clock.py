"""A reactor in memory whose time stands still, and which reads and writes real sockets when a test asks for it."""

from __future__ import annotations

import select
from typing import Any

from twisted.internet.task import Clock
from twisted.python.failure import Failure


class SelectClock(Clock):
    """A clock that is also a reactor for `FileDescriptor`s.

    Attributes:
        readers, writers: the descriptors that want to read or to write.

    """

    def __init__(self) -> None:
        super().__init__()
        self.readers: set[Any] = set()
        self.writers: set[Any] = set()

    def addReader(self, reader: Any) -> None:  # Twisted's name
        """Read from now on."""
        self.readers.add(reader)

    def addWriter(self, writer: Any) -> None:  # Twisted's name
        """Write from now on."""
        self.writers.add(writer)

    def removeReader(self, reader: Any) -> None:  # Twisted's name
        """Read no more."""
        self.readers.discard(reader)

    def removeWriter(self, writer: Any) -> None:  # Twisted's name
        """Write no more."""
        self.writers.discard(writer)

    def settle(self) -> None:
        """Read and write until nothing is ready any more."""
        while True:
            readable, writable, _ = select.select(self.readers, self.writers, [], 0)
            if not readable and not writable:
                return
            for one in writable:
                self._finish(one, one.doWrite())
            for one in readable:
                if one in self.readers:
                    self._finish(one, one.doRead())

    def _finish(self, one: Any, reason: Exception | None) -> None:
        if reason is not None:
            self.removeReader(one)
            self.removeWriter(one)
            one.connectionLost(Failure(reason))
