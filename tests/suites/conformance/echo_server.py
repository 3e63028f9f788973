"""An echo server on signald's own WebSocket protocol: it prints its port, and runs until it is terminated.

Its limits are wider than the daemon's, since the suite sends messages of 16 MiB and messages of many fragments, and it
accepts binary messages. Frames take the same path as in the daemon. `--deflate` also accepts compression, which the
daemon never does, for the cases about compression.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import cast

from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IReactorTime

from signald.core.budgets import ConnectionBudget
from signald.core.limits import AddressKey, Limits
from signald.core.messages import AppMessage, Event, ForwardedMessage, Request, SessionId, Traits, UserId
from signald.core.users import PeerId
from signald.dialects.dialect import CloseFrame, Dialect
from signald.net.origins import OriginRule
from signald.server.admission import Admission
from signald.server.factory import SignalingFactory
from signald.server.fairness import FairRounds
from signald.server.port import SignalingPort
from signald.server.switchboard import Connection, Switchboard
from signald.server.upgrade_request import UpgradeRule
from signald.server.websocket import SignalingProtocol

# The suite judges a ping in the middle of a case of more than 20 s as a wrong response.
LIMITS = Limits(
    message_bytes=32 << 20,
    message_byte_rate=1e12,
    message_byte_burst=1 << 40,
    output_bytes=1 << 30,
    fragments=1 << 24,
    fragments_seconds=600.0,
    control_rate=10_000.0,
    control_burst=100_000,
    ping_seconds=3600.0,
    output_seconds=600.0,
    address_connections=1000,
    address_message_rate=1e9,
    address_connection_rate=1000.0,
    address_connection_burst=10_000,
)


class EchoDialect(Dialect):
    """A dialect without a subprotocol; its messages contain the received frames."""

    subprotocol = None

    def decode(self, frame: bytes) -> list[Request]:
        """Return a message that contains the frame, which may be binary."""
        return [AppMessage(SessionId(""), cast(str, frame))]

    def encode(self, event: Event) -> list[bytes | CloseFrame]:
        """Return the frame that the event contains; the event is a message."""
        return [cast(bytes, event.content)] if isinstance(event, ForwardedMessage) else []


class EchoProtocol(SignalingProtocol):
    """Accepts binary messages too, and echoes each message with its own opcode."""

    binary_messages = True
    _is_binary = False

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Store whether the message is binary for the echo, which is sent within this call."""
        self._is_binary = isBinary
        super().onMessage(payload, isBinary)

    def send_text(self, payload: bytes) -> None:
        """Send a message of the same kind as the message that is echoed."""
        if self._is_binary or self._perMessageCompress is not None:
            self.sendMessage(payload, self._is_binary)
        else:
            super().send_text(payload)


class NoCalls:
    """The log of the calls, of which nothing is written."""

    is_on = is_detailed = False


class EchoSwitchboard:
    """Sends every message back to its sender."""

    is_suspended = False
    calls = NoCalls()
    sent = 0
    decided = 0

    def __init__(self) -> None:
        self._connections: dict[PeerId, Connection] = {}
        self._peers = 0

    def add_connection(
        self, connection: Connection, address: AddressKey, traits: Traits, *, slow_start: bool = False
    ) -> PeerId:
        """Assign a peer id to the connection."""
        self._peers += 1
        peer = PeerId(self._peers)
        self._connections[peer] = connection
        return peer

    def receive_requests(self, peer: PeerId, requests: Sequence[Request]) -> None:
        """Send the frames back to their sender."""
        for request in requests:
            if isinstance(request, AppMessage):
                self._connections[peer].send_event(ForwardedMessage(request.session, UserId(""), request.content))

    def fail_connection(self, peer: PeerId) -> None:
        """Abort a connection that nothing could be forwarded to."""
        self._connections[peer].abort()

    def remove_connection(self, peer: PeerId, code: int | None = None, *, offended: bool = False) -> None:
        """Remove the connection."""
        del self._connections[peer]


class EchoFactory(SignalingFactory):
    """Creates the echo server's protocols."""

    protocol = EchoProtocol


def first_deflate(offers: Sequence[object]) -> PerMessageDeflateOfferAccept | None:
    """Accept the first offer of permessage-deflate (RFC 7692 §5.1)."""
    offer = next((offer for offer in offers if isinstance(offer, PerMessageDeflateOffer)), None)
    return None if offer is None else PerMessageDeflateOfferAccept(offer)


def main() -> None:
    """Listen on a free port of the loopback interface, print the port, and run."""
    switchboard = cast(Switchboard, EchoSwitchboard())
    clock = IReactorTime(reactor)
    port = SignalingPort(
        switchboard=switchboard,
        limits=LIMITS,
        budget=ConnectionBudget(LIMITS),
        admission=Admission(LIMITS),
        clock=clock,
        rounds=FairRounds.of(clock, LIMITS),
        bare=True,
        rule=UpgradeRule.of_port([EchoDialect], OriginRule.bare(), bare=True),
    )
    factory = EchoFactory(port)
    if sys.argv[1:] == ["--deflate"]:
        factory.setProtocolOptions(perMessageCompressionAccept=first_deflate)
    listening = reactor.listenTCP(0, factory, interface="127.0.0.1")
    address = listening.getHost()
    assert isinstance(address, IPv4Address)
    sys.stdout.write(f"{address.port}\n")
    sys.stdout.flush()
    reactor.run()


if __name__ == "__main__":
    main()
