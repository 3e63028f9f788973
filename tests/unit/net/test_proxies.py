"""Tests of the client's address behind reverse proxies."""

from __future__ import annotations

from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from signald.net.proxies import client_address, is_trusted, peer_host

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48"))


class ClientAddressTests(SynchronousTestCase):
    """`client_address`, `is_trusted` and `peer_host`."""

    def test_last_untrusted_hop(self) -> None:
        """The client is the last hop that is not a trusted proxy; hops further left may be forged."""
        for peer, header, client in (
            ("10.0.0.1", "192.0.2.1", "192.0.2.1"),
            ("10.0.0.1", "198.51.100.9, 192.0.2.1", "192.0.2.1"),
            ("10.0.0.1", "198.51.100.9, 192.0.2.1 ,10.0.0.2,\t10.0.0.3", "192.0.2.1"),
            ("2001:db8:1::1", "2001:DB8:2::1", "2001:db8:2::1"),
            ("::ffff:10.0.0.1", "192.0.2.1", "192.0.2.1"),
            ("10.0.0.1", "::ffff:192.0.2.1", "192.0.2.1"),
            ("10.0.0.1", "192.0.2.1:4711", "192.0.2.1"),
            ("10.0.0.1", "[2001:db8:2::1]:4711", "2001:db8:2::1"),
            ("10.0.0.1", "[2001:db8:2::1]", "2001:db8:2::1"),
            ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ):
            self.assertEqual(client_address(peer, header, TRUSTED), client, header)

    def test_untrusted_peer(self) -> None:
        """The header of a peer that is not trusted is ignored."""
        self.assertEqual(client_address("192.0.2.7", "192.0.2.1", TRUSTED), "192.0.2.7")
        self.assertEqual(client_address("10.0.0.1", "192.0.2.1", ()), "10.0.0.1")
        self.assertEqual(client_address("", "192.0.2.1", TRUSTED), "")

    def test_no_address(self) -> None:
        """A missing header or a hop without an address leads to the address of the proxy."""
        for header in (None, "", "unknown", "_hidden", "192.0.2.1, unknown", "192.0.2.1,", "1.2.3.4.5:80", "[::1"):
            self.assertEqual(client_address("10.0.0.1", header, TRUSTED), "10.0.0.1", header)
        self.assertEqual(client_address("10.0.0.1", "junk, 10.0.0.2", TRUSTED), "10.0.0.2")

    @given(st.text(alphabet="0123456789abcdef.:[], x%"))
    def test_any_header(self, header: str) -> None:
        """No header raises an exception, or changes the address of an untrusted peer."""
        client_address("10.0.0.1", header, TRUSTED)
        self.assertEqual(client_address("192.0.2.7", header, TRUSTED), "192.0.2.7")

    def test_peer(self) -> None:
        """A TCP peer has an IP address; that of a Unix socket has none."""
        for address, host in (
            (IPv4Address("TCP", "192.0.2.1", 1), "192.0.2.1"),
            (IPv6Address("TCP", "::1", 1), "::1"),
            (UNIXAddress(b"/run/socket"), ""),
        ):
            self.assertEqual(peer_host(address), host)

    def test_trust(self) -> None:
        """Trusted networks may be IPv4 and IPv6; text that is not an address is not trusted."""
        self.assertTrue(is_trusted("10.1.2.3", TRUSTED))
        self.assertTrue(is_trusted("2001:db8:1::9%eth0", TRUSTED))
        self.assertFalse(is_trusted("11.1.2.3", TRUSTED))
        self.assertFalse(is_trusted("/run/socket", TRUSTED))
