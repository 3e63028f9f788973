"""Tests of the doctor's check of the public address, against signald's own site in memory."""

from __future__ import annotations

from collections.abc import Mapping
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
from signald.net.origins import origin_from
from signald.page.assets import REVALIDATED, Asset, Representation
from signald.server.admission import Admission
from signald.server.factory import SignalingFactory
from signald.server.forwarding_traffic import ForwardingTraffic
from signald.server.reflection import RequestReflector
from signald.server.site import SignalingSite
from signald.server.web import make_site
from signald.tls.context import ServerTLS, TLSFactory, server_context
from tests.support.endpoints import PlainDialect, RecordingSwitchboard
from tests.support.machines import NOW
from tests.support.memory_network import MemoryNetwork, NoNames
from tests.support.memory_server import make_port
from tests.support.public_authority import PublicAuthority
from tests.support.reactors import install_reactor

SECRET = bytes(range(32))


STYLE_SHEET = "/assets/style.0123456789abcdef.css"

PAGE = {
    path: Asset(path, kind, REVALIDATED, {"identity": Representation(body, '"etag"')})
    for path, kind, body in (
        ("/", "text/html; charset=utf-8", f'<link rel="stylesheet" href=".{STYLE_SHEET}">'.encode() + b" " * 70_000),
        (STYLE_SHEET, "text/css; charset=utf-8", b"body {}"),
        ("/service-worker.js", "text/javascript; charset=utf-8", b"// worker"),
    )
}
"""What the doctor loads of a page, which is longer than what it reads of it."""


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
        self.site = self.make_site()

    def make_site(self, base: str = "/", assets: Mapping[str, Asset] = PAGE) -> SignalingSite:
        """Create a site whose page has that path."""
        admission = Admission(self.limits, [ip_network("127.0.0.1")])
        signaling = SignalingFactory(
            make_port(
                self.network,
                self.record.as_switchboard,
                dialects=[Dialect],
                base=base,
                limits=self.limits,
                admission=admission,
                reflector=RequestReflector(SECRET, lambda: NOW, self.traffic),
            )
        )
        return make_site(assets, signaling, self.limits, self.network, None, False, base)

    def visit(self, url: str = "http://calls.example.org/", *, is_public: bool = True, base: str = "/") -> Visit:
        """Return a visit of a URL, by an operator whose configuration has that path."""
        proxies = (ip_network("127.0.0.1"),)
        config = Config(self.path, path=base, tls=False, trusted_proxies=proxies, limits=self.limits)
        return Visit(PublicUrl.read(url), is_public, config, trusted_store([]), NOW)

    def send_welcome(self) -> None:
        """Send a welcome to all clients."""
        for connection in self.record.connections.values():
            connection.send_text(b'{"type": "welcome"}')

    def findings(self, check: Any, seconds: float = 1.0) -> list[Finding]:
        """Run a check and return its findings."""
        done: Deferred[list[Finding]] = Deferred.fromCoroutine(check)
        for _ in range(2):  # over TLS the page takes most of the first half second
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

    def test_name_without_address(self) -> None:
        """The remedy for a name without an address is a record, and not the state of a server."""
        self.patch(self.network, "nameResolver", NoNames())
        [found] = self.findings(check_public(self.network, self.visit()))
        self.assertIn("http://calls.example.org cannot be reached: its name has no address.", found.text)
        self.assertIn("Give calls.example.org an A or AAAA record", found.remedy or "")

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

    def page_findings(self, visit: Visit) -> list[Finding]:
        """Return the findings about the page, and the failures about its WebSocket."""
        found = self.findings(check_public(self.network, visit))
        return [one for one in found if one.topic == "page" or (one.topic == "proxy" and "not for" in one.text)]

    def test_page(self) -> None:
        """The page, the style sheet that it names and its worker are loaded, also below a path."""
        for base in ("/", "/calls/"):
            self.network.site = self.make_site(base)
            (found,) = self.page_findings(self.visit(f"http://calls.example.org{base}", base=base))
            text = f"The page at http://calls.example.org{base} comes, with its style sheet and its worker."
            self.assertEqual((found.mark, found.text), (Mark.OK, text))

    def test_page_in_frames(self) -> None:
        """A page that may be shown in frames by its configuration has to come with the header that allows it."""
        visit = self.visit()
        visit = evolve(visit, config=evolve(visit.config, embed_origins=(origin_from("https://a.example"),)))
        self.network.site = self.site
        (found,) = self.page_findings(visit)
        self.assertEqual(found.mark, Mark.FAILURE)
        self.assertIn("no page of https://a.example can show it in a frame", found.text)

    def test_page_without_its_files(self) -> None:
        """A page whose style sheet or worker is not there is a failure, although the page and the WebSocket are."""
        for missing, harm in ((STYLE_SHEET, "it does not start"), ("/service-worker.js", "it cannot be installed")):
            self.network.site = self.make_site(assets={path: one for path, one in PAGE.items() if path != missing})
            (found,) = self.page_findings(self.visit())
            self.assertEqual(found.mark, Mark.FAILURE)
            self.assertIn(f"comes, but {harm}", found.text)
            self.assertIn(f"{missing} answers 404.", found.text)

    def test_another_page(self) -> None:
        """A page that is not signald's is a failure, although the WebSocket opens."""
        other = evolve(PAGE["/"], representations={"identity": Representation(b"<html>", '"x"')})
        for assets in ({"/": other}, {}):
            self.network.site = self.make_site(assets=assets)
            (found,) = [one for one in self.findings(check_public(self.network, self.visit())) if one.topic == "page"]
            self.assertEqual(found.mark, Mark.FAILURE)

    def test_wrong_paths(self) -> None:
        """If signald serves another path, the one finding says which path is wrong, and the page is not loaded."""
        for served, base, public, cause in (
            ("/", "/", "/calls/", "the proxy passes /calls on, and signald's path is /."),
            ("/calls/", "/calls/", "/", "signald's path is /calls/."),
            ("/", "/calls/", "/calls/", "the proxy strips /calls, or changes it, and signald's path is /calls/."),
        ):
            self.network.site = self.make_site(served)
            wrong, page = self.page_findings(self.visit(f"http://calls.example.org{public}", base=base))
            self.assertEqual((wrong.topic, wrong.mark, page.mark), ("proxy", Mark.FAILURE, Mark.SKIPPED))
            self.assertIn(f"signald answers, but not for {public}ws: {cause}", wrong.text)

    def test_lost_after_the_handshake(self) -> None:
        """If the server stops between the handshake and the rest, page and session are reported as unreachable."""
        self.network.site = Once(self.network, self.site)
        page, session = self.findings(check_public(self.network, self.visit()))[-2:]
        for found, topic in ((page, "page"), (session, "websocket")):
            self.assertEqual((found.topic, found.mark), (topic, Mark.FAILURE))
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
