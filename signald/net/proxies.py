"""Whose connection it is when a reverse proxy stands between: the client's address out of X-Forwarded-For, pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

__all__ = ["Network", "client_address", "is_trusted", "peer_host"]

Network = IPv4Network | IPv6Network

# Some proxies write the port too: 192.0.2.1:4711 or [2001:db8::1]:4711.
_HOP = re.compile(r"\[(?P<six>[^\]]+)\](?::\d+)?|(?P<four>[\d.]+):\d+|(?P<plain>\S+)")


def is_trusted(address: str, trusted: Sequence[Network]) -> bool:
    """Whether the forwarding headers of a peer with that address count."""
    ip = _ip(address)
    return ip is not None and any(ip in network for network in trusted)


def client_address(peer: str, forwarded_for: str | None, trusted: Sequence[Network]) -> str:
    """The address that a connection is counted under.

    Arguments:
        peer: the address of the transport's other end.
        forwarded_for: the X-Forwarded-For header, each proxy having added the address of its own peer at the right.
        trusted: the networks of the proxies that are believed.

    Returns the last hop that no trusted proxy is: everything to the left of it may be invented. Where a hop is no
    address, the proxy that passed it on is counted instead.

    """
    address = peer
    hops = forwarded_for.split(",") if forwarded_for else []
    while hops and is_trusted(address, trusted):
        matched = _HOP.fullmatch(hops.pop().strip())
        ip = _ip(matched["six"] or matched["four"] or matched["plain"]) if matched else None
        if ip is None:
            break
        address = str(ip)
    return address


def peer_host(peer: object) -> str:
    """The IP address of a connection's other end, without the port; empty where it has none (a Unix socket)."""
    return getattr(peer, "host", "")


def _ip(address: str) -> IPv4Address | IPv6Address | None:
    """The IP address of that text, an IPv4-mapped one (RFC 4291 §2.5.5.2) as IPv4, or None."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return (ip.ipv4_mapped or ip) if isinstance(ip, IPv6Address) else ip
