"""Finds the client's address behind reverse proxies, from X-Forwarded-For."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

__all__ = ["Network", "client_address", "is_trusted", "peer_host", "read_address"]

Network = IPv4Network | IPv6Network

_HOP = re.compile(r"\[(?P<six>[^\]]+)\](?::\d+)?|(?P<four>[\d.]+):\d+|(?P<plain>\S+)")
"""A hop of X-Forwarded-For; some proxies add the port, as in 192.0.2.1:4711 or [2001:db8::1]:4711."""


def is_trusted(address: str, trusted: Sequence[Network]) -> bool:
    """Tell whether an address belongs to a trusted proxy, whose forwarding headers are believed."""
    if not trusted:
        return False
    ip = read_address(address)
    return ip is not None and any(ip in network for network in trusted)


def client_address(peer: str, forwarded_for: str | None, trusted: Sequence[Network]) -> str:
    """Return the client's address, under which admission control counts a connection.

    Arguments:
        peer: the address of the transport's peer.
        forwarded_for: the X-Forwarded-For header, to which each proxy appends the address of its peer.
        trusted: the networks of trusted proxies.

    The result is the last hop that is not a trusted proxy, since everything to the left of it may be forged. Where a
    hop is not an address, it is the proxy that added the hop.

    """
    address = peer
    hops = forwarded_for.split(",") if forwarded_for else []
    while hops and is_trusted(address, trusted):
        matched = _HOP.fullmatch(hops.pop().strip())
        ip = read_address(matched["six"] or matched["four"] or matched["plain"]) if matched else None
        if ip is None:
            break
        address = str(ip)
    return address


def peer_host(peer: object) -> str:
    """Return the IP address of a Twisted address, or an empty string if it has none (a Unix socket)."""
    return getattr(peer, "host", "")


def read_address(address: str) -> IPv4Address | IPv6Address | None:
    """Parse an IP address, an IPv4-mapped one (RFC 4291 §2.5.5.2) as IPv4; None if it is not an address."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return (ip.ipv4_mapped or ip) if isinstance(ip, IPv6Address) else ip
