"""Journals of switchboards in memory, whose thread the test controls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from attrs import define, field
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock

from signald.lifecycle.journal import Journal
from signald.lifecycle.journal_file import JournalFile
from signald.monitoring.metrics import Metrics
from signald.monitoring.readiness import Readiness
from signald.server.switchboard import Switchboard

__all__ = ["WALL", "Thread", "make_journal"]

#: The wall time at which the clocks of the tests show 0.
WALL = 1_800_000_000.0


@define
class Thread:
    """Runs the calls of a journal at once, or when the test lets it.

    Attributes:
        is_held: whether calls wait for `run_next`.
        held: the calls that wait, in order.

    """

    is_held: bool = False
    held: list[tuple[Callable[[], None], Deferred[None]]] = field(factory=list)

    def run(self, call: Callable[[], None]) -> Deferred[None]:
        """Run a call now or later."""
        if not self.is_held:
            return maybeDeferred(call)
        done: Deferred[None] = Deferred()
        self.held.append((call, done))
        return done

    def run_next(self) -> None:
        """Run the oldest call that waits."""
        call, done = self.held.pop(0)
        maybeDeferred(call).chainDeferred(done)


def make_journal(
    switchboard: Switchboard,
    directory: Path,
    clock: Clock,
    thread: Thread | None = None,
    wall: Callable[[], float] | None = None,
    file: JournalFile | None = None,
) -> Journal:
    """Create the journal of a switchboard; the wall clock agrees with the monotonic one unless the test has another."""
    return Journal(
        switchboard,
        file or JournalFile(directory),
        clock,
        wall or (lambda: WALL + clock.seconds()),
        (thread or Thread()).run,
        Readiness(),
        Metrics(),
    )
