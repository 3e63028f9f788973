"""A port accepts the PROXY protocol in front of TLS, HTTP and WebSockets."""

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
    """Return the PROXY header for a client."""
    address = ip_address(client)
    here = HERE if address.version == 4 else ip_address("2001:db8::2")
    return (line if old else binary)(address, here, 4711, 443)


class ProxyProtocolCase(ServerCase):
    """A test of a port behind a trusted proxy."""

    def serve(self, limits: Limits | None = None, **changes: Any) -> None:
        """Start a server; `bare` chooses the bare WebSocket port."""
        self.bare = changes.pop("bare", False)
        super().serve(limits, proxies=["10.0.0.0/8"], **changes)
        self.budget, self.admission = self.server.budget, self.server.admission
        self.inner: IProtocolFactory = self.server.bare if self.bare else self.server.site
        self.proxied = ProxyProtocolFactory(self.inner, self.admission, self.clock)

    def dial(self, address: str = PROXY) -> Endpoint:
        """Open a TCP connection from this address."""
        return Endpoint(self.proxied, address, self.clock)

    def nothing_left(self) -> None:
        """Assert that no connection is open or counted, and that no delayed call is pending."""
        self.assertEqual(self.proxied.waiting, set())
        super().nothing_left()


class ClientTests(ProxyProtocolCase):
    """The client's address is counted in place of the proxy's."""

    def test_the_client_counts(self) -> None:
        """From the header on, every budget counts the client's address and not the proxy's."""
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
        """A header may arrive byte by byte, or in one read together with the request."""
        for old in (False, True):
            proxied = self.dial()
            proxied.send(*(bytes([byte]) for byte in head(old=old)), PAGE)
            self.assertEqual(proxied.response()[0], 404)
            proxied = self.dial()
            proxied.send(head(old=old) + PAGE)
            self.assertEqual(proxied.response()[0], 404)

    def test_ipv6(self) -> None:
        """An IPv6 address from a header is counted by /64 network, as any other."""
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
        """A LOCAL or UNKNOWN header serves the proxy itself.

        The connection is not counted, and its X-Forwarded-For is trusted.
        """
        for start in (b"PROXY UNKNOWN\r\n", SIGNATURE + b"\x20\x00\x00\x00"):
            proxied = self.dial()
            proxied.send(start)
            self.assertEqual(self.admission._budget.addresses, {})
            proxied.send(upgrade_request(x_forwarded_for="198.51.100.4"))
            self.assertEqual(proxied.response()[0], 101)
            self.assertEqual(self.budget.addresses, {AddressKey("198.51.100.4"): 1})
            proxied.disconnect()

    def test_a_client_says_nothing_of_itself(self) -> None:
        """The client's own X-Forwarded-For is ignored, although the proxy is trusted."""
        proxied = self.dial()
        proxied.send(head(), upgrade_request(x_forwarded_for="198.51.100.4"))
        self.assertEqual(self.budget.addresses, {AddressKey(CLIENT): 1})

    def test_others_need_no_header(self) -> None:
        """An untrusted peer is served without a PROXY header, and a header that it sends is a bad request."""
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
        """The bare WebSocket port accepts the PROXY header in the same way."""
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
        """The PROXY header precedes the TLS handshake."""
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
    """Connections of a trusted proxy are closed if their header is missing, invalid or late."""

    def refused(self, *pieces: bytes) -> None:
        """Assert that a connection is closed without a response, and that no state of it is left."""
        proxied = self.dial()
        proxied.send(*pieces)
        self.assertTrue(proxied.transport.aborted)
        self.assertEqual(proxied.answer(), b"")
        proxied.disconnect()
        self.nothing_left()

    def test_no_header(self) -> None:
        """A connection without a valid header is closed; the log has a rate-limited warning without an address."""
        with capturedLogs() as log:
            self.refused(PAGE)
            self.refused(b"\x16\x03\x01\x02\x00")
            self.refused(b"PROXY TCP4 192.0.2.7 no-address 1 2\r\n")
            self.clock.advance(WARNING_SECONDS)
            self.refused(head(old=True)[:-4] + b"x\r\n", b"more")
        self.assertEqual([event["event"] for event in log], ["proxy-header-refused"] * 2)

    def test_too_late(self) -> None:
        """The timeout for the header is not extended by bytes that arrive."""
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
        """A health check that connects and disconnects without a header leaves no state and logs nothing."""
        with capturedLogs() as log:
            proxied = self.dial()
            proxied.send(head()[:5])
            proxied.disconnect()
        self.nothing_left()
        self.assertEqual(log, [])

    def test_in_all(self) -> None:
        """Connections that have not sent their header count against the total, as any connection."""
        self.serve(Limits(connections=2))
        lines = [self.dial(), self.dial("192.0.2.9")]
        self.assertTrue(self.dial().transport.aborted)
        self.assertTrue(self.dial("192.0.2.10").transport.aborted)
        self.assertEqual(self.admission.metrics.limits["connections"], 2)
        lines[1].disconnect()
        lines[0].send(head(), PAGE)
        self.assertEqual(lines[0].response()[0], 404)

    def test_other_proxies(self) -> None:
        """The list of trusted proxies can change while the server runs; open connections continue."""
        proxied = self.dial()
        self.admission.reload_limits(Limits(), [ip_network("192.0.2.9")])
        proxied.send(head(), PAGE)
        self.assertEqual(proxied.response()[0], 404)
        plain: Any = self.dial()
        plain.send(PAGE)
        self.assertEqual(plain.response()[0], 404)
