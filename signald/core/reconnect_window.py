"""The reconnect window: spreads the reconnects of all clients over time when the server restarts."""

from __future__ import annotations

from attrs import frozen

__all__ = ["ReconnectWindow", "reconnect_seconds", "reconnect_window"]

RECONNECTS_PER_SECOND = 300.0
"""Clients that reconnect per second: a resume over TLS costs about 2 ms of a core, which leaves 40 % for calls."""

QUEUED_SECONDS = 0.5
"""Seconds until the first reconnect where the listening socket outlives the process and queues connections."""

REFUSED_SECONDS = 2.0
"""Seconds until the first reconnect where connections are refused until the next process listens."""

MAX_GRACE_SHARE = 0.8
"""The share of the grace in which all clients reconnect; the last ones need the rest to complete their handshake."""


@frozen
class ReconnectWindow:
    """A window of seconds from now: each client reconnects after `first` plus a random part of `spread`."""

    first: float
    spread: float


def reconnect_seconds(clients: int) -> float:
    """The seconds over which so many clients have to spread their reconnects."""
    return clients / RECONNECTS_PER_SECOND


def reconnect_window(clients: int, grace: float, *, queued: bool) -> ReconnectWindow:
    """The window in which the clients of a restarting server reconnect.

    Arguments:
        clients: the number of clients.
        grace: seconds for which the next process keeps the users of absent clients.
        queued: whether the listening socket queues connections while no process accepts them.

    """
    first = min(QUEUED_SECONDS if queued else REFUSED_SECONDS, MAX_GRACE_SHARE * grace)
    return ReconnectWindow(first, min(max(first, reconnect_seconds(clients)), MAX_GRACE_SHARE * grace - first))
