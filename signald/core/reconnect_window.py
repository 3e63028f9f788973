"""The reconnect window: spreads the reconnects of all clients over time when the server restarts."""

from __future__ import annotations

from attrs import define, frozen

__all__ = [
    "PLAIN_SECONDS",
    "QUEUED",
    "REFUSED",
    "TLS_SECONDS",
    "UPGRADE",
    "ReconnectWindow",
    "ResumeCost",
    "StopKind",
    "reconnect_seconds",
    "reconnect_window",
]

TLS_SECONDS, PLAIN_SECONDS = 0.0025, 0.001
"""Processor time of one resume over TLS and without, on a small machine, until this one's own is measured."""

LEAST_RESUMES = 50
"""Connections in one observation from which the cost of one is taken: with fewer, other work would be counted too."""

LEAST_SECONDS, MOST_SECONDS = 0.0002, 0.02
"""Bounds of the cost, so that an observation that was spoiled by other work does not keep clients away."""

QUEUED_SECONDS = 0.5
"""Seconds until the first reconnect where the listening socket outlives the process and queues connections."""

REFUSED_SECONDS = 2.0
"""Seconds until the first reconnect where connections are refused until the next process listens."""

RESTART_SHARE = 0.6
"""The share of a core that resumes take after a restart; the rest is for the start and for calls."""

UPGRADE_SHARE = 0.9
"""The share of a core that resumes take after an upgrade, when the successor has started already."""

LEAST_SPREAD = 0.05
"""The least seconds over which reconnects are spread, so that a few clients do not arrive in one moment."""

MAX_GRACE_SHARE = 0.8
"""The share of the grace in which all clients reconnect; the last ones need the rest to complete their handshake."""


@define
class ResumeCost:
    """The processor time that the resume of one client takes, measured while many connect.

    Attributes:
        seconds: the latest estimate.

    """

    seconds: float

    def observe(self, processor_seconds: float, connections: int) -> None:
        """Take account of an interval in which so many connections were opened with so much processor time."""
        if connections >= LEAST_RESUMES:
            sample = min(max(processor_seconds / connections, LEAST_SECONDS), MOST_SECONDS)
            self.seconds += (sample - self.seconds) / 2


@frozen
class ReconnectWindow:
    """A window of seconds from now: each client reconnects after `first` plus a random part of `spread`."""

    first: float
    spread: float


@frozen
class StopKind:
    """The delay and CPU share for one kind of stop.

    Attributes:
        first: seconds until the first client is to come back.
        share: the share of a core that resumes may take.

    """

    first: float
    share: float


QUEUED = StopKind(QUEUED_SECONDS, RESTART_SHARE)
REFUSED = StopKind(REFUSED_SECONDS, RESTART_SHARE)
UPGRADE = StopKind(0.0, UPGRADE_SHARE)


def reconnect_seconds(clients: int, resume_seconds: float = TLS_SECONDS, share: float = RESTART_SHARE) -> float:
    """The seconds over which so many clients have to spread their reconnects, for a share of a core."""
    return clients * resume_seconds / share


def reconnect_window(clients: int, grace: float, kind: StopKind, resume_seconds: float) -> ReconnectWindow:
    """The window in which the clients of a restarting server reconnect.

    Arguments:
        clients: the number of clients.
        grace: seconds for which the next process keeps the users of absent clients.
        kind: what stands between this process and the next one.
        resume_seconds: the processor time of one resume (`ResumeCost`).

    """
    most = MAX_GRACE_SHARE * grace
    first = min(kind.first, most)
    spread = max(first, LEAST_SPREAD, reconnect_seconds(clients, resume_seconds, kind.share))
    return ReconnectWindow(first, min(spread, most - first))
