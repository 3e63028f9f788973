"""A hot reload replaces the limits while the server runs."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from signald.config.settings import Config
from signald.core.budgets import ConnectionBudget, message_rate
from signald.core.limits import Limits
from signald.server.admission import Admission
from signald.server.factory import SignalingFactory
from signald.server.limits_reloader import LimitsReloader, within
from signald.server.web import make_site
from tests.support.connections import make_switchboard
from tests.support.memory_server import make_port


class LimitsReloaderTests(SynchronousTestCase):
    """New limits reach every object that holds limits."""

    def setUp(self) -> None:
        """Create a server that listens on no port."""
        self.switchboard, limits, self.clock = make_switchboard(Clock()), Limits(), Clock()
        self.budget, self.admission = ConnectionBudget(limits), Admission(limits)
        self.signaling = SignalingFactory(
            make_port(self.clock, self.switchboard, limits=limits, budget=self.budget, admission=self.admission)
        )
        self.site = make_site({}, self.signaling, limits, self.clock, None, False)
        self.limits_reloader = LimitsReloader(
            1000, 1 << 30, self.switchboard, self.budget, self.admission, (self.signaling,), self.site
        )

    def test_all(self) -> None:
        """The switchboard's parts, the budgets, the factories and the site get the new limits and trusted proxies."""
        limits = Limits(
            outboxes_bytes=1 << 20,
            connections=500,
            address_message_rate=7.0,
            user_sessions=1,
            waiting_passwords=1,
            address_connections=1,
        )
        network = ip_network("10.0.0.0/8")
        self.limits_reloader.reload(Config(Path("/nowhere"), trusted_proxies=(network,), limits=limits))
        hub = self.switchboard.hub
        holders: list[object] = [
            hub, hub.mailboxes, hub.lifetimes, hub.grace_periods, hub.forwarder.early_candidates, hub.handshake,
            hub.requests, self.switchboard.registry, self.budget, self.admission, self.admission._budget,
            self.signaling.signaling_port, self.site,
        ]  # fmt: skip
        for holder in holders:
            self.assertEqual(getattr(holder, "limits"), limits, holder)  # noqa: B009 # they have no type in common
        self.assertEqual(self.admission.trusted_proxies, (network,))
        self.assertEqual(self.signaling.signaling_port.rounds.budget.rate_limit, message_rate(limits))

    def test_descriptors(self) -> None:
        """The limit on connections never exceeds the number of descriptors that the process may open."""
        self.assertEqual(within(Limits(connections=2000), 1000, 1 << 40).connections, 1000)
        self.limits_reloader.reload(Config(Path("/nowhere"), limits=Limits(connections=2000)))
        self.assertEqual(self.budget.limits.connections, 1000)

    def test_memory(self) -> None:
        """The default bound of all outboxes follows the memory, at a reload too."""
        self.limits_reloader.reload(Config(Path("/nowhere"), limits=Limits()))
        self.assertEqual(self.switchboard.hub.mailboxes.quota.limit, 1 << 26)
