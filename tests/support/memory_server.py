"""The two public ports of a server in memory, with a switchboard that records its calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_network
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from signald.core.budgets import ConnectionBudget
from signald.core.limits import Limits
from signald.dialects.dialect import Dialect
from signald.net.origins import Origin, OriginRule
from signald.page.assets import Asset
from signald.server.admission import Admission
from signald.server.factory import SignalingFactory
from signald.server.fairness import FairRounds
from signald.server.port import SignalingPort
from signald.server.reflection import RequestReflector
from signald.server.switchboard import Switchboard
from signald.server.upgrade_request import UpgradeRule
from signald.server.web import make_site
from tests.support.endpoints import CLIENT, Endpoint, NamedDialect, PlainDialect, RecordingSwitchboard


def make_port(clock: Any, switchboard: Switchboard | None = None, **changes: Any) -> SignalingPort:
    """Create a port with the default limits and a recording switchboard, except for the arguments that are given.

    Arguments:
        clock: measures every deadline.
        switchboard: the switchboard; a `RecordingSwitchboard` by default.
        changes: other fields of the port, or `dialects`, `origins` and `base`, from which its handshake rule is made.

    """
    bare = changes.setdefault("bare", False)
    limits = changes.setdefault("limits", Limits())
    dialects = changes.pop("dialects", (PlainDialect, NamedDialect))
    origins = changes.pop("origins", None) or (OriginRule.bare() if bare else OriginRule.of(tls=False))
    base = changes.pop("base", "/")
    return SignalingPort(
        switchboard=RecordingSwitchboard().as_switchboard if switchboard is None else switchboard,
        budget=changes.pop("budget", None) or ConnectionBudget(limits),
        admission=changes.pop("admission", None) or Admission(limits),
        clock=clock,
        rounds=changes.pop("rounds", None) or FairRounds.of(clock, limits),
        rule=UpgradeRule.of_port(dialects, origins, bare=bare, base=base),
        **changes,
    )


class MemoryServer:
    """A server without sockets: the page's port and the bare port, which share their budgets.

    Attributes:
        clock: measures every deadline.
        record: the switchboard.
        budget: admits WebSockets.
        admission: admits transports.
        rounds: divides the rounds of the reactor among addresses.
        due: what the next round of the reactor calls, where rounds are begun by hand.
        page: creates the WebSockets of the page's port.
        bare: creates the WebSockets of the bare port.
        site: the HTTP site of the page's port.

    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        proxies: Sequence[str] = (),
        origins: OriginRule | None = None,
        dialects: Sequence[type[Dialect]] = (PlainDialect, NamedDialect),
        assets: Mapping[str, Asset] | None = None,
        ca_der: bytes | None = None,
        hsts: bool = False,
        reflector: RequestReflector | None = None,
        base: str = "/",
        embed_origins: Sequence[Origin] = (),
        rounds_by_hand: bool = False,
    ) -> None:
        limits = limits or Limits()
        self.clock = Clock()
        self.record = RecordingSwitchboard()
        self.budget = ConnectionBudget(limits)
        self.due: list[Callable[[], None]] = []
        self.rounds = FairRounds.of(self.clock, limits, None, self.due.append if rounds_by_hand else None)
        self.admission = Admission(limits, [ip_network(proxy) for proxy in proxies])

        def signaling(*, bare: bool) -> SignalingFactory:
            return SignalingFactory(
                make_port(
                    self.clock, self.record.as_switchboard, limits=limits, budget=self.budget, bare=bare,
                    admission=self.admission, rounds=self.rounds, origins=origins, dialects=dialects,
                    reflector=reflector, base=base,
                )
            )  # fmt: skip

        self.page, self.bare = signaling(bare=False), signaling(bare=True)
        self.site = make_site(assets or {}, self.page, limits, self.clock, ca_der, hsts, base, embed_origins)


class ServerCase(SynchronousTestCase):
    """A test case with a server in memory.

    Attributes:
        bare: whether `dial` connects to the bare port, instead of the page's port.
        rounds_by_hand: whether the test begins each round of the reactor; otherwise all that are due follow each read.
        server: the server.

    """

    bare = False
    rounds_by_hand = False
    server: MemoryServer

    def setUp(self) -> None:
        """Start a server with the default limits."""
        self.serve()

    def serve(self, limits: Limits | None = None, **changes: Any) -> None:
        """Start a server with other limits, or with other arguments of `MemoryServer`."""
        self.server = MemoryServer(limits, rounds_by_hand=self.rounds_by_hand, **changes)
        self.clock, self.record = self.server.clock, self.server.record

    @property
    def factory(self) -> SignalingFactory:
        """The factory of the WebSockets of the port to which `dial` connects."""
        return self.server.bare if self.bare else self.server.page

    def dial(self, address: str = CLIENT) -> Endpoint:
        """Open a transport connection to the server."""
        clock = None if self.rounds_by_hand else self.clock
        return Endpoint(self.server.bare if self.bare else self.server.site, address, clock)

    def next_round(self) -> None:
        """Begin the next round of the reactor, where that is done by hand."""
        due, self.server.due[:] = self.server.due[:], []
        for call in due:
            call()

    def advance(self, seconds: float) -> None:
        """Advance the clock in small steps."""
        self.clock.pump([0.1] * round(seconds * 10))

    def nothing_left(self) -> None:
        """Assert that no connection is open or counted, and that no delayed call is pending but that of a round."""
        self.clock.advance(0)
        server = self.server
        self.assertEqual(server.budget.total, 0)
        ports = server.page.signaling_port, server.bare.signaling_port
        self.assertEqual([len(port.connections) for port in ports], [0, 0])
        self.assertEqual(len(server.site.http_connections), 0)
        self.assertEqual(server.admission._budget.addresses, {})
        self.assertEqual(self.clock.getDelayedCalls(), [])
