"""The names and addresses of this machine, for its certificate and for the terminal.

What to make of them is decided by pure functions; `machine_names` alone looks at the machine.
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
"""Where `localhost` leads, whether or not the interfaces could be listed."""

LOCAL_NETWORKS: tuple[Network, ...] = tuple(
    ip_network(network)
    for network in (
        "10.0.0.0/8",  # RFC 1918 §3
        "172.16.0.0/12",  # RFC 1918 §3
        "192.168.0.0/16",  # RFC 1918 §3
        "100.64.0.0/10",  # RFC 6598 §7: carrier-grade NAT, and what overlay networks hand out
        "127.0.0.0/8",  # RFC 1122 §3.2.1.3
        "169.254.0.0/16",  # RFC 3927 §2.1
        "::1/128",  # RFC 4291 §2.5.3
        "fc00::/7",  # RFC 4193 §3.1
        "fe80::/10",  # RFC 4291 §2.5.6
    )
)
"""The ranges that mean something on one machine or one network only, and so belong to nobody on the Internet."""

# Addresses of documentation (RFC 5737 §3, RFC 3849 §2): a datagram socket that is connected to one sends nothing.
_ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))

# RFC 1123 §2.1: letters, digits and inner hyphens, at most 63 in a label.
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


@frozen
class Names:
    """The names and addresses by which a machine can be reached.

    Attributes:
        host: its host name as a DNS name in lower case; None where it has none that others could use.
        addresses: its usable addresses, loopback included.
        best: the address to tell others first; None where it has none but loopback.

    """

    host: str | None
    addresses: tuple[Address, ...]
    best: Address | None

    @property
    def mdns(self) -> str | None:
        """The name that multicast DNS gives the machine: the host name's first label under `.local` (RFC 6762 §3)."""
        return None if self.host is None else f"{self.host.partition('.')[0]}.local"

    @property
    def dns_names(self) -> tuple[str, ...]:
        """Every DNS name for the certificate: localhost, the host name, the `.local` name."""
        return tuple(dict.fromkeys(name for name in ("localhost", self.host, self.mdns) if name is not None))

    @property
    def shareable(self) -> tuple[Address, ...]:
        """What other machines can use: the best address, then IPv4, then IPv6, self-assigned ones last."""
        return tuple(
            sorted(
                (address for address in self.addresses if not address.is_loopback),
                key=lambda address: (address != self.best, address.is_link_local, address.version),
            )
        )


def usable(addresses: Iterable[Address]) -> tuple[Address, ...]:
    """Every address that a browser can open, once each, loopback always among them.

    IPv6 link-local addresses are left out: they mean nothing without a zone, and a URL of the web has none
    (WHATWG URL, "Host representation"). A container host grows one with every container, besides.
    """
    return tuple(
        dict.fromkeys(
            address
            for address in (*LOOPBACK, *addresses)
            if not (address.is_unspecified or address.is_multicast or (address.version == 6 and address.is_link_local))
        )
    )


def best_address(addresses: Sequence[Address], routed: Iterable[Address]) -> Address | None:
    """Choose the address to tell others first.

    Arguments:
        addresses: the usable addresses of the machine.
        routed: the addresses that the default routes leave from.

    Returns the IPv4 address of the default route; without one, the first private IPv4 address, then the IPv6 address of
    the default route, then any; None where there is nothing but loopback.

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
    """The host name in the form that a certificate and a URL can carry, or None where it has no such form.

    Names of this machine alone (`localhost`) say nothing to others; a last label of digits would be read as an IPv4
    address (WHATWG URL, "ends in a number").
    """
    name = host.rstrip(".").lower()
    labels = name.split(".")
    if labels[0] == "localhost" or labels[-1].isdigit() or len(name) > 253:
        return None
    return name if all(_LABEL.fullmatch(label) for label in labels) else None


def interface_addresses(adapters: Callable[[], Iterable[ifaddr.Adapter]] = ifaddr.get_adapters) -> list[Address]:
    """Ask the system for the addresses of all interfaces.

    Where it does not tell (a service without AF_NETLINK sockets), none are returned: the routed ones must do.
    """
    try:
        return [ip_address(ip.ip if isinstance(ip.ip, str) else ip.ip[0]) for one in adapters() for ip in one.ips]
    except OSError:
        return []


def routed_addresses(elsewhere: Iterable[tuple[int, str]] = _ELSEWHERE) -> list[Address]:
    """Ask the system which addresses it would send from towards others: those of its default routes.

    Arguments:
        elsewhere: pairs of an address family and a destination; nothing is sent there.

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
    """Look at this machine: its host name, its interfaces, its default routes."""
    routed = routed_addresses()
    addresses = usable((*interface_addresses(), *routed))
    return Names(dns_name(socket.gethostname()), addresses, best_address(addresses, routed))
