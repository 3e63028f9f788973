"""Tests of the names and addresses of a machine."""

from __future__ import annotations

import socket
from collections.abc import Iterable

import ifaddr
from twisted.trial.unittest import SynchronousTestCase

from signald.net.addresses import (
    LOOPBACK,
    Names,
    best_address,
    dns_name,
    interface_addresses,
    machine_names,
    routed_addresses,
    usable,
)
from tests.support.machines import addresses, machine


class UsableTests(SynchronousTestCase):
    """`usable` selects the addresses that a browser can open."""

    def test_loopback(self) -> None:
        """Both loopback addresses are usable even where no interface could be listed."""
        self.assertEqual(usable([]), LOOPBACK)

    def test_duplicates(self) -> None:
        """An address that is found twice counts once, at its first place."""
        found = usable(addresses("10.0.0.2", "127.0.0.1", "fd00::2", "10.0.0.2"))
        self.assertEqual(found, (*LOOPBACK, *addresses("10.0.0.2", "fd00::2")))

    def test_unusable(self) -> None:
        """Unspecified, multicast and IPv6 link-local addresses are left out; IPv4 link-local ones are not."""
        found = usable(addresses("0.0.0.0", "224.0.0.251", "::", "ff02::1", "fe80::1", "169.254.7.7"))  # noqa: S104 # nothing is bound
        self.assertEqual(found, (*LOOPBACK, *addresses("169.254.7.7")))


class BestAddressTests(SynchronousTestCase):
    """`best_address` chooses the address to show first."""

    def check(self, own: Iterable[str], routed: Iterable[str], best: str | None) -> None:
        """Assert which address is chosen for a machine."""
        found = best_address(usable(addresses(*own)), addresses(*routed))
        self.assertEqual(None if found is None else str(found), best)

    def test_default_route(self) -> None:
        """The IPv4 address of the default route is chosen, even if another address was found first."""
        self.check(["172.17.0.1", "192.168.1.20"], ["192.168.1.20", "fd00::2"], "192.168.1.20")

    def test_private_before_other(self) -> None:
        """Without an IPv4 route, a private IPv4 address wins over a public one and over the IPv6 route's."""
        self.check(["8.8.4.4", "fd00::2", "10.1.1.1"], ["2001:db8::7"], "10.1.1.1")

    def test_route_before_self_assigned(self) -> None:
        """An IPv6 route's address wins over an IPv4 address that the machine assigned itself."""
        self.check(["169.254.7.7", "fd00::2"], ["fd00::2"], "fd00::2")

    def test_any(self) -> None:
        """Without a route and a private address, the first address of any kind is chosen."""
        self.check(["169.254.7.7", "8.8.4.4"], [], "169.254.7.7")

    def test_none(self) -> None:
        """A machine with only loopback addresses has no best address, whatever its routes."""
        self.check([], ["127.0.0.1", "fe80::1"], None)


class NamesTests(SynchronousTestCase):
    """`Names` derives names and an order of addresses."""

    def test_dns_names(self) -> None:
        """The certificate's names are localhost, the host name, and its first label under .local."""
        self.assertEqual(machine("attic").dns_names, ("localhost", "attic", "attic.local"))
        self.assertEqual(machine("attic.example.org").dns_names, ("localhost", "attic.example.org", "attic.local"))

    def test_host_under_local(self) -> None:
        """A host name that is already a .local name is listed once."""
        self.assertEqual(machine("attic.local").dns_names, ("localhost", "attic.local"))

    def test_no_host(self) -> None:
        """A machine without a useful host name has localhost as its only name."""
        self.assertEqual(machine(None).dns_names, ("localhost",))
        self.assertIsNone(machine(None).mdns)

    def test_shareable(self) -> None:
        """The order is the best address, IPv4, IPv6, self-assigned ones; loopback is left out."""
        own = usable(addresses("fd00::2", "169.254.7.7", "172.17.0.1", "192.168.1.20"))
        names = Names("attic", own, addresses("192.168.1.20")[0])
        self.assertEqual(names.shareable, addresses("192.168.1.20", "172.17.0.1", "fd00::2", "169.254.7.7"))


class DnsNameTests(SynchronousTestCase):
    """`dns_name` normalizes a host name."""

    def test_valid(self) -> None:
        """Names of letters, digits and inner hyphens are accepted, and become lower case without a final dot."""
        for host, name in [
            ("attic", "attic"),
            ("Attic.Example.ORG.", "attic.example.org"),
            ("3f2a9b-7", "3f2a9b-7"),
            ("a" * 63, "a" * 63),
        ]:
            self.assertEqual(dns_name(host), name)

    def test_invalid(self) -> None:
        """Empty and long labels, other characters, addresses and localhost are rejected."""
        long = ".".join(["a" * 63] * 4)
        for host in ("", "my_host", "-a", "a-", "a..b", "dachböden", "10.0.0.1", "a.1", "a" * 64, long, "localhost"):
            self.assertIsNone(dns_name(host), host)
        self.assertIsNone(dns_name("localhost.localdomain"))


class MachineTests(SynchronousTestCase):
    """Functions that query the operating system return its interfaces and routes."""

    def test_interfaces(self) -> None:
        """The IPv4 and IPv6 forms of ifaddr's addresses are both read."""
        ips = [ifaddr.IP("10.0.0.2", 8, "eth0"), ifaddr.IP(("fd00::2", 0, 0), 64, "eth0")]
        found = interface_addresses(lambda: [ifaddr.Adapter("eth0", "eth0", ips), ifaddr.Adapter("lo", "lo", [])])
        self.assertEqual(found, list(addresses("10.0.0.2", "fd00::2")))

    def test_interfaces_denied(self) -> None:
        """A system that does not list its interfaces causes no error."""

        def adapters() -> list[ifaddr.Adapter]:
            raise OSError("Address family not supported by protocol")

        self.assertEqual(interface_addresses(adapters), [])

    def test_routes(self) -> None:
        """The source address towards a destination is found, and a destination without a route is skipped."""
        elsewhere = [(socket.AF_INET6, "127.0.0.1"), (socket.AF_INET, "127.0.0.1")]
        self.assertEqual(routed_addresses(elsewhere), list(addresses("127.0.0.1")))

    def test_this_machine(self) -> None:
        """The machine that runs the test has loopback, and its best address is among its addresses."""
        names = machine_names()
        self.assertEqual(names.addresses[:2], LOOPBACK)
        self.assertIn(names.best, (None, *names.shareable))
