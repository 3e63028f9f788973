"""The names and addresses of this machine, for its certificate and for the URLs on the terminal.

`machine_names` and what it calls ask the system; all other functions are pure.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import ifaddr
from attrs import frozen

__all__ = ["LOCAL_NETWORKS", "LOOPBACK", "Address", "Names", "best_address", "dns_name", "machine_names", "usable"]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LOOPBACK: tuple[Address, ...] = (IPv4Address("127.0.0.1"), IPv6Address("::1"))
"""The addresses of `localhost`, which are used even if the interfaces cannot be listed."""

LOCAL_NETWORKS: tuple[Network, ...] = tuple(
    ip_network(network)
    for network in (
        "10.0.0.0/8",  # RFC 1918 §3
        "172.16.0.0/12",  # RFC 1918 §3
        "192.168.0.0/16",  # RFC 1918 §3
        "100.64.0.0/10",  # RFC 6598 §7: carrier-grade NAT, also used by overlay networks
        "127.0.0.0/8",  # RFC 1122 §3.2.1.3
        "169.254.0.0/16",  # RFC 3927 §2.1
        "::1/128",  # RFC 4291 §2.5.3
        "fc00::/7",  # RFC 4193 §3.1
        "fe80::/10",  # RFC 4291 §2.5.6
    )
)
"""Ranges that are valid on one machine or one network only, and are not routed on the Internet."""

_ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
"""Documentation addresses (RFC 5737 §3, RFC 3849 §2); connecting a datagram socket to one sends nothing."""

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
"""A label of a host name: at most 63 letters, digits and inner hyphens (RFC 1123 §2.1)."""


@frozen
class Names:
    """The names and addresses by which a machine can be reached.

    Attributes:
        host: its host name as a DNS name in lower case; None if other machines cannot use it.
        addresses: its usable addresses, loopback included.
        best: the address to show first; None if it has only loopback addresses.

    """

    host: str | None
    addresses: tuple[Address, ...]
    best: Address | None

    @property
    def mdns(self) -> str | None:
        """Its name in multicast DNS: the first label of the host name under `.local` (RFC 6762 §3)."""
        return None if self.host is None else f"{self.host.partition('.')[0]}.local"

    @property
    def dns_names(self) -> tuple[str, ...]:
        """The DNS names for the certificate: localhost, the host name, the `.local` name."""
        return tuple(dict.fromkeys(name for name in ("localhost", self.host, self.mdns) if name is not None))

    @property
    def shareable(self) -> tuple[Address, ...]:
        """The addresses for other machines: the best one, then IPv4, then IPv6, self-assigned ones last."""
        return tuple(
            sorted(
                (address for address in self.addresses if not address.is_loopback),
                key=lambda address: (address != self.best, address.is_link_local, address.version),
            )
        )


def usable(addresses: Iterable[Address]) -> tuple[Address, ...]:
    """Return the addresses that a browser can open, without duplicates and with loopback.

    IPv6 link-local addresses are left out: they need a zone, which a URL cannot contain (WHATWG URL, "Host
    representation"), and a container host has one for each container.
    """
    return tuple(
        dict.fromkeys(
            address
            for address in (*LOOPBACK, *addresses)
            if not (address.is_unspecified or address.is_multicast or (address.version == 6 and address.is_link_local))
        )
    )


def best_address(addresses: Sequence[Address], routed: Iterable[Address]) -> Address | None:
    """Choose the address to show first.

    Arguments:
        addresses: the usable addresses of the machine.
        routed: the source addresses of the default routes.

    The result is the IPv4 address of the default route; without one, the first private IPv4 address, then the IPv6
    address of the default route, then any; None if there is only loopback.

    """
    others = [address for address in addresses if not address.is_loopback]
    routes = [address for address in usable(routed) if not address.is_loopback]
    choices = (
        *(address for address in routes if address.version == 4),
        *(address for address in others if address.version == 4 and address.is_private and not address.is_link_local),
        *routes,
        *others,
    )
    return next(iter(choices), None)


def dns_name(host: str) -> str | None:
    """Return the host name in the form for certificates and URLs, or None if it is unusable there.

    `localhost` means another machine to others; a name whose last label is a number would be parsed as an IPv4
    address (WHATWG URL, "ends in a number").
    """
    name = host.rstrip(".").lower()
    labels = name.split(".")
    if labels[0] == "localhost" or labels[-1].isdigit() or len(name) > 253:
        return None
    return name if all(_LABEL.fullmatch(label) for label in labels) else None


def interface_addresses(adapters: Callable[[], Iterable[ifaddr.Adapter]] = ifaddr.get_adapters) -> list[Address]:
    """Return the addresses of all interfaces.

    The list is empty where the system denies it, as to a service without AF_NETLINK sockets.
    """
    try:
        return [ip_address(ip.ip if isinstance(ip.ip, str) else ip.ip[0]) for one in adapters() for ip in one.ips]
    except OSError:
        return []


def routed_addresses(elsewhere: Iterable[tuple[int, str]] = _ELSEWHERE) -> list[Address]:
    """Return the source addresses that the system would choose: those of its default routes.

    Arguments:
        elsewhere: pairs of an address family and a destination, to which nothing is sent.

    """
    found: list[Address] = []
    for family, destination in elsewhere:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((destination, 9))
                found.append(ip_address(probe.getsockname()[0]))
        except OSError:
            continue
    return found


def machine_names() -> Names:
    """Return the host name and the addresses of this machine, from its interfaces and default routes."""
    routed = routed_addresses()
    addresses = usable((*interface_addresses(), *routed))
    return Names(dns_name(socket.gethostname()), addresses, best_address(addresses, routed))
