"""Applies other limits to every part of the running server."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from signald.config.settings import Config
from signald.core.budgets import ConnectionBudget
from signald.core.limits import Limits
from signald.server.admission import Admission
from signald.server.factory import SignalingFactory
from signald.server.machine import outboxes_bytes
from signald.server.site import SignalingSite
from signald.server.switchboard import Switchboard

__all__ = ["LimitsReloader", "within"]


@frozen
class LimitsReloader:
    """Applies other limits to every part that has limits.

    What a client was told in its welcome, and what a connection or a deadline started with, is valid for it to its end.
    Everything else follows the new limits at once; no connection is closed because it exceeds them.

    Attributes:
        most_connections: how many connections the descriptors of the process suffice for.
        memory: the bytes of memory that the process may use.
        switchboard: has the limits of messages, sessions and users.
        budget: admits WebSockets.
        admission: admits transports and requests, and knows the trusted proxies.
        signaling: the factories of the WebSockets, one for each port.
        site: the site of the page's port.

    """

    most_connections: int
    memory: int
    switchboard: Switchboard
    budget: ConnectionBudget
    admission: Admission
    signaling: Sequence[SignalingFactory]
    site: SignalingSite

    def reload(self, config: Config) -> None:
        """Apply the limits and the trusted proxies of another configuration."""
        limits = within(config.limits, self.most_connections, self.memory)
        self.switchboard.reload_limits(limits)
        self.budget.reload_limits(limits)
        self.admission.reload_limits(limits, config.trusted_proxies)
        for factory in self.signaling:
            factory.reload_limits(limits)
        self.site.limits = limits


def within(limits: Limits, most_connections: int, memory: int) -> Limits:
    """The limits, with no more connections than there are descriptors for, and outboxes that fit into the memory."""
    return evolve(
        limits,
        connections=min(limits.connections, most_connections),
        outboxes_bytes=outboxes_bytes(limits, memory),
    )
