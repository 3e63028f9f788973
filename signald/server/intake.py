"""Passes facts about connections on, holds them back while another process restores the state, or ignores them."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable
from typing import assert_never

from attrs import define, field
from twisted.logger import Logger

__all__ = ["HELD_BYTES", "Intake", "IntakeState"]

HELD_BYTES = 16 << 20
"""Most bytes of messages that are held while another process restores the state."""

_log = Logger()


class IntakeState(enum.Enum):
    """What becomes of the facts about peers: they are processed, are held for later, or are ignored."""

    OPEN = "open"
    HELD = "held"
    CLOSED = "closed"


@define(eq=False)
class Intake:
    """The entrance of all facts, which sessions and the directory share, so that one hand-over concerns both.

    Attributes:
        state: what becomes of facts.
        held_bytes: the size of the messages that are held.

    """

    state: IntakeState = field(init=False, default=IntakeState.OPEN)
    held_bytes: int = field(init=False, default=0)
    _held: deque[Callable[[], None]] = field(init=False, factory=deque)
    """The facts that were reported since `hold`, in their order."""

    def receive(self, fact: Callable[[], None]) -> None:
        """Process a fact, hold it back, or ignore it."""
        match self.state:
            case IntakeState.OPEN:
                fact()
            case IntakeState.HELD:
                self._held.append(fact)
            case IntakeState.CLOSED:
                pass
            case _ as never:
                assert_never(never)

    def reserve(self, size: int) -> bool:
        """Count a message that has to be held; False where there is no room for it. Other messages are not counted."""
        if self.state is not IntakeState.HELD:
            return True
        if self.held_bytes + size > HELD_BYTES:
            return False
        self.held_bytes += size
        return True

    def hold(self) -> None:
        """Hold all facts back from now on; `release` or `close` ends that."""
        self.state = IntakeState.HELD

    def release(self) -> None:
        """Process the facts that were held back, in their order, and all others from now on."""
        self.state = IntakeState.OPEN
        held, self._held, self.held_bytes = self._held, deque(), 0
        for fact in held:
            try:
                fact()
            except Exception:  # noqa: BLE001 # the facts behind it must not be lost
                _log.failure("a fact that was held back could not be processed", event="held-fact-failed")

    def close(self) -> None:
        """Ignore the facts that were held back, and all that follow: the state belongs to another process."""
        self.state = IntakeState.CLOSED
        self._held.clear()
