"""When the clients of a server that restarts come back, so that they do not all come in one moment, pure."""

from __future__ import annotations

from attrs import frozen

__all__ = ["ReturnWindow", "return_seconds", "return_window"]

RETURNS_PER_SECOND = 300.0
"""How many clients are to come back in a second: a resume over TLS costs about 2 ms of a core, and calls go on."""

QUEUED_SECONDS = 0.5
"""After which the first come back where the listening socket outlives the process, so that they wait in its queue."""

REFUSED_SECONDS = 2.0
"""After which the first come back where nobody listens until the next process does."""

LATEST = 0.8
"""Of the grace: the last ones need some of it to come."""


@frozen
class ReturnWindow:
    """When clients come back, in seconds from now: each after `first` and a random part of `spread`."""

    first: float
    spread: float


def return_seconds(clients: int) -> float:
    """The seconds that so many clients need to come back without a rush."""
    return clients / RETURNS_PER_SECOND


def return_window(clients: int, grace: float, *, queued: bool) -> ReturnWindow:
    """When so many clients are told to come back.

    Arguments:
        clients: how many.
        grace: seconds for which the next process waits for each.
        queued: whether connections queue while no process accepts them.

    """
    first = min(QUEUED_SECONDS if queued else REFUSED_SECONDS, LATEST * grace)
    return ReturnWindow(first, min(max(first, return_seconds(clients)), LATEST * grace - first))
