"""The parts of the daemon that the operator's metrics, probes and admin page are read from."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from attrs import field, frozen

from signald.auth.tokens import TokenVerifier
from signald.auth.webhook import Webhook
from signald.core.directory import Directory
from signald.core.hub import Hub
from signald.monitoring.metrics import Metrics
from signald.monitoring.readiness import Readiness
from signald.server.port import SignalingPort
from signald.tls.certificates import Certificate

__all__ = ["Sources"]


@frozen
class Sources:
    """The parts of the daemon that metrics are read from.

    Attributes:
        metrics: the counters of events.
        hub: the hub with the users, the sessions and the mailboxes.
        directory: the clients without sessions.
        rooms: the clients in rooms.
        readiness: whether the daemon accepts new clients.
        signaling: the ports that serve WebSockets.
        http_connections: a function that returns the number of TCP connections that have not become WebSockets.
        certificate: the certificate for TLS clients; None without TLS.
        log_lines: a function that returns the numbers of lines that the log has written and dropped.
        is_full: a function that returns whether the limit of connections is reached.
        tokens: verifies tokens, with the keys that it has read.
        webhook: asks the operator's service.
        turn: a function that returns the numbers of TURN URLs in force, and of credentials that were made for them.
        wall_time: a function that returns the wall time in seconds since the epoch.

    """

    metrics: Metrics
    hub: Hub
    directory: Directory
    rooms: Directory
    readiness: Readiness
    signaling: Sequence[SignalingPort]
    http_connections: Callable[[], int]
    certificate: Certificate | None
    log_lines: Callable[[], tuple[int, int]]
    is_full: Callable[[], bool]
    tokens: TokenVerifier
    webhook: Webhook
    turn: Callable[[], tuple[int, int]]
    wall_time: Callable[[], float] = field(default=time.time)
