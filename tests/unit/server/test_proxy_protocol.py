"""The PROXY protocol below a port."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import capturedLogs

from signald.core.errors import ErrorCode
from signald.core.limits import AddressKey, Limits
from signald.server.proxy_protocol import WARNING_SECONDS, ProxyProtocolFactory
from signald.tls.authority import Authority, wall_time
from signald.tls.context import ServerTLS, TLSFactory, server_context
from tests.support.endpoints import (
    TEXT,
    Endpoint,
    frame,
    parse_response,
    problem_code,
    request,
    upgrade_request,
)
from tests.support.handshake import client_context
from tests.support.machines import NOW, machine
from tests.support.memory_server import ServerCase
from tests.support.proxy_headers import SIGNATURE, binary, line

PROXY = "10.0.0.1"
CLIENT = "192.0.2.7"
HERE = ip_address("10.0.0.2")
PAGE = request("/", {"Host": "localhost"})


def head(client: str = CLIENT, *, old: bool = False) -> bytes:
    """The PROXY header for a client."""
    address = ip_address(client)
    here = HERE if address.version == 4 else ip_address("2001:db8::2")
    return (line if old else binary)(address, here, 4711, 443)


class ProxyProtocolCase(ServerCase):
    """A port behind a trusted proxy."""

    def serve(self, limits: Limits | None = None, **changes: Any) -> None:
        """Start a server; `bare` says on which of its ports."""
        self.bare = changes.pop("bare", False)
        super().serve(limits, proxies=["10.0.0.0/8"], **changes)
        self.budget, self.admission = self.server.budget, self.server.admission
        self.inner: IProtocolFactory = self.server.bare if self.bare else self.server.site
        self.proxied = ProxyProtocolFactory(self.inner, self.admission, self.clock)

    def dial(self, address: str = PROXY) -> Endpoint:
        """Make a connection."""
        return Endpoint(self.proxied, address)

    def nothing_left(self) -> None:
        """Assert that no connection is open or counted, and that no call is pending."""
        self.assertEqual(self.proxied.waiting, set())
        super().nothing_left()


class ClientTests(ProxyProtocolCase):
    """The client's address counts in the place of the proxy's."""

    def test_the_client_counts(self) -> None:
        """From the header on the client's address is counted in every budget, and the proxy's is not."""
        for old in (False, True):
            proxied = self.dial()
            self.assertEqual(self.admission._budget.addresses, {})
            proxied.send(head(old=old))
            self.assertEqual(self.admission._budget.addresses, {AddressKey(CLIENT): 1})
            self.assertEqual(proxied.upgrade(), 101)
            self.assertEqual(self.budget.addresses, {AddressKey(CLIENT): 1})
            proxied.send(frame(TEXT, b"heard"))
            self.assertEqual(self.record.heard.pop()[1], b"heard")
            proxied.disconnect()
            self.nothing_left()

    def test_pieces(self) -> None:
        """A header may come byte by byte, or in one read with the request."""
        for old in (False, True):
            proxied = self.dial()
            proxied.send(*(bytes([byte]) for byte in head(old=old)), PAGE)
            self.assertEqual(proxied.response()[0], 404)
            proxied = self.dial()
            proxied.send(head(old=old) + PAGE)
            self.assertEqual(proxied.response()[0], 404)

    def test_ipv6(self) -> None:
        """It counts by /64, as any."""
        proxied = self.dial()
        proxied.send(head("2001:db8:1:2:3::4"))
        self.assertIn(AddressKey("2001:db8:1:2::/64"), self.admission._budget.addresses)

    def test_a_client_that_is_refused(self) -> None:
        """A client is refused by its own address at its header, and another client of the same proxy is accepted."""
        self.serve(Limits(address_connections=1))
        lines = [self.dial() for _ in range(3)]
        for proxied, client in zip(lines, (CLIENT, CLIENT, "192.0.2.8"), strict=True):
            proxied.send(head(client))
        self.assertEqual([proxied.transport.aborted for proxied in lines], [False, True, False])
        self.assertEqual(self.admission.metrics.limits["address_connections"], 1)
        lines[1].send(b"more")
        for proxied in lines:
            proxied.disconnect()
        self.nothing_left()

    def test_nobody(self) -> None:
        """A proxy that speaks for itself is served as itself: not counted, and its X-Forwarded-For believed."""
        for start in (b"PROXY UNKNOWN\r\n", SIGNATURE + b"\x20\x00\x00\x00"):
            proxied = self.dial()
            proxied.send(start)
            self.assertEqual(self.admission._budget.addresses, {})
            proxied.send(upgrade_request(x_forwarded_for="198.51.100.4"))
            self.assertEqual(proxied.response()[0], 101)
            self.assertEqual(self.budget.addresses, {AddressKey("198.51.100.4"): 1})
            proxied.disconnect()

    def test_a_client_says_nothing_of_itself(self) -> None:
        """Its X-Forwarded-For does not count, though the proxy is trusted."""
        proxied = self.dial()
        proxied.send(head(), upgrade_request(x_forwarded_for="198.51.100.4"))
        self.assertEqual(self.budget.addresses, {AddressKey(CLIENT): 1})

    def test_others_need_no_header(self) -> None:
        """Who is not trusted is served as without all this, and a header of theirs is a bad request."""
        other = self.dial("192.0.2.9")
        self.assertEqual(self.admission._budget.addresses, {AddressKey("192.0.2.9"): 1})
        other.send(PAGE)
        self.assertEqual(other.response()[0], 404)
        for old in (False, True):
            other = self.dial("192.0.2.9")
            other.send(head(old=old) + PAGE)
            self.assertIs(problem_code(other.response()), ErrorCode.BAD_REQUEST)
            self.assertTrue(other.closed)

    def test_the_bare_port(self) -> None:
        """The same where a WebSocket alone is spoken."""
        self.serve(Limits(), bare=True)
        proxied = self.dial()
        proxied.send(head(old=True))
        self.assertEqual(proxied.upgrade("/"), 101)
        self.assertEqual(self.budget.addresses, {AddressKey(CLIENT): 1})
        proxied.disconnect()
        self.nothing_left()
        other = self.dial("192.0.2.9")
        other.send(head(old=True) + PAGE)
        self.assertIs(problem_code(other.response()), ErrorCode.BAD_REQUEST)

    def test_tls(self) -> None:
        """The header comes before TLS."""
        names = machine("attic", ["192.168.1.20"])
        authority = Authority.create(names, NOW)
        tls = TLSFactory(ServerTLS(server_context(authority.issue(names, NOW))), False, self.inner, self.clock)
        self.proxied = ProxyProtocolFactory(tls, self.admission, self.clock)
        proxied = self.dial()
        client = SSL.Connection(client_context(authority.certificate, wall_time(NOW)), None)
        client.set_connect_state()
        self.assertRaises(SSL.WantReadError, client.do_handshake)
        proxied.send(head() + client.bio_read(65536))
        client.bio_write(proxied.answer())
        client.do_handshake()
        client.send(PAGE)
        proxied.send(client.bio_read(65536))
        self.clock.advance(0)
        client.bio_write(proxied.answer())
        self.assertEqual(parse_response(client.recv(65536))[0], 404)
        self.assertEqual(self.admission._budget.addresses, {AddressKey(CLIENT): 1})
        proxied.disconnect()
        self.nothing_left()


class RefusalTests(ProxyProtocolCase):
    """Connections of a trusted proxy that are closed."""

    def refused(self, *pieces: bytes) -> None:
        """Assert that a connection is closed without a word, and nothing is left of it."""
        proxied = self.dial()
        proxied.send(*pieces)
        self.assertTrue(proxied.transport.aborted)
        self.assertEqual(proxied.answer(), b"")
        proxied.disconnect()
        self.nothing_left()

    def test_no_header(self) -> None:
        """A connection without a valid header is closed; the log warns now and then, without an address."""
        with capturedLogs() as log:
            self.refused(PAGE)
            self.refused(b"\x16\x03\x01\x02\x00")
            self.refused(b"PROXY TCP4 192.0.2.7 no-address 1 2\r\n")
            self.clock.advance(WARNING_SECONDS)
            self.refused(head(old=True)[:-4] + b"x\r\n", b"more")
        self.assertEqual([event["event"] for event in log], ["proxy-header-refused"] * 2)

    def test_too_late(self) -> None:
        """A header has its time, which no byte extends."""
        proxied = self.dial()
        for byte in head()[:9]:
            self.assertFalse(proxied.closed)
            proxied.send(bytes([byte]))
            self.clock.advance(1.0)
        self.clock.advance(1.0)
        self.assertTrue(proxied.transport.aborted)
        self.assertEqual(self.admission.metrics.limits["header_seconds"], 1)
        proxied.disconnect()
        self.nothing_left()

    def test_gone_before_its_header(self) -> None:
        """A health check that only connects leaves nothing behind and logs nothing."""
        with capturedLogs() as log:
            proxied = self.dial()
            proxied.send(head()[:5])
            proxied.disconnect()
        self.nothing_left()
        self.assertEqual(log, [])

    def test_in_all(self) -> None:
        """Connections without their header count as any."""
        self.serve(Limits(connections=2))
        lines = [self.dial(), self.dial("192.0.2.9")]
        self.assertTrue(self.dial().transport.aborted)
        self.assertTrue(self.dial("192.0.2.10").transport.aborted)
        self.assertEqual(self.admission.metrics.limits["connections"], 2)
        lines[1].disconnect()
        lines[0].send(head(), PAGE)
        self.assertEqual(lines[0].response()[0], 404)

    def test_other_proxies(self) -> None:
        """Who is trusted can change; connections go on."""
        proxied = self.dial()
        self.admission.reload_limits(Limits(), [ip_network("192.0.2.9")])
        proxied.send(head(), PAGE)
        self.assertEqual(proxied.response()[0], 404)
        plain: Any = self.dial()
        plain.send(PAGE)
        self.assertEqual(plain.response()[0], 404)
