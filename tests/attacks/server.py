"""An echo on signald's own port, with and without TLS: prints both port numbers, and runs until it is ended.

Only the budgets of an address are wider, since all clients come from one.
"""

from __future__ import annotations

import sys
import time
from typing import Any, ClassVar, cast

from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Factory

from signald.addresses import machine_names
from signald.arrivals import Arrivals
from signald.assets import Asset, Representation
from signald.authority import Authority
from signald.budgets import ConnectionBudget
from signald.dialects.dialect import CloseFrame, Dialect
from signald.limits import AddressKey, Limits
from signald.messages import Event, Request
from signald.metrics import Metrics
from signald.origins import OriginRule
from signald.switchboard import Connection, Switchboard
from signald.tls import ServerTLS, TLSFactory, server_context
from signald.users import PeerId
from signald.web import make_site
from signald.websocket import SignalingFactory

LIMITS = Limits(address_connections=1000, address_connection_rate=1e6, address_connection_burst=10**6)

BIG = Asset("/assets/big", "application/wasm", "no-cache", {"identity": Representation(bytes(430_000), '"big"')})


class EchoDialect(Dialect):
    """Spoken where no subprotocol is offered; its messages are never looked at."""

    subprotocol: ClassVar[str | None] = None

    def received(self, frame: bytes) -> list[Request]:
        """Hear nothing."""
        return []

    def encode(self, event: Event) -> list[bytes | CloseFrame]:
        """Say nothing."""
        return []


class EchoSwitchboard:
    """Sends every message back to where it came from."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self._connections: dict[PeerId, Connection] = {}
        self._peers = 0

    def opened(self, connection: Connection, dialect: Dialect, address: AddressKey) -> PeerId:
        """Give the connection a number."""
        self._peers += 1
        peer = PeerId(self._peers)
        self._connections[peer] = connection
        return peer

    def received(self, peer: PeerId, frame: bytes) -> None:
        """Send it back."""
        self._connections[peer].send(frame)

    def closed(self, peer: PeerId, code: int | None = None) -> None:
        """Forget the connection."""
        del self._connections[peer]


def listen(factory: Factory[Any]) -> int:
    """Listen on a free port of the loopback interface, and return it."""
    address = reactor.listenTCP(0, cast(Any, factory), backlog=1000, interface="127.0.0.1").getHost()
    assert isinstance(address, IPv4Address)
    return address.port


def main() -> None:
    """Listen, say where, and run."""
    switchboard = cast(Switchboard, EchoSwitchboard())
    budget, arrivals, rule = ConnectionBudget(LIMITS), Arrivals(LIMITS), OriginRule.of(tls=False)
    signaling = SignalingFactory(switchboard, [EchoDialect], LIMITS, budget, arrivals, reactor, rule)
    site = make_site({BIG.path: BIG}, signaling, LIMITS, reactor, None, False)
    names, now = machine_names(), time.time()
    tls = ServerTLS(server_context(Authority.create(names, now).issue(names, now)))
    ports = listen(site), listen(TLSFactory(tls, False, site, clock=reactor))
    sys.stdout.write(f"{ports[0]} {ports[1]}\n")
    sys.stdout.flush()
    reactor.run()


if __name__ == "__main__":
    main()
