"""Gives other limits to everything that has some, while the server runs."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from signald.config.tree import Config
from signald.core.budgets import ConnectionBudget
from signald.core.limits import Limits
from signald.server.admission import Admission
from signald.server.factory import SignalingFactory
from signald.server.site import SignalingSite
from signald.server.switchboard import Switchboard

__all__ = ["LimitsReloader", "within"]


@frozen
class LimitsReloader:
    """Everything that has limits.

    What a client was told in its welcome, and what a connection or a deadline began with, holds for it to its end. All
    else goes by the new limits at once; nothing is closed because it is too much by now.

    Attributes:
        most_connections: that the descriptors of the process suffice for.
        switchboard: has those of messages, sessions and users.
        budget: of WebSockets.
        admission: of transports and requests; believes the trusted proxies.
        signaling: the factories of the ports.
        site: of the page's port.

    """

    most_connections: int
    switchboard: Switchboard
    budget: ConnectionBudget
    admission: Admission
    signaling: Sequence[SignalingFactory]
    site: SignalingSite

    def configure(self, config: Config) -> None:
        """Go on with the limits and the trusted proxies of another configuration."""
        limits = within(config.limits, self.most_connections)
        self.switchboard.configure(limits)
        self.budget.reload_limits(limits)
        self.admission.configure(limits, config.trusted_proxies)
        for factory in self.signaling:
            factory.configure(limits)
        self.site.limits = limits


def within(limits: Limits, most_connections: int) -> Limits:
    """The limits with no more connections than there are descriptors for."""
    return evolve(limits, connections=min(limits.connections, most_connections))
