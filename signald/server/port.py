"""State that the WebSockets of one listening port share: switchboard, bounds, rule and open connections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from attrs import define, evolve, field
from twisted.internet.interfaces import IReactorTime

from signald.core.budgets import ConnectionBudget
from signald.core.limits import Limits
from signald.monitoring.metrics import Metrics
from signald.net.origins import Origin
from signald.net.proxies import peer_host
from signald.server.admission import Admission
from signald.server.draining import ConnectionSet, DrainableConnection
from signald.server.fairness import FairRounds
from signald.server.forward_batch import ForwardBatch
from signald.server.pings import PingedConnection, Pings
from signald.server.reflection import RequestReflector
from signald.server.switchboard import Switchboard
from signald.server.upgrade_request import UpgradeRule

__all__ = ["SignalingConnection", "SignalingPort"]


class SignalingConnection(DrainableConnection, Protocol):
    """An open WebSocket as its port sees it."""

    @property
    def waiting_bytes(self) -> int:
        """Bytes of output that the peer has not taken, without those that the transport buffers."""


@define(kw_only=True, eq=False)
class SignalingPort:
    """The state that all WebSockets of one listening port share.

    Attributes:
        switchboard: receives their requests.
        limits: the bounds of each connection that begins from now on.
        budget: admits WebSockets; all ports of a server share one.
        admission: admits transports, and knows whose X-Forwarded-For is believed; all ports of a server share one.
        clock: measures every deadline.
        rounds: divides each round of the reactor among addresses; all ports of a server share one.
        metrics: counts connections, bytes, messages and errors.
        bare: whether the port speaks nothing but WebSocket, on any path, and not under `/ws` of the page's port.
        scheme: the scheme of its WebSockets, `wss` or `ws`.
        reflector: answers the operator's own check with what came through the proxies; None answers nothing.
        rule: decides which opening handshakes are accepted, and in which dialect.
        batch: the frames that the present read brings for one receiver.
        connections: the connections whose transport is open, in their opening handshake too.
        pings: watches the connections that begin from now on, and pings them while they are silent.

    """

    switchboard: Switchboard
    limits: Limits
    budget: ConnectionBudget
    admission: Admission
    clock: IReactorTime
    rounds: FairRounds
    metrics: Metrics = field(factory=Metrics)
    bare: bool = False
    scheme: str = "ws"
    reflector: RequestReflector | None = None
    rule: UpgradeRule
    batch: ForwardBatch = field(init=False)
    connections: ConnectionSet[SignalingConnection] = field(init=False)
    pings: Pings[PingedConnection] = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Count the connections among all of the server."""
        self.batch = ForwardBatch(self.metrics, self.switchboard.fail_connection)
        self.connections = ConnectionSet(self.clock)
        self.pings = Pings(self.clock, self.limits)
        self.admission.count_among_all(self.connections)

    def reload_limits(self, limits: Limits) -> None:
        """Use other limits for the connections that begin from now on."""
        self.limits, self.pings = limits, self.pings.with_limits(limits)

    def allow_origins(self, others: Iterable[Origin]) -> None:
        """Accept pages of these origins from now on, besides the port's own."""
        self.rule = evolve(self.rule, origins=evolve(self.rule.origins, others=frozenset(others)))

    def answer_hosts(self, hosts: frozenset[str] | None) -> None:
        """Accept clients under these host names from now on (`Host.is_among`)."""
        self.rule = evolve(self.rule, hosts=hosts)

    def reflection_headers(self, headers: Mapping[str, str], transport: Any) -> dict[str, str]:
        """The headers of a response that tell `signald doctor` what was seen of its request; none for other clients.

        Arguments:
            headers: the request's headers by lower-case name.
            transport: the transport that the request came over.

        """
        if self.reflector is None:
            return {}
        return self.reflector.headers(headers, peer_host(transport.getPeer()), self.admission.trusted_proxies)
