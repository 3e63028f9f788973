"""Tests of the doctor's check of the public address, against signald's own site in memory."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import (
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
)
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport, IOPump, connect
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from signald.auth.host_secret import FILE_NAME
from signald.config.settings import Config
from signald.core.limits import Limits
from signald.doctor.chain import trusted_store
from signald.doctor.findings import Finding, Mark
from signald.doctor.ports import is_signald
from signald.doctor.public import Visit, check_idle, check_public
from signald.doctor.targets import PublicUrl, Target
from signald.server.admission import Admission
from signald.server.factory import SignalingFactory
from signald.server.reflection import RequestReflector
from signald.server.web import make_site
from tests.support.endpoints import PlainDialect, RecordingSwitchboard
from tests.support.machines import NOW
from tests.support.memory_server import make_port

SECRET = bytes(range(32))


class Dialect(PlainDialect):
    """A dialect with the subprotocol that the doctor offers."""

    subprotocol = "signald.1"


@implementer(IHostnameResolver, IHostResolution)
class Resolver:
    """Resolves every name to the same address."""

    name = "calls.example.org"

    def resolveHostName(  # Twisted's interface
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[Any] | None = None,
        transportSemantics: str = "TCP",
    ) -> Any:
        """Deliver the address immediately."""
        resolutionReceiver.resolutionBegan(self)
        resolutionReceiver.addressResolved(IPv4Address("TCP", "192.0.2.1", portNumber))
        resolutionReceiver.resolutionComplete()
        return self

    def cancel(self) -> None:
        """Do nothing, because the resolution is already complete."""


@implementer(IReactorPluggableNameResolver)
class Network(MemoryReactorClock):
    """A reactor in memory whose TCP connections all lead to one site.

    Attributes:
        pumps: the pumps that carry the bytes of the connections.

    """

    nameResolver = Resolver()

    def __init__(self, site: Any) -> None:
        super().__init__()
        self._site = site
        self.pumps: list[IOPump] = []

    def installNameResolver(self, resolver: Any) -> Any:
        """Ignore the resolver."""
        return resolver

    def run_for(self, seconds: float) -> None:
        """Open the pending TCP connections, and advance the clock in steps of 0.1 s."""
        for _ in range(round(seconds * 10) + 1):
            while self.tcpClients:
                _host, _port, factory, *_ = self.tcpClients.pop()
                if self._site is None:
                    factory.clientConnectionFailed(self.connectors[-1], Failure(ConnectionRefusedError()))
                    continue
                peer = IPv4Address("TCP", "127.0.0.1", 50000)
                client, server = factory.buildProtocol(peer), self._site.buildProtocol(peer)
                self.pumps.append(
                    connect(
                        server,
                        FakeTransport(server, True, peerAddress=peer),
                        client,
                        FakeTransport(client, False, peerAddress=peer),
                    )
                )
            for pump in self.pumps:
                pump.flush()
            self.advance(0.1)


class PublicTests(SynchronousTestCase):
    """Tests of the findings at the public address."""

    def setUp(self) -> None:
        """Create a site that trusts a proxy on the same machine."""
        self.path = Path(self.mktemp()).resolve()
        self.path.mkdir()
        (self.path / FILE_NAME).write_bytes(SECRET)
        self.record = RecordingSwitchboard()
        self.limits = Limits(ping_seconds=2.0, pong_seconds=1.0)
        self.network = Network(None)
        admission = Admission(self.limits, [ip_network("127.0.0.1")])
        signaling = SignalingFactory(
            make_port(
                self.network,
                self.record.as_switchboard,
                dialects=[Dialect],
                limits=self.limits,
                admission=admission,
                reflector=RequestReflector(SECRET, lambda: NOW),
            )
        )
        self.site = make_site({}, signaling, self.limits, self.network, None, False)

    def visit(self, url: str = "http://calls.example.org/", *, is_public: bool = True) -> Visit:
        """Return a visit of a URL."""
        config = Config(self.path, tls=False, trusted_proxies=(ip_network("127.0.0.1"),), limits=self.limits)
        return Visit(PublicUrl.read(url), is_public, config, trusted_store([]), NOW)

    def send_welcome(self) -> None:
        """Send a welcome to all clients."""
        for connection in self.record.connections.values():
            connection.send_text(b'{"type": "welcome"}')

    def findings(self, check: Any, seconds: float = 1.0) -> list[Finding]:
        """Run a check and return its findings."""
        done: Deferred[list[Finding]] = Deferred.fromCoroutine(check)
        self.network.run_for(0.5)
        self.send_welcome()
        self.network.run_for(seconds)
        return self.successResultOf(done)

    def test_nobody_there(self) -> None:
        """If no server listens, the only finding is that the address cannot be reached."""
        (found,) = self.findings(check_public(self.network, self.visit()))
        self.assertEqual((found.topic, found.mark), ("public", Mark.FAILURE))
        self.assertIn("cannot be reached: nothing listens there", found.text)
        (found,) = self.findings(check_idle(self.network, self.visit()))
        self.assertEqual(found.mark, Mark.SKIPPED)

    def test_without_a_proxy_between(self) -> None:
        """A forged X-Forwarded-For header that no proxy replaces is reported, and so is missing encryption."""
        self.network._site = self.site
        found = {one.topic: one for one in self.findings(check_public(self.network, self.visit())) if one.remedy}
        self.assertEqual(set(found), {"certificate", "proxy"})
        self.assertIn("is not encrypted", found["certificate"].text)
        self.assertIn("that a client has made up", found["proxy"].text)

    def test_own_port(self) -> None:
        """At signald's own port, TLS and client addresses are not checked, and the session receives a welcome."""
        self.network._site = self.site
        found = self.findings(check_public(self.network, self.visit(is_public=False)))
        self.assertEqual({one.mark for one in found}, {Mark.OK})
        self.assertEqual(found[-1].topic, "websocket")

    def test_without_the_secret(self) -> None:
        """Without the secret of the data directory, the check of client addresses is skipped."""
        (self.path / FILE_NAME).unlink()
        self.network._site = self.site
        found = self.findings(check_public(self.network, self.visit()))
        self.assertEqual([one.topic for one in found if one.mark is Mark.SKIPPED], ["proxy"])

    def test_idle(self) -> None:
        """The idle check waits for two ping intervals and the timeout of a pong."""
        self.network._site = self.site
        (found,) = self.findings(check_idle(self.network, self.visit()), 6.0)
        self.assertEqual(found.text, "An idle WebSocket lives for 5 s, longer than the 2 s between pings.")

    def test_who_is_signald(self) -> None:
        """A server that names itself signald is recognized; a closed port is not."""
        for site, said in ((self.site, True), (None, False)):
            self.network._site = site
            check = Deferred.fromCoroutine(is_signald(self.network, Target("127.0.0.1", 9000, False)))
            self.network.run_for(0.5)
            self.assertIs(self.successResultOf(check), said)
