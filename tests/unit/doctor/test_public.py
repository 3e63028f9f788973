"""Tests of the doctor's check of the public address, against signald's own site in memory."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Any

from attrs import evolve
from cryptography.x509 import DNSName
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from signald.auth.host_secret import FILE_NAME
from signald.config.settings import Config
from signald.core.limits import AddressKey, Limits
from signald.doctor.chain import trusted_store
from signald.doctor.findings import Finding, Mark
from signald.doctor.ports import is_signald
from signald.doctor.public import Visit, check_idle, check_public
from signald.doctor.targets import PublicUrl, Target
from signald.server.admission import Admission
from signald.server.factory import SignalingFactory
from signald.server.forwarding_traffic import ForwardingTraffic
from signald.server.reflection import RequestReflector
from signald.server.web import make_site
from signald.tls.context import ServerTLS, TLSFactory, server_context
from tests.support.endpoints import PlainDialect, RecordingSwitchboard
from tests.support.machines import NOW
from tests.support.memory_network import MemoryNetwork
from tests.support.memory_server import make_port
from tests.support.public_authority import PublicAuthority
from tests.support.reactors import install_reactor

SECRET = bytes(range(32))


class Dialect(PlainDialect):
    """A dialect with the subprotocol that the doctor offers."""

    subprotocol = "signald.1"


class Once:
    """A server that accepts one TCP connection and then stops listening."""

    def __init__(self, network: MemoryNetwork, site: Any) -> None:
        self._network = network
        self._site = site

    def buildProtocol(self, address: Any) -> Any:  # Twisted's name
        """Create the protocol of the only connection."""
        self._network.site = None
        return self._site.buildProtocol(address)


class PublicTests(SynchronousTestCase):
    """Tests of the findings at the public address."""

    def setUp(self) -> None:
        """Create a site that trusts a proxy on the same machine."""
        self.path = Path(self.mktemp()).resolve()
        self.path.mkdir()
        (self.path / FILE_NAME).write_bytes(SECRET)
        self.record = RecordingSwitchboard()
        self.limits = Limits(ping_seconds=2.0, pong_seconds=1.0)
        self.network = MemoryNetwork()
        self.traffic = ForwardingTraffic()
        admission = Admission(self.limits, [ip_network("127.0.0.1")])
        signaling = SignalingFactory(
            make_port(
                self.network,
                self.record.as_switchboard,
                dialects=[Dialect],
                limits=self.limits,
                admission=admission,
                reflector=RequestReflector(SECRET, lambda: NOW, self.traffic),
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
        self.network.site = self.site
        found = {one.topic: one for one in self.findings(check_public(self.network, self.visit())) if one.remedy}
        self.assertEqual(set(found), {"certificate", "proxy"})
        self.assertIn("is not encrypted", found["certificate"].text)
        self.assertIn("that a client has made up", found["proxy"].text)

    def test_own_port(self) -> None:
        """At signald's own port, TLS and client addresses are not checked, and the session receives a welcome."""
        self.network.site = self.site
        found = self.findings(check_public(self.network, self.visit(is_public=False)))
        self.assertEqual({one.mark for one in found}, {Mark.OK})
        self.assertEqual(found[-1].topic, "websocket")

    def test_a_proxy_that_was_not_named(self) -> None:
        """An untrusted proxy that has most of the traffic is reported, although the doctor does not use it."""
        self.network.site = self.site
        self.traffic.unnamed_proxy = AddressKey("10.0.0.5")
        found = self.findings(check_public(self.network, self.visit(is_public=False)))
        self.assertEqual([one.topic for one in found if one.mark is Mark.FAILURE], ["proxy"])

    def test_without_the_secret(self) -> None:
        """Without the secret of the data directory, the check of client addresses is skipped."""
        (self.path / FILE_NAME).unlink()
        self.network.site = self.site
        found = self.findings(check_public(self.network, self.visit()))
        self.assertEqual([one.topic for one in found if one.mark is Mark.SKIPPED], ["proxy"])

    def test_secret_of_another_length(self) -> None:
        """A secret that signald could not have created is not used."""
        (self.path / FILE_NAME).write_bytes(SECRET[1:])
        self.network.site = self.site
        found = self.findings(check_public(self.network, self.visit()))
        self.assertEqual([one.topic for one in found if one.mark is Mark.SKIPPED], ["proxy"])

    def test_tls(self) -> None:
        """At an https address, the certificate is judged, and the session opens over TLS."""
        authority = PublicAuthority.create()
        tls = ServerTLS(server_context(authority.issue(DNSName("calls.example.org"))))
        self.network.site = TLSFactory(tls, False, self.site, self.network)
        # Twisted's TLS clients use the reactor of the process.
        install_reactor(self, self.network)
        visit = evolve(
            self.visit("https://calls.example.org/"),
            store=trusted_store([authority.root]),
            now=authority.now.timestamp(),
        )
        found = self.findings(check_public(self.network, visit))
        self.assertEqual([one.mark for one in found if one.topic == "certificate"], [Mark.OK] * 3)
        self.assertEqual(found[-1].text, "signald welcomes at wss://calls.example.org/ws.")

    def test_no_websocket(self) -> None:
        """If the handshake is refused, as at a wrong path, no session is opened."""
        self.network.site = self.site
        found = self.findings(check_public(self.network, self.visit("http://calls.example.org/wrong/")))
        self.assertEqual((found[-1].topic, found[-1].mark), ("websocket", Mark.SKIPPED))

    def test_lost_after_the_handshake(self) -> None:
        """If the server stops between the handshake and the session, the session is reported as unreachable."""
        self.network.site = Once(self.network, self.site)
        found = self.findings(check_public(self.network, self.visit()))[-1]
        self.assertEqual((found.topic, found.mark), ("websocket", Mark.FAILURE))
        self.assertIn("cannot be reached: nothing listens there", found.text)

    def test_idle_without_a_welcome(self) -> None:
        """The idle check is skipped if the server does not respond to hello."""
        self.network.site = self.site
        self.patch(self, "send_welcome", lambda: None)
        (found,) = self.findings(check_idle(self.network, self.visit()), 6.0)
        self.assertEqual(found.mark, Mark.SKIPPED)

    def test_idle(self) -> None:
        """The idle check waits for two ping intervals and the timeout of a pong."""
        self.network.site = self.site
        (found,) = self.findings(check_idle(self.network, self.visit()), 6.0)
        self.assertEqual(found.text, "An idle WebSocket lives for 5 s, longer than the 2 s between pings.")

    def test_who_is_signald(self) -> None:
        """A server that names itself signald is recognized; a closed port is not."""
        for site, said in ((self.site, True), (None, False)):
            self.network.site = site
            check = Deferred.fromCoroutine(is_signald(self.network, Target("127.0.0.1", 9000, False)))
            self.network.run_for(0.5)
            self.assertIs(self.successResultOf(check), said)
